"""What weighted rows are worth: weights, their effective size, errors and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.significance import Z


@dataclass(frozen=True)
class PolicyEstimate:
    """An estimate per shown position, with how far it can be trusted.

    Attributes
    ----------
    value, standard_error : float
        Of the mean answer per shown position, for the customers and visits that were logged.
    low, high : float
        Ends of the 95 % interval.
    effective_sample_size : float
        Shown positions that the weighted ones are worth (Kish, 1965).
    largest_weight : float
    n : int
        Shown positions.
    """

    value: float
    standard_error: float
    low: float
    high: float
    effective_sample_size: float
    largest_weight: float
    n: int


def weights_of(propensity: np.ndarray, target: np.ndarray, clip: float = np.inf) -> np.ndarray:
    """Divide the chances of both policies: shape (n,).

    Raises
    ------
    ValueError
        There is no row, a propensity is not above 0 and at most 1, or a chance is none.
    """
    if not len(propensity) or not ((propensity > 0) & (propensity <= 1)).all():
        raise ValueError("Every row needs a propensity above 0 and at most 1, and one is needed.")
    # Rounding in sums of chances may end a little above one.
    if target.shape != propensity.shape or not ((target >= 0) & (target <= 1 + 1e-6)).all():
        raise ValueError("Every row needs the other policy's chance, from 0 to 1.")
    return np.asarray(np.minimum(target / propensity, clip), dtype=np.float64)


def effective_size(weight: np.ndarray) -> float:
    """Compute how many equally weighted rows the weighted ones are worth (Kish, 1965)."""
    scale = float(np.abs(weight).max(initial=0.0))
    if scale == 0:
        return 0.0
    share = weight / scale  # squares of tiny weights must not vanish
    return float(share.sum() ** 2 / (share**2).sum())


def clustered_error(gap: np.ndarray, customer: np.ndarray | None) -> tuple[float, float]:
    """Compute the standard error and the skewness of a mean of rows from its linearised parts.

    Parameters
    ----------
    gap : ndarray of float, shape (n,)
        What each row adds to the error; they sum to nearly zero.
    customer : ndarray, shape (n,), or None
        Rows of one are summed first; customers are independent.

    Returns
    -------
    error, skewness : float
        NaN where there is one customer only. The skewness is that of the mean, which falls with the
        number of customers.
    """
    sums = gap
    if customer is not None:
        sums = np.bincount(np.unique(customer, return_inverse=True)[1], weights=gap)
    groups = len(sums)
    if groups < 2:
        return float("nan"), float("nan")
    centred = sums - sums.mean()
    squares = float((centred**2).sum())
    error = float(np.sqrt(squares * groups / (groups - 1)) / len(gap))
    return error, float((centred**3).sum() / squares**1.5) if squares > 0 else 0.0


def with_interval(
    value: float, error: float, weight: np.ndarray, skewness: float = 0.0
) -> PolicyEstimate:
    """Put the 95 % interval around a value, and beside it what its weights are worth.

    Weighted answers are skewed: where heavy rows were not answered by chance, value and standard
    error are both too small, and the normal interval ends below the truth too often. Hall's (1992,
    "On the removal of skewness by transformation") is longer towards the tail, by what the
    skewness asks for.
    """
    low, high = (value - error * _unskewed(end, skewness) for end in (Z, -Z))
    return PolicyEstimate(
        value=value,
        standard_error=error,
        low=low,
        high=high,
        effective_sample_size=effective_size(weight),
        largest_weight=float(weight.max()),
        n=len(weight),
    )


def _unskewed(end: float, skewness: float) -> float:
    """Return where a skewed mean's standardised error ends, given where a normal one's does."""
    if abs(skewness) < 1e-6:
        return end
    cube = 1 + skewness * (end - skewness / 6)
    return float(3 / skewness * (np.cbrt(cube) - 1))
