"""Doubt: intervals over customers; the paired test is in `recommender.learning.yardstick`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import stdtrit

from recommender.learning.yardstick import LEVEL, Difference, compare, percentiles, resamples

POWER = 0.8
Z = 1.959964  # of a 95 % interval
ROUNDING = 1e-12  # width of an interval below which nothing varies


@dataclass(frozen=True)
class Estimate:
    """A mean over n customers with its interval; all NaN where there is nobody."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Comparison(Difference):
    """A paired difference with how large it is and how small a one could have been seen.

    Attributes
    ----------
    ties : int
        Customers for whom both sides are equal; wins + losses + ties = n.
    effect_size : float
        Cohen's d_z: the mean of the paired differences in their standard deviations (Cohen 1988;
        Lakens 2013); about .2 is small, .5 medium, .8 large. NaN where it is not defined.
    detectable : float
        Minimum detectable effect: the true difference, in the metric's units, that a two-sided test
        at 5 % on as many customers finds four times in five (Bloom 1995). A difference that is not
        significant says little about effects smaller than this one.
    """

    ties: int
    effect_size: float
    detectable: float


def compare_paired(ours: np.ndarray, theirs: np.ndarray, seed: int = 0) -> Comparison:
    """Compare two vectors over the same customers, with effect size and detectable effect.

    Parameters
    ----------
    ours, theirs : ndarray of float, shape (n,)
        A metric per customer, in the same order.
    """
    found, gap = compare(ours, theirs, seed), ours - theirs
    effect = detectable = float("nan")
    if found.n > 1:
        spread = float(gap.std(ddof=1))
        steps = sum(float(stdtrit(found.n - 1, p)) for p in ((1 + LEVEL) / 2, POWER))
        detectable = steps * spread / np.sqrt(found.n)
        # Rounding leaves a trace of spread in differences that are all alike.
        varies = spread > 1e-12 * max(1.0, abs(found.value))
        effect = found.value / spread if varies else 0.0 if found.value == 0 else effect
    ties = found.n - found.wins - found.losses
    return Comparison(
        **asdict(found), ties=ties, effect_size=float(effect), detectable=float(detectable)
    )


def estimate_means(values: np.ndarray, seed: int = 0) -> list[Estimate]:
    """Bootstrap the means of several metrics over the same resampled customers.

    Parameters
    ----------
    values : ndarray of float, shape (n, metrics)
        Per-customer values.

    Returns
    -------
    list of Estimate
        With percentile intervals, one per metric; where a share is the same for everybody, with
        that of a share of n trials, as resampling what never varies says nothing.
    """
    n, width = values.shape
    if n == 0:
        return [Estimate(np.nan, np.nan, np.nan, 0)] * width
    means = np.vstack([weight @ values for weight in resamples(n, seed)])
    low, high = percentiles(means)
    found = []
    for mean, a, b, alike in zip(
        values.mean(axis=0), low, high, np.ptp(values, axis=0) == 0, strict=True
    ):
        if alike and 0.0 <= mean <= 1.0:
            a, b = wilson(float(mean), n)
        # Rounding in the weighted sums must not put a mean outside its own interval.
        found.append(Estimate(float(mean), float(min(a, mean)), float(max(b, mean)), n))
    return found


def estimate_ratio(numerator: np.ndarray, denominator: np.ndarray, seed: int = 0) -> Estimate:
    """Bootstrap a ratio of sums over customers, such as clicks ÷ impressions.

    Rows of one customer depend on each other: whole customers are resampled. Where the ratio of
    all is the same, that says nothing, and the interval is that of as many trials as customers.

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
    if high - low < ROUNDING and 0.0 <= value <= 1.0:
        low, high = wilson(value, float(np.count_nonzero(denominator)))
    return Estimate(value, min(low, value), max(high, value), int(total))


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of n independent trials (Wilson 1927).

    Unlike the normal approximation it stays within 0 and 1 and has a width where the share is 0 or
    1 (Brown, Cai & DasGupta 2001).

    Parameters
    ----------
    share : float
        Successes ÷ trials, from 0 to 1.
    n : float
        How many trials, above 0.
    """
    z2 = Z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
