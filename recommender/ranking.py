"""From scores to lists: the best allowed offers, their order settled to the last tie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GROUPS = 8  # groups of offers for every offer wanted of their best ones


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


def top(score: np.ndarray, allowed: np.ndarray, n: int, order: np.ndarray) -> np.ndarray:
    """Find the best offers of each customer.

    Parameters
    ----------
    score : ndarray of float, shape (customers, offers)
    allowed : ndarray of bool, shape (customers, offers)
        Offers that may be listed.
    n : int
        Length of a list.
    order : ndarray of int, shape (offers,)
        All offers in the order that settles equal scores: by popularity, then by id.

    Returns
    -------
    ndarray of int, shape (customers, at most n)
        Best first; what is not allowed stands behind all that is.
    """
    cost = np.where(allowed, -score, np.inf)[:, order]
    width = cost.shape[1]
    if n >= width:
        return np.asarray(order[np.argsort(cost, axis=1, kind="stable")])
    place = np.argpartition(cost, n - 1, axis=1)[:, :n]
    worst = np.take_along_axis(cost, place, axis=1).max(axis=1)
    # A tie across the end of the list is settled by the whole row; there is hardly ever one.
    tied = np.flatnonzero((cost <= worst[:, None]).sum(axis=1) > n)
    place[tied] = np.argsort(cost[tied], axis=1, kind="stable")[:, :n]
    place.sort(axis=1)
    best = np.argsort(np.take_along_axis(cost, place, axis=1), axis=1, kind="stable")
    return np.asarray(order[np.take_along_axis(place, best, axis=1)])


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
    customers, offers = score.shape
    groups = min(GROUPS * n, offers)
    deep, rest = divmod(offers, groups)
    best = score[:, : deep * groups].reshape(customers, deep, groups).max(axis=1)
    np.maximum(best[:, :rest], score[:, deep * groups :], out=best[:, :rest])
    last = max(0, groups - n)
    limit = np.partition(best, last, axis=1)[:, last]
    found = score >= limit[:, None]
    if not np.isfinite(limit).all():
        found &= np.isfinite(score)
    rows, columns = np.divmod(np.flatnonzero(found), offers)
    return rows, columns, np.where(groups > n, limit, -np.inf)


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
