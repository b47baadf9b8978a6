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
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.schema import AMOUNT, ITEM_ID, ITEMS, OFFER_ID

ITEM, TYPE, CATEGORY, MERCHANT = LEVELS = ("item", "type", "category", "merchant")
STATED = (CATEGORY, MERCHANT)  # levels that an offer or a transaction line can state itself
BRAND = "brand"
MOST_PART = 0.5


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

    @property
    def told(self) -> bool:
        """Whether most offers state what they are for."""
        stating = np.diff(self.offer_keys.indptr) > 0
        return bool(len(stating) and stating.mean() > MOST_PART)

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


def build_keys(dataset: Dataset) -> KeySpace:
    """Collect the keys of the offers of a dataset."""
    offers = dataset.offer_ids
    values = _values(dataset)
    links = dataset.offer_items[dataset.offer_items[OFFER_ID].isin(offers.ids)]
    wanted: list[pd.DataFrame] = []
    for level in LEVELS:
        found = pd.DataFrame(
            {OFFER_ID: links[OFFER_ID], "value": links[ITEM_ID].map(values[level])}
        )
        if level in STATED:
            # What an offer states itself is said of all its items, or of as many as one.
            stated = dataset.offers[[OFFER_ID, level]].rename(columns={level: "value"})
            found = pd.concat([found, stated[~stated[OFFER_ID].isin(found.dropna()[OFFER_ID])]])
        found = found.dropna()
        count = found.groupby([OFFER_ID, "value"], sort=False).size().rename("n").reset_index()
        wanted.append(count.assign(level=level))
    pairs = pd.concat(wanted, ignore_index=True)
    pairs["key"] = pairs["level"] + ":" + pairs["value"].astype("str")
    number = pairs.groupby("level")["key"].nunique().reindex(STATED, fill_value=0)
    levels = (ITEM, TYPE, *number.sort_values(ascending=False, kind="stable").index)
    names, level_of = [], []
    for row, level in enumerate(levels):
        here = sorted(pairs.loc[pairs["level"] == level, "key"].unique())
        names += here
        level_of += [row] * len(here)
    index = pd.Index(names, dtype="str")
    total = pairs.groupby([OFFER_ID, "level"])["n"].transform("sum")
    share = np.where(pairs["level"] == ITEM, 1.0, pairs["n"] / total)
    offer_keys = sp.csr_matrix(
        (share, (offers.rows(pairs[OFFER_ID]), index.get_indexer(pairs["key"]))),
        shape=(len(offers), len(index)),
    )
    item_ids, item_keys = _item_keys(dataset, values, index)
    amounts = dataset.transactions[AMOUNT]
    return KeySpace(
        levels=levels,
        names=np.array(names, dtype=np.str_),
        level_of=np.array(level_of, dtype=np.int64),
        item_ids=item_ids,
        item_keys=item_keys,
        offer_keys=offer_keys,
        unit=float(amounts[amounts > 0].median()) if (amounts > 0).any() else 1.0,
    )


def _values(dataset: Dataset) -> dict[str, pd.Series[str]]:
    """Find the value that every item has at each level, by item id."""
    items = dataset.items.set_index(ITEM_ID)
    ids = pd.Index(dataset.item_ids.ids, dtype="str")
    shared = {str(name): items[name] for name in items.columns if _is_shared(items[name])}
    brand = shared.pop(BRAND, None)
    kinds = {name: column for name, column in shared.items() if name != MERCHANT}
    none = pd.Series(dtype="str")
    finest = max(kinds.values(), key=lambda column: column.nunique(), default=none)
    if brand is not None and len(finest):
        # Who buys a shop's own brand of something seldom takes a coupon for a national one.
        finest = finest.where(brand.isna(), finest + ", " + brand)
    of_level = {TYPE: finest, CATEGORY: items[CATEGORY], MERCHANT: items[MERCHANT]}
    return {
        ITEM: pd.Series(ids, index=ids, dtype="str"),
        **{level: column.reindex(ids) for level, column in of_level.items()},
    }


def _is_shared(values: pd.Series) -> bool:
    """Tell whether a column groups items: text that items have in common.

    Numbers are codes of groups only in columns that are known for such.
    """
    if values.name == ITEM or not pd.api.types.is_string_dtype(values):
        return False
    known = values.dropna()
    numbers = pd.to_numeric(known, errors="coerce").notna().all()
    code = values.name in ITEMS.names or not numbers
    return len(known) > 0 and code and known.nunique() <= len(known) / 2


def _item_keys(
    dataset: Dataset, values: dict[str, pd.Series[str]], index: pd.Index[str]
) -> tuple[np.ndarray, sp.csr_matrix]:
    """Find the keys of every item that has one."""
    ids = dataset.item_ids.ids
    rows, columns = [], []
    for level, column in values.items():
        key = index.get_indexer(pd.Index(level + ":" + column.astype("str")))
        hit = (key >= 0) & column.notna().to_numpy()
        rows.append(np.flatnonzero(hit))
        columns.append(key[hit])
    row, key = np.concatenate(rows), np.concatenate(columns)
    matrix = sp.csr_matrix((np.ones(len(row)), (row, key)), shape=(len(ids), len(index)))
    kept = np.diff(matrix.indptr) > 0
    return ids.astype(np.str_)[kept], sp.csr_matrix(matrix[kept])
