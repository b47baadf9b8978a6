"""What customers bought, by purchase key: money, transactions, and how long ago."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset, microseconds, transaction_numbers
from data.idmap import IdMap
from data.schema import AMOUNT, CUSTOMER_ID, ITEM_ID, OCCURRED_AT
from recommender.features.keys import ITEM, STATED, TYPE, KeySpace
from recommender.features.sparse import rows_of
from segmentation.features import DAY

HALF_LIFE = 60 * DAY  # microseconds in which a purchase becomes half as recent


@dataclass(frozen=True)
class Purchases:
    """Purchases of n customers.

    Attributes
    ----------
    spend : csr_matrix, shape (n, keys)
        Money per key, refunds taken off; never below zero.
    baskets : csr_matrix, shape (n, keys)
        Transactions per key; at level type only.
    recent : csr_matrix, shape (n, keys)
        2^(-age / half-life) of the last purchase, seen from the model's moment; items only.
    spent : csr_matrix, shape (n, 1)
        Money in all, whether or not it has a key.
    """

    spend: sp.csr_matrix
    baskets: sp.csr_matrix
    recent: sp.csr_matrix
    spent: sp.csr_matrix


def purchases_of(dataset: Dataset, keys: KeySpace, customers: IdMap, moment: int) -> Purchases:
    """Sum up the transactions of a dataset.

    Parameters
    ----------
    customers : IdMap
        The rows of the result.
    moment : int
        The model's moment, microseconds since 1970.
    """
    lines = dataset.transactions
    owner = customers.rows(lines[CUSTOMER_ID])
    amount = lines[AMOUNT].to_numpy(dtype=np.float64)
    item = pd.Index(keys.item_ids).get_indexer(pd.Index(lines[ITEM_ID]))
    shape = (len(customers), keys.n_keys)
    known = item >= 0

    def by_item(rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix((values, (rows, columns)), (len(customers), len(keys.item_ids)))

    spend = by_item(owner[known], item[known], amount[known]) @ keys.item_keys
    index = pd.Index(keys.names)
    rest = lines[~known]
    for level in STATED:
        stated = rest[level].notna().to_numpy()
        key = index.get_indexer(pd.Index(level + ":" + rest.loc[stated, level]))
        hit = key >= 0
        if hit.any():
            values, rows = amount[~known][stated][hit], owner[~known][stated][hit]
            spend = spend + sp.csr_matrix((values, (rows, key[hit])), shape=shape)
    bought = known & (amount >= 0)  # a refund is neither a transaction nor recent
    types = _type_of_item(keys)[item[bought]]
    typed = types >= 0
    triple = pd.DataFrame(
        {
            "owner": owner[bought][typed],
            "transaction": transaction_numbers(lines)[bought][typed],
            "key": types[typed],
        }
    ).drop_duplicates()
    baskets = sp.csr_matrix(
        (np.ones(len(triple)), (triple["owner"].to_numpy(), triple["key"].to_numpy())), shape=shape
    )
    when = microseconds(lines[OCCURRED_AT]).to_numpy(dtype=np.float64)[bought]
    last = pd.Series(when).groupby([owner[bought], item[bought]]).max()
    pairs = last.index.to_frame().to_numpy(dtype=np.int64).reshape(-1, 2)
    itemwise = by_item(pairs[:, 0], pairs[:, 1], recency(last.to_numpy(dtype=np.float64), moment))
    own = keys.item_keys[:, keys.rows_of(ITEM)]
    money = sp.csr_matrix((amount, (owner, np.zeros(len(owner), dtype=np.int64))), (shape[0], 1))
    return without_refunds(
        Purchases(
            spend=sp.csr_matrix(spend),
            baskets=baskets,
            recent=_padded(itemwise @ own, keys.rows_of(ITEM).start, keys.n_keys),
            spent=money,
        )
    )


def purchases_of_people(
    people: Sequence[Iterable[Mapping[str, Any]]], keys: KeySpace, moment: int
) -> Purchases:
    """Sum up the lines of some customers; refunds may outweigh what they are told with."""
    sums = [_sums(lines, keys, moment) for lines in people]
    return Purchases(
        spend=rows_of([one.spend for one in sums], keys.n_keys),
        baskets=rows_of([one.baskets for one in sums], keys.n_keys),
        recent=rows_of([one.recent for one in sums], keys.n_keys),
        spent=rows_of([one.spent for one in sums], 1),
    )


@dataclass(frozen=True)
class _Sums:
    """One customer's purchases by key, as in `Purchases`."""

    spend: dict[int, float]
    baskets: dict[int, float]
    recent: dict[int, float]
    spent: dict[int, float]


