"""What customers bought, by purchase key: money, transactions, and how long ago."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset, microseconds
from data.idmap import IdMap
from data.schema import AMOUNT, CUSTOMER_ID, ITEM_ID, OCCURRED_AT
from recommender.features.keys import KeySpace
from recommender.features.lines import having, stated_by, visits_of
from recommender.features.refunds import above_zero, is_nothing, settled
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
        Transactions per key; of keys that are `counted` for some offer.
    recent : csr_matrix, shape (n, keys)
        2^(-age / half-life) of the last purchase, seen from the model's moment; of keys that are
        `dated` for some offer.
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
    when = microseconds(lines[OCCURRED_AT]).to_numpy(dtype=np.float64)
    item = pd.Index(keys.item_ids).get_indexer(pd.Index(lines[ITEM_ID]))
    stated = stated_by(lines, np.flatnonzero(item < 0), keys)
    shape = (len(customers), keys.n_keys)

    def laid_out(rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix((values, (rows, columns)), shape=shape)

    def by_key(money: np.ndarray) -> sp.csr_matrix:
        known = np.flatnonzero((item >= 0) & (money != 0))
        by_item = sp.csr_matrix(
            (money[known], (owner[known], item[known])), shape=(shape[0], len(keys.item_ids))
        )
        line, key = stated
        return sp.csr_matrix(by_item @ keys.item_keys + laid_out(owner[line], key, money[line]))

    def in_all(money: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix((money, (owner, np.zeros_like(owner))), (shape[0], 1))

    back = np.maximum(-amount, 0.0)
    spend, spent = (
        settled(summed(amount), summed(back)) if back.any() else summed(amount)
        for summed in (by_key, in_all)
    )
    bought = amount >= 0  # a refund is neither a transaction nor recent
    line, key = having(item, stated, keys.item_keys, keys.counted, bought)
    once = ~pd.Series(visits_of(lines, owner)[line] * shape[1] + key).duplicated().to_numpy()
    rows, columns = owner[line[once]], key[once]
    line, key = having(item, stated, keys.item_keys, keys.dated, bought)
    last = pd.Series(when[line]).groupby(owner[line] * shape[1] + key).max()
    pairs = last.index.to_numpy(dtype=np.int64)
    ages = recency(last.to_numpy(dtype=np.float64), moment)
    recent = laid_out(*np.divmod(pairs, shape[1]), ages)
    recent.eliminate_zeros()  # as where such sums are added up
    return without_refunds(
        Purchases(
            spend=spend,
            baskets=laid_out(rows, columns, np.ones(len(rows))),
            recent=recent,
            spent=spent,
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
    back: dict[int, float] = {}
    seen: dict[int, set[str]] = {}
    latest: dict[int, int] = {}
    total = returned = 0.0
    for number, line in enumerate(lines):
        amount = float(line[AMOUNT])
        total += amount
        returned += max(-amount, 0.0)
        for key in keys.keys_of(line):
            spend[key] = spend.get(key, 0.0) + amount
            if amount < 0:
                back[key] = back.get(key, 0.0) - amount
                continue
            if key in keys.counted_rows:
                name = line.get("transaction_id") or f"line {number}"
                seen.setdefault(key, set()).add(str(name))
            if key in keys.dated_rows:
                when = line.get(OCCURRED_AT)
                when = moment if when is None else when
                latest[key] = max(latest.get(key, when), when)
    baskets = {key: float(len(names)) for key, names in seen.items()}
    ages = recency(np.array(list(latest.values()), dtype=np.float64), moment).tolist()
    recent = dict(zip(latest, ages, strict=True))
    spend |= {key: 0.0 for key, money in back.items() if is_nothing(spend[key], money)}
    total = 0.0 if is_nothing(total, returned) else total
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
            spend=_sum(base.spend, new.spend),
            baskets=sp.csr_matrix(base.baskets + new.baskets),
            recent=sp.csr_matrix(base.recent.maximum(new.recent)),
            spent=_sum(base.spent, new.spent),
        )
    )


def _sum(base: sp.csr_matrix, new: sp.csr_matrix) -> sp.csr_matrix:
    return settled(sp.csr_matrix(base + new), above_zero(-new))


def without_refunds(purchases: Purchases) -> Purchases:
    """Leave out keys on which, refunds counted, nothing was spent."""
    return replace(purchases, spend=above_zero(purchases.spend), spent=above_zero(purchases.spent))
