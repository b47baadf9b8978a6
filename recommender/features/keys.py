"""Purchase keys: the ways in which a purchase can speak for an offer.

An offer applies to items; a purchase of the same item, of its type, its category, its merchant, is
evidence of falling strength. Each such value that some offer has is a key, ``item:i1`` or
``category:travel``. A purchase counts for every key it has; an offer collects from its keys. Keys
that no offer has are not kept. The type is the finest grouping of the items there is, by brand. Of
category and merchant the one of which there are more is the finer one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from data.schema import ITEM_ID

ITEM, TYPE, CATEGORY, MERCHANT = LEVELS = ("item", "type", "category", "merchant")
STATED = (CATEGORY, MERCHANT)  # levels that an offer or a transaction line can state itself


@dataclass(frozen=True)
class KeySpace:
    """The keys, level by level, and what connects them with items and offers.

    Attributes
    ----------
    levels : tuple of str
        The levels, the finest first.
    names : ndarray of str, shape (keys,)
        ``level:value``, grouped by level.
    level_of : ndarray of int, shape (keys,)
        Position of each key's level in `levels`.
    item_ids : ndarray of str, shape (items,)
        Items that have a key, sorted.
    item_keys : csr_matrix, shape (items, keys)
        One where an item has a key.
    offer_keys : csr_matrix, shape (offers, keys)
        One for each item of an offer; at other levels the share of its items that have the key.
    unit : float
        A typical amount of money; spend is compared in multiples of it.
    """

    levels: tuple[str, ...]
    names: np.ndarray
    level_of: np.ndarray
    item_ids: np.ndarray
    item_keys: sp.csr_matrix
    offer_keys: sp.csr_matrix
    unit: float

    @property
    def n_keys(self) -> int:
        """How many keys there are."""
        return len(self.names)

    @cached_property
    def key_rows(self) -> dict[str, int]:
        """Row of each key by name."""
        return {str(name): row for row, name in enumerate(self.names)}

    @cached_property
    def item_rows(self) -> dict[str, int]:
        """Row of each item by id."""
        return {str(name): row for row, name in enumerate(self.item_ids)}

    def rows_of(self, level: str) -> slice:
        """Return the rows of the keys of a level."""
        place = self.levels.index(level)
        first, end = np.searchsorted(self.level_of, [place, place + 1])
        return slice(int(first), int(end))

    @cached_property
    def offers_by_level(self) -> dict[str, sp.csr_matrix]:
        """The offers' part of each level: shape (keys of the level, offers)."""
        keys = sp.csr_matrix(self.offer_keys.T)
        return {level: sp.csr_matrix(keys[self.rows_of(level)]) for level in self.levels}

    @cached_property
    def counted(self) -> sp.csr_matrix:
        """What visits count for an offer: types, or the finest level it states: (keys, offers)."""
        return self.first_named((TYPE, *self._stated))

    @cached_property
    def dated(self) -> sp.csr_matrix:
        """What tells how lately was bought: items, or the finest level stated: (keys, offers)."""
        return self.first_named((ITEM, *self._stated))

    @cached_property
    def counted_rows(self) -> frozenset[int]:
        """The keys that are `counted` for some offer."""
        return frozenset(np.flatnonzero(np.diff(self.counted.indptr)).tolist())

    @cached_property
    def dated_rows(self) -> frozenset[int]:
        """The keys that are `dated` for some offer."""
        return frozenset(np.flatnonzero(np.diff(self.dated.indptr)).tolist())

    @cached_property
    def own(self) -> sp.csr_matrix:
        """The one item that an offer is for, or the merchant where it names none: (keys, offers).

        Empty for an offer on several items.
        """
        items = np.diff(self.offer_keys[:, self.rows_of(ITEM)].indptr)
        found = self.first_named((ITEM, MERCHANT)) @ sp.diags_array((items < 2).astype(np.float64))
        found.eliminate_zeros()
        return sp.csr_matrix(found)

    @property
    def _stated(self) -> list[str]:
        return [level for level in self.levels if level in STATED]

    def first_named(self, levels: Sequence[str]) -> sp.csr_matrix:
        """Return each offer's part of the first of some levels that it names: (keys, offers)."""
        open_offers = np.ones(self.offer_keys.shape[0], dtype=bool)
        parts = {level: sp.csr_matrix(part.shape) for level, part in self.offers_by_level.items()}
        for level in levels:
            part = self.offers_by_level[level]
            here = open_offers & (np.asarray(part.sum(axis=0)).ravel() > 0)
            parts[level] = part @ sp.diags_array(here.astype(np.float64))
            open_offers &= ~here
        found = sp.csr_matrix(sp.vstack([parts[level] for level in self.levels]))
        found.eliminate_zeros()
        return found

    def keys_of(self, purchase: Mapping[str, str | None]) -> list[int]:
        """Return the keys of one purchase with its item_id, category and merchant, if stated."""
        item = self.item_rows.get(purchase.get(ITEM_ID) or "")
        if item is not None:
            start, end = self.item_keys.indptr[item : item + 2]
            return [int(key) for key in self.item_keys.indices[start:end]]
        named = (f"{level}:{purchase[level]}" for level in STATED if purchase.get(level))
        return [self.key_rows[name] for name in named if name in self.key_rows]
