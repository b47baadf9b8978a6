"""Doubt: intervals over customers and paired tests (Smucker, Allan & Carterette 2007)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
BLOCK = 100  # resamples held in memory at once


@dataclass(frozen=True)
class Estimate:
    """A mean over n customers with its interval; all NaN where there is nobody."""

    value: float
    low: float
    high: float
    n: int


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


def estimate_means(values: np.ndarray, seed: int = 0) -> list[Estimate]:
    """Bootstrap the means of several metrics over the same resampled customers.

    Parameters
    ----------
    values : ndarray of float, shape (n, metrics)
        Per-customer values.

    Returns
    -------
    list of Estimate
        With percentile intervals, one per metric.
    """
    n, width = values.shape
    if n == 0:
        return [Estimate(np.nan, np.nan, np.nan, 0)] * width
    means = np.vstack([weight @ values for weight in _resamples(n, seed)])
    low, high = _interval(means)
    return [
        # Rounding in the weighted sums must not put a mean outside its own interval.
        Estimate(float(mean), float(min(a, mean)), float(max(b, mean)), n)
        for mean, a, b in zip(values.mean(axis=0), low, high, strict=True)
    ]


def compare(ours: np.ndarray, theirs: np.ndarray, seed: int = 0) -> Difference:
    """Compare two vectors over the same customers.

    The interval is a bootstrap's; the p-value a randomisation test's that flips signs of
    differences, two-sided, counting the observed one.
    """
    gap = ours - theirs
    n = len(gap)
    if n == 0:
        return Difference(np.nan, np.nan, np.nan, np.nan, 0, 0, 0)
    means = np.concatenate([weight @ gap for weight in _resamples(n, seed)])
    low, high = _interval(means[:, None])
    random = np.random.default_rng(seed)
    as_large = 1
    for _ in range(RESAMPLES // BLOCK):
        flipped = (random.integers(0, 2, (BLOCK, n)) * 2 - 1) @ gap / n
        as_large += int((np.abs(flipped) >= abs(gap.mean()) - 1e-12).sum())
    return Difference(
        value=float(gap.mean()),
        low=float(low[0]),
        high=float(high[0]),
        p_value=as_large / (RESAMPLES + 1),
        wins=int((gap > 0).sum()),
        losses=int((gap < 0).sum()),
        n=n,
    )


def estimate_ratio(numerator: np.ndarray, denominator: np.ndarray, seed: int = 0) -> Estimate:
    """Bootstrap a ratio of sums over customers, such as clicks ÷ impressions.

    Rows of one customer depend on each other: whole customers are resampled.

    Parameters
    ----------
    numerator, denominator : ndarray of float, shape (n,)
        Counts per customer.
    """
    n, total = len(numerator), float(denominator.sum())
    if n == 0 or total == 0:
        return Estimate(np.nan, np.nan, np.nan, 0)
    both = np.column_stack([numerator, denominator]).astype(np.float64)
    sums = np.vstack([weight @ both for weight in _resamples(n, seed)])
    ratio = sums[:, :1] / np.maximum(sums[:, 1:], 1e-12)
    value = float(numerator.sum() / total)
    low, high = (float(end[0]) for end in _interval(ratio))
    if value in (0.0, 1.0):
        low, high = _wilson(value, total)  # resampling what never varies says nothing
    return Estimate(value, min(low, value), max(high, value), int(total))


def _wilson(share: float, n: float) -> tuple[float, float]:
    z2 = 1.959964**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _resamples(n: int, seed: int) -> Iterator[np.ndarray]:
    """Yield blocks of weights that customers have in resamples: shape (BLOCK, n), rows sum to 1."""
    random = np.random.default_rng(seed)
    share = np.full(n, 1.0 / n)
    for _ in range(RESAMPLES // BLOCK):
        yield random.multinomial(n, share, size=BLOCK) / n


def _interval(resampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(resampled, [tail, 100 - tail], axis=0)
    return np.atleast_1d(low), np.atleast_1d(high)
