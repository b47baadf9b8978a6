"""Purchase keys: the ways in which a purchase can speak for an offer.

An offer applies to items; a purchase of the same item, of its type, its category, its merchant, is
evidence of falling strength. Each such value that some offer has is a key, ``item:i1`` or
``category:travel``. A purchase adds its money to every key it has; an offer collects from its keys.
Keys that no offer has are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.idmap import IdMap
from data.schema import AMOUNT, CUSTOMER_ID, ITEM_ID, OFFER_ID

ITEM = "item"
LINE_LEVELS = ("category", "merchant")  # levels that a transaction line can state itself


@dataclass(frozen=True)
class KeySpace:
    """The keys, level by level, and what connects them with items and offers.

    Attributes
    ----------
    levels : tuple of str
        Level names, the item itself first.
    names : ndarray of str, shape (keys,)
        ``level:value``, grouped by level.
    level_of : ndarray of int, shape (keys,)
        Position of each key's level in `levels`.
    item_ids : ndarray of str, shape (items,)
        Items that have a key, sorted.
    item_keys : csr_matrix, shape (items, keys)
        One where an item has a key.
    offer_keys : csr_matrix, shape (offers, keys)
        One where an offer has a key.
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

    @cached_property
    def by_level(self) -> tuple[tuple[np.ndarray, sp.csc_matrix], ...]:
        """Per level: the key rows, and their part of the offers, shape (keys of level, offers)."""
        parts = []
        for level in range(len(self.levels)):
            rows = np.flatnonzero(self.level_of == level)
            parts.append((rows, sp.csc_matrix(self.offer_keys[:, rows].T)))
        return tuple(parts)

    def keys_of(self, purchase: Mapping[str, str | None]) -> list[int]:
        """Return the keys of one purchase with its item_id, category and merchant, if stated."""
        item = self.item_rows.get(purchase.get(ITEM_ID) or "")
        if item is not None:
            start, end = self.item_keys.indptr[item : item + 2]
            return [int(key) for key in self.item_keys.indices[start:end]]
        named = (f"{level}:{purchase[level]}" for level in LINE_LEVELS if purchase.get(level))
        return [self.key_rows[name] for name in named if name in self.key_rows]


def build_keys(dataset: Dataset) -> KeySpace:
    """Collect the keys of the offers of a dataset."""
    offers = dataset.offer_ids
    items = dataset.items.set_index(ITEM_ID)
    shared = [str(name) for name in items.columns if _is_shared(items[name])]
    levels = list(dict.fromkeys([ITEM, *shared, *LINE_LEVELS]))
    links = dataset.offer_items[dataset.offer_items[OFFER_ID].isin(offers.ids)]
    wanted: list[pd.DataFrame] = []
    for level in levels:
        values = links[ITEM_ID] if level == ITEM else links[ITEM_ID].map(_column(items, level))
        found = pd.DataFrame({OFFER_ID: links[OFFER_ID], "value": values})
        if level in LINE_LEVELS:
            stated = dataset.offers[[OFFER_ID, level]].rename(columns={level: "value"})
            found = pd.concat([found, stated])
        wanted.append(found.dropna().drop_duplicates().assign(level=level))
    pairs = pd.concat(wanted, ignore_index=True)
    pairs["key"] = pairs["level"] + ":" + pairs["value"].astype("str")
    names, level_of = [], []
    for row, level in enumerate(levels):
        here = sorted(pairs.loc[pairs["level"] == level, "key"].unique())
        names += here
        level_of += [row] * len(here)
    index = pd.Index(names, dtype="str")
    offer_keys = _ones(
        offers.rows(pairs[OFFER_ID]), index.get_indexer(pairs["key"]), (len(offers), len(index))
    )
    item_ids, item_keys = _item_keys(dataset, items, levels, index)
    amounts = dataset.transactions[AMOUNT]
    unit = float(amounts[amounts > 0].median()) if (amounts > 0).any() else 1.0
    return KeySpace(
        levels=tuple(levels),
        names=np.array(names, dtype=np.str_),
        level_of=np.array(level_of, dtype=np.int64),
        item_ids=item_ids,
        item_keys=item_keys,
        offer_keys=offer_keys,
        unit=unit,
    )


def purchases_of(dataset: Dataset, keys: KeySpace, customers: IdMap) -> sp.csr_matrix:
    """Sum what each customer spent per key, at least zero: shape (customers, keys)."""
    lines = dataset.transactions
    owner = customers.rows(lines[CUSTOMER_ID])
    amount = lines[AMOUNT].to_numpy(dtype=np.float64)
    item = pd.Index(keys.item_ids).get_indexer(pd.Index(lines[ITEM_ID]))
    known = item >= 0
    spend = sp.csr_matrix(
        (amount[known], (owner[known], item[known])), shape=(len(customers), len(keys.item_ids))
    )
    total = spend @ keys.item_keys
    index = pd.Index(keys.names)
    rest = lines[~known]
    for level in LINE_LEVELS:
        stated = rest[level].notna().to_numpy()
        key = index.get_indexer(pd.Index(level + ":" + rest.loc[stated, level]))
        hit = key >= 0
        if hit.any():
            values, rows = amount[~known][stated][hit], owner[~known][stated][hit]
            total = total + sp.csr_matrix((values, (rows, key[hit])), shape=total.shape)
    total = sp.csr_matrix(total)
    total.data = np.maximum(total.data, 0.0)
    total.eliminate_zeros()
    total.sort_indices()
    return total


def _is_shared(values: pd.Series) -> bool:
    """Tell whether a column groups items: text, not numbers, that items have in common."""
    if values.name == ITEM or not pd.api.types.is_string_dtype(values):
        return False
    known = values.dropna()
    numbers = pd.to_numeric(known, errors="coerce").notna().all()
    return len(known) > 0 and not numbers and known.nunique() <= len(known) / 2


def _column(items: pd.DataFrame, level: str) -> pd.Series[str]:
    return items[level] if level in items.columns else pd.Series(dtype="str")


def _item_keys(
    dataset: Dataset, items: pd.DataFrame, levels: list[str], index: pd.Index[str]
) -> tuple[np.ndarray, sp.csr_matrix]:
    """Find the keys of every item that has one."""
    ids = pd.Series(dataset.item_ids.ids, dtype="str")
    rows, columns = [], []
    for level in levels:
        values = ids if level == ITEM else ids.map(_column(items, level))
        key = index.get_indexer(pd.Index(level + ":" + values.astype("str")))
        hit = (key >= 0) & values.notna().to_numpy()
        rows.append(np.flatnonzero(hit))
        columns.append(key[hit])
    matrix = _ones(np.concatenate(rows), np.concatenate(columns), (len(ids), len(index)))
    kept = np.diff(matrix.indptr) > 0
    return ids.to_numpy(dtype=np.str_)[kept], sp.csr_matrix(matrix[kept])


def _ones(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sp.csr_matrix:
    matrix = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix
