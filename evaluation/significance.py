"""Doubt: intervals over customers; the paired test is in `recommender.yardstick`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.yardstick import percentiles, resamples


@dataclass(frozen=True)
class Estimate:
    """A mean over n customers with its interval; all NaN where there is nobody."""

    value: float
    low: float
    high: float
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
    means = np.vstack([weight @ values for weight in resamples(n, seed)])
    low, high = percentiles(means)
    return [
        # Rounding in the weighted sums must not put a mean outside its own interval.
        Estimate(float(mean), float(min(a, mean)), float(max(b, mean)), n)
        for mean, a, b in zip(values.mean(axis=0), low, high, strict=True)
    ]


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
    sums = np.vstack([weight @ both for weight in resamples(n, seed)])
    ratio = sums[:, :1] / np.maximum(sums[:, 1:], 1e-12)
    value = float(numerator.sum() / total)
    low, high = (float(end[0]) for end in percentiles(ratio))
    if value in (0.0, 1.0):
        low, high = _wilson(value, total)  # resampling what never varies says nothing
    return Estimate(value, min(low, value), max(high, value), int(total))


def _wilson(share: float, n: float) -> tuple[float, float]:
    z2 = 1.959964**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
