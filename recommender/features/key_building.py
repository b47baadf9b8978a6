"""Finding the purchase keys of the offers of a dataset."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.schema import AMOUNT, ITEM_ID, ITEMS, OFFER_ID
from recommender.features.keys import (
    CATEGORY,
    ITEM,
    LEVELS,
    MERCHANT,
    STATED,
    TYPE,
    KeySpace,
)

BRAND = "brand"


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
