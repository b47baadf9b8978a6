"""The yardstick of the gate: NDCG of score matrices, and the paired test.

What a release is judged by is what `evaluation` reports: tests hold the dense NDCG against
`evaluation.metrics`, and `evaluation` takes its paired test from here
(Smucker, Allan & Carterette 2007).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recommender.serving.ranking import places

RESAMPLES = 1000
LEVEL = 0.95
BLOCK = 100  # resamples held in memory at once


@dataclass(frozen=True)
class Difference:
    """A paired difference of means, its interval, and the chance of one as large by chance."""

    value: float
    low: float
    high: float
    p_value: float
    wins: int
    losses: int
    n: int


def ndcg(score: np.ndarray, taken: np.ndarray, candidate: np.ndarray, k: int = 10) -> np.ndarray:
    """Compute NDCG of the best k candidates of each customer.

    Parameters
    ----------
    score : ndarray of float, shape (n, offers)
        Finite; of equal scores the earlier column ranks first.
    taken : ndarray of bool, shape (n, offers)
        What is relevant; counted among the relevant where it is no candidate as well.
    candidate : ndarray of bool, shape (n, offers)
        What may be listed.
    k : int
        Length of a list.

    Returns
    -------
    ndarray of float, shape (n,)
        Zero for a customer of whom nothing is relevant.
    """
    rows, columns = (taken & candidate).nonzero()
    place = places(score, candidate, rows, columns, k)
    hit = np.zeros((len(score), k), dtype=bool)
    hit[rows[place < k], place[place < k]] = True
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    reachable = np.minimum(taken.sum(axis=1), k)
    ideal = np.concatenate([[1.0], discount.cumsum()])[reachable]
    return np.asarray((hit * discount).sum(axis=1) / ideal)


def compare(
    ours: np.ndarray, theirs: np.ndarray, seed: int = 0, flips: int = RESAMPLES
) -> Difference:
    """Compare two vectors over the same customers.

    The interval is a bootstrap's; the p-value a randomisation test's that flips signs of
    differences, two-sided, counting the observed one. It is no smaller than one of `flips`, a
    multiple of `BLOCK`.
    """
    gap = ours - theirs
    n = len(gap)
    if n == 0:
        return Difference(np.nan, np.nan, np.nan, np.nan, 0, 0, 0)
    means = np.concatenate([weight @ gap for weight in resamples(n, seed)])
    low, high = percentiles(means[:, None])
    random = np.random.default_rng(seed)
    as_large = 1
    for _ in range(flips // BLOCK):
        flipped = (random.integers(0, 2, (BLOCK, n)) * 2 - 1) @ gap / n
        as_large += int((np.abs(flipped) >= abs(gap.mean()) - 1e-12).sum())
    return Difference(
        value=float(gap.mean()),
        low=float(low[0]),
        high=float(high[0]),
        p_value=as_large / (flips + 1),
        wins=int((gap > 0).sum()),
        losses=int((gap < 0).sum()),
        n=n,
    )


def resamples(n: int, seed: int) -> Iterator[np.ndarray]:
    """Yield blocks of weights that customers have in resamples: shape (BLOCK, n), rows sum to 1."""
    random = np.random.default_rng(seed)
    share = np.full(n, 1.0 / n)
    for _ in range(RESAMPLES // BLOCK):
        yield random.multinomial(n, share, size=BLOCK) / n


def percentiles(resampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of the interval of each column: shapes (width,)."""
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(resampled, [tail, 100 - tail], axis=0)
    return np.atleast_1d(low), np.atleast_1d(high)
