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
from recommender.features.keys import STATED, KeySpace
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
    known, stated = item >= 0, stated_by(lines, np.flatnonzero(item < 0), keys)
    shape = (len(customers), keys.n_keys)

    def laid_out(rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix((values, (rows, columns)), shape=shape)

    by_item = sp.csr_matrix(
        (amount[known], (owner[known], item[known])), shape=(shape[0], len(keys.item_ids))
    )
    spend = by_item @ keys.item_keys + laid_out(owner[stated[0]], stated[1], amount[stated[0]])
    bought = amount >= 0  # a refund is neither a transaction nor recent
    line, key = having(item, stated, keys.item_keys, keys.counted, bought)
    once = ~pd.Series(visits_of(lines, owner)[line] * shape[1] + key).duplicated().to_numpy()
    rows, columns = owner[line[once]], key[once]
    line, key = having(item, stated, keys.item_keys, keys.dated, bought)
    last = pd.Series(when[line]).groupby(owner[line] * shape[1] + key).max()
    pairs = last.index.to_numpy(dtype=np.int64)
    money = sp.csr_matrix((amount, (owner, np.zeros(len(owner), dtype=np.int64))), (shape[0], 1))
    return without_refunds(
        Purchases(
            spend=sp.csr_matrix(spend),
            baskets=laid_out(rows, columns, np.ones(len(rows))),
            recent=laid_out(
                *np.divmod(pairs, shape[1]), recency(last.to_numpy(dtype=np.float64), moment)
            ),
            spent=money,
        )
    )


def visits_of(lines: pd.DataFrame, owner: np.ndarray) -> np.ndarray:
    """Return a number for each line, the same within a transaction: shape (lines,)."""
    number = transaction_numbers(lines)
    return np.asarray(pd.factorize(owner * (number.max(initial=0) + 1) + number)[0])


def stated_by(
    lines: pd.DataFrame, rows: np.ndarray, keys: KeySpace
) -> tuple[np.ndarray, np.ndarray]:
    """Return lines, of some, and keys that they state themselves."""
    index, rest = pd.Index(keys.names), lines.iloc[rows]
    found: list[tuple[np.ndarray, np.ndarray]] = [(rows[:0], rows[:0])]
    for level in STATED:
        here = rest[level].notna().to_numpy()
        key = index.get_indexer(pd.Index(level + ":" + rest.loc[here, level]))
        found.append((rows[here][key >= 0], key[key >= 0]))
    line, key = (np.concatenate(part) for part in zip(*found, strict=True))
    return line, key


def having(
    item: np.ndarray,
    stated: tuple[np.ndarray, np.ndarray],
    item_keys: sp.csr_matrix,
    wanted: sp.csr_matrix,
    bought: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return lines that were bought with their keys, of those that say something of an offer.

    Parameters
    ----------
    item : ndarray of int, shape (lines,)
        Below zero where none is known.
    stated : tuple of ndarray
        Lines of these, and the keys that they state.
    wanted : csr_matrix, shape (keys, offers)
        Empty for a key that says nothing.
    """
    here = np.flatnonzero(np.diff(wanted.indptr))
    known = np.flatnonzero((item >= 0) & bought)
    of_item = sp.csr_matrix(sp.csr_matrix(item_keys[:, here])[item[known]])
    line, key = stated
    said = bought[line] & np.isin(key, here)
    return (
        np.concatenate([np.repeat(known, np.diff(of_item.indptr)), line[said]]),
        np.concatenate([here[of_item.indices], key[said]]),
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
    total = 0.0
    for number, line in enumerate(lines):
        amount = float(line[AMOUNT])
        total += amount
        for key in keys.keys_of(line):
            spend[key] = spend.get(key, 0.0) + amount
            if amount < 0:
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