def _sums(lines: Iterable[Mapping[str, Any]], keys: KeySpace, moment: int) -> _Sums:
    spend: dict[int, float] = {}
    seen: dict[int, set[str]] = {}
    latest: dict[int, int] = {}
    types, items = _rows(keys, TYPE), _rows(keys, ITEM)
    total = 0.0
    for number, line in enumerate(lines):
        amount = float(line[AMOUNT])
        total += amount
        for key in keys.keys_of(line):
            spend[key] = spend.get(key, 0.0) + amount
            if amount >= 0 and line.get(ITEM_ID) is not None:
                if key in types:
                    name = line.get("transaction_id") or f"line {number}"
                    seen.setdefault(key, set()).add(str(name))
                elif key in items:
                    when = line.get(OCCURRED_AT)
                    when = moment if when is None else when
                    latest[key] = max(latest.get(key, when), when)
    baskets = {key: float(len(names)) for key, names in seen.items()}
    ages = recency(np.array(list(latest.values()), dtype=np.float64), moment).tolist()
    recent = dict(zip(latest, ages, strict=True))
    return _Sums(spend, baskets, recent, {0: total} if total else {})


def recency(when: np.ndarray, moment: int) -> np.ndarray:
    """Return how recent moments are: one now and later, half a half-life ago."""
    return np.asarray(0.5 ** (np.maximum(moment - when, 0.0) / HALF_LIFE))


def add_purchases(base: Purchases, new: Purchases) -> Purchases:
    """Put what came later on top of what was known.

    By how much refunds had outweighed purchases is not known any more: those count from zero.
    """
    if not (new.spend.nnz or new.spent.nnz):
        return base
    return without_refunds(
        Purchases(
            spend=sp.csr_matrix(base.spend + new.spend),
            baskets=sp.csr_matrix(base.baskets + new.baskets),
            recent=sp.csr_matrix(base.recent.maximum(new.recent)),
            spent=sp.csr_matrix(base.spent + new.spent),
        )
    )


def without_refunds(purchases: Purchases) -> Purchases:
    """Leave out keys on which, refunds counted, nothing was spent."""

    def positive(matrix: sp.csr_matrix) -> sp.csr_matrix:
        kept = matrix.copy()
        kept.data = np.maximum(kept.data, 0.0)
        kept.eliminate_zeros()
        kept.sort_indices()
        return kept

    return Purchases(
        positive(purchases.spend), purchases.baskets, purchases.recent, positive(purchases.spent)
    )


def _type_of_item(keys: KeySpace) -> np.ndarray:
    """Return the type's key of every item, below zero where it has none."""
    of_type = keys.item_keys[:, keys.rows_of(TYPE)].tocoo()
    found = np.full(len(keys.item_ids), -1, dtype=np.int64)
    found[of_type.row] = of_type.col + keys.rows_of(TYPE).start
    return found


def _rows(keys: KeySpace, level: str) -> range:
    rows = keys.rows_of(level)
    return range(rows.start, rows.stop)


def _padded(matrix: sp.csr_matrix, start: int, width: int) -> sp.csr_matrix:
    """Put columns at their place among all keys."""
    part = sp.csr_matrix(matrix)
    return sp.csr_matrix((part.data, part.indices + start, part.indptr), (part.shape[0], width))
