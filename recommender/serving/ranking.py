"""From scores to lists: the best allowed offers, their order settled to the last tie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GROUPS = 8  # groups of offers for every offer wanted of their best ones
CELLS = 1_000_000  # compared at once
CROWD = 4  # times the offers wanted, that may be as good as the last of them


@dataclass(frozen=True)
class Knobs:
    """What a list gives up in relevance for, measured by the benchmark's suite `ranking`.

    Attributes
    ----------
    novelty : float
        From 0 to 1: the share of popularity's own contribution that is taken out of the order.
    diversity : float
        From 0 to 1: what an offer loses for every offer of its category above it, in standard
        deviations of the customer's scores.
    """

    novelty: float = 0.0
    diversity: float = 0.0


def top(
    score: np.ndarray, allowed: np.ndarray, n: int, order: np.ndarray | None = None
) -> np.ndarray:
    """Find the best offers of each customer.

    Parameters
    ----------
    score : ndarray of float, shape (customers, offers)
    allowed : ndarray of bool, shape (customers, offers)
        Offers that may be listed.
    n : int
        Length of a list.
    order : ndarray of int, shape (offers,), optional
        All offers in the order that settles equal scores: by popularity, then by id. As they stand
        if not given.

    Returns
    -------
    ndarray of int, shape (customers, at most n)
        Best first; what is not allowed stands behind all that is.
    """
    good = np.where(allowed, score, -np.inf)
    if order is not None:
        good = good[:, order]
    place = _best_whole(good) if n >= good.shape[1] else _best_of_leaders(good, n)
    return place if order is None else np.asarray(order[place])


def _best_whole(good: np.ndarray) -> np.ndarray:
    return np.argsort(-good, axis=1, kind="stable")


def _best_of_leaders(good: np.ndarray, n: int) -> np.ndarray:
    """Sort only those of which the best n are some."""
    rows, columns, _ = leaders(good, n)
    count = np.bincount(rows, minlength=len(good))
    # Too few may be listed, or ever so many are equal: hardly ever, and then the row is sorted.
    rare = (count < n) | (count > CROWD * n)
    usual = ~rare[rows]
    rows, columns = rows[usual], columns[usual]
    count[rare] = 0
    slot = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    shape = len(good), max(n, int(count.max(initial=0)))
    cost, own = np.full(shape, np.inf), np.zeros(shape, dtype=np.int64)
    cost[rows, slot], own[rows, slot] = -good[rows, columns], columns
    best = np.argsort(cost, axis=1, kind="stable")[:, :n]
    place = np.take_along_axis(own, best, axis=1)
    place[rare] = _best_whole(good[rare])[:, :n]
    return place


def leaders(score: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find at least the n best offers of each customer, quickly.

    Of the best of each of many groups of offers, the n-th best is a limit that n offers reach.

    Parameters
    ----------
    score : ndarray of float, shape (customers, offers)
        Minus infinity for offers that may not be listed.

    Returns
    -------
    rows, columns : ndarray of int, shape (pairs,)
        Customer and offer, row by row; an offer that may not be listed is in no pair.
    limit : ndarray of float, shape (customers,)
        All other offers are below it; minus infinity where there are none.
    """
    limit, sure = _reached(score, n)
    found = score >= limit[:, None]
    if (limit == -np.inf).any():
        found &= score > -np.inf
    rows, columns = np.divmod(np.flatnonzero(found), score.shape[1])
    return rows, columns, np.where(sure, limit, -np.inf)


def places(
    score: np.ndarray, allowed: np.ndarray, rows: np.ndarray, columns: np.ndarray, n: int
) -> np.ndarray:
    """Find where some allowed offers stand in the lists of the n best: shape (pairs,).

    Counted from zero; n for those that are not in the list. Of equal scores the earlier column is
    ahead.

    Parameters
    ----------
    score, allowed : ndarray, shape (customers, offers)
        As in `top`.
    rows, columns : ndarray of int, shape (pairs,)
        Customer and offer.
    """
    if not len(rows):
        return np.empty(0, dtype=np.int64)
    good = np.where(allowed, score, -np.inf)
    limit, _ = _reached(good, min(n, good.shape[1]))
    place = np.full(len(rows), n)
    near = np.flatnonzero(good[rows, columns] >= limit[rows])
    width = max(1, good.shape[1])
    for start in range(0, len(near), max(1, CELLS // width)):
        part = near[start : start + max(1, CELLS // width)]
        others, own = good[rows[part]], good[rows[part], columns[part]][:, None]
        ahead = np.count_nonzero(others > own, axis=1)
        equal = np.flatnonzero(np.count_nonzero(others == own, axis=1) > 1)
        before = np.arange(width) < columns[part[equal], None]
        ahead[equal] += np.count_nonzero((others[equal] == own[equal]) & before, axis=1)
        place[part] = np.minimum(ahead, n)
    return place


def _reached(score: np.ndarray, n: int) -> tuple[np.ndarray, bool]:
    """Find a limit that n offers of each customer reach, and whether all others are below it."""
    customers, offers = score.shape
    groups = min(GROUPS * n, offers)
    deep, rest = divmod(offers, groups)
    best = score[:, : deep * groups].reshape(customers, deep, groups).max(axis=1)
    np.maximum(best[:, :rest], score[:, deep * groups :], out=best[:, :rest])
    last = max(0, groups - n)
    return np.partition(best, last, axis=1)[:, last], groups > n


def spread(
    rows: np.ndarray, score: np.ndarray, category: np.ndarray, diversity: float, n: int
) -> np.ndarray:
    """Choose n of the best offers one by one, each losing for its category's earlier ones.

    A greedy maximal marginal relevance (Carbonell & Goldstein 1998) with category as likeness.

    Parameters
    ----------
    rows : ndarray of int, shape (pool,)
        Offers of one customer, best first.
    score : ndarray of float, shape (pool,)
        Their scores.
    category : ndarray of int, shape (offers,)
        Number of each offer's category; below zero where it has none.
    diversity : float
        Loss per earlier offer of the category, in the units of the score.
    """
    left = score.astype(np.float64)
    kind = category[rows]
    chosen: list[int] = []
    for _ in range(min(n, len(rows))):
        best = int(left.argmax())
        chosen.append(best)
        if kind[best] >= 0:
            left[kind == kind[best]] -= diversity
        left[best] = -np.inf
    return np.asarray(rows[chosen])
