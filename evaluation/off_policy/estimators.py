"""Estimates of what another policy would have achieved, from plain arrays of logged decisions.

One row is one decision: an offer shown at a place. Its weight is how much likelier the other policy
is to have shown it there. Four estimators, in the notation of Dudik, Erhan, Langford and Li (2014,
"Doubly robust policy evaluation and optimization"): inverse propensity (Horvitz and Thompson,
1952), its self-normalised form (Swaminathan and Joachims, 2015), the direct method and doubly
robust. Whether the weights can carry an estimate at all, `evaluation.off_policy.overlap` judges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evaluation.off_policy.weights import PolicyEstimate, clustered_error, weights_of, with_interval

# What a weight is cut to, from hardly any weighting to none cut: each step about doubles it.
CLIPS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0, np.inf)


@dataclass(frozen=True)
class Clipped:
    """What an estimate becomes when no weight may exceed a level."""

    level: float
    estimate: PolicyEstimate


def inverse_propensity(
    reward: np.ndarray,
    propensity: np.ndarray,
    target: np.ndarray,
    customer: np.ndarray | None = None,
    *,
    clip: float = np.inf,
) -> PolicyEstimate:
    """Weigh each answer by how much likelier the other policy is to get it; unbiased unclipped.

    Parameters
    ----------
    reward : ndarray of float, shape (n,)
        What came of each row: 1 for a click, say.
    propensity : ndarray of float, shape (n,)
        Chance with which the logging policy showed this offer at this place; above 0, at most 1.
    target : ndarray of float, shape (n,)
        Chance with which the other policy would have.
    customer : ndarray, shape (n,), optional
        Whose row it is. Rows of one customer depend on each other: the standard error is that of
        other customers being drawn. Without it, rows are independent.
    clip : float
        Largest weight; a larger one is cut to it, which lowers variance and biases.

    Raises
    ------
    ValueError
        There is no row, a value is missing, or a propensity is not above 0 and at most 1.
    """
    weight = weights_of(propensity, target, clip)
    return _estimate(weight * _finite(reward, weight), weight, customer)


def self_normalised(
    reward: np.ndarray,
    propensity: np.ndarray,
    target: np.ndarray,
    customer: np.ndarray | None = None,
    *,
    clip: float = np.inf,
) -> PolicyEstimate:
    """Divide by the weights' mean instead of their expectation: a little bias, less variance.

    Parameters and errors as of `inverse_propensity`. The standard error is the delta method's; all
    is NaN where the other policy would have shown nothing of what was logged.
    """
    weight = weights_of(propensity, target, clip)
    mean = float(weight.mean())
    if mean == 0:
        return with_interval(np.nan, np.nan, weight)
    reward = _finite(reward, weight)
    value = float((weight * reward).mean() / mean)
    error, skewness = clustered_error(weight * (reward - value) / mean, customer)
    return with_interval(value, error, weight, skewness)


def direct_method(expected: np.ndarray, customer: np.ndarray | None = None) -> PolicyEstimate:
    """Average what a reward model expects of the other policy.

    Nothing is weighted, so every row counts. The interval takes the model for the truth: it says
    nothing of the model's own error, which can be the larger part.

    Parameters
    ----------
    expected : ndarray of float, shape (n,)
        Sum over offers of the other policy's chance times the model's reward, q(x, a).
    customer : ndarray, shape (n,), optional
        As of `inverse_propensity`.
    """
    ones = np.ones(len(expected))
    return _estimate(_finite(expected, ones), ones, customer)


def doubly_robust(
    reward: np.ndarray,
    propensity: np.ndarray,
    target: np.ndarray,
    predicted: np.ndarray,
    expected: np.ndarray,
    customer: np.ndarray | None = None,
    *,
    clip: float = np.inf,
) -> PolicyEstimate:
    """Correct the direct method by the weighted errors of its reward model.

    Unbiased where the propensities are right, whatever the model, so long as the model was not
    learnt from these rows; the better the model, the narrower.

    Parameters
    ----------
    reward, propensity, target, customer, clip
        As of `inverse_propensity`.
    predicted : ndarray of float, shape (n,)
        The model's reward of what was shown, q(x, a).
    expected : ndarray of float, shape (n,)
        As of `direct_method`.
    """
    weight = weights_of(propensity, target, clip)
    missed = _finite(reward, weight) - _finite(predicted, weight)
    return _estimate(_finite(expected, weight) + weight * missed, weight, customer)


def gain_over_logged(
    reward: np.ndarray,
    propensity: np.ndarray,
    target: np.ndarray,
    predicted: np.ndarray,
    expected: np.ndarray,
    customer: np.ndarray | None = None,
) -> PolicyEstimate:
    """Estimate, doubly robust, how much more the other policy achieves than the logged one.

    Both are taken on the same rows, so that what customers have in common falls out of the doubt.
    Parameters as of `doubly_robust`.
    """
    weight = weights_of(propensity, target)
    reward = _finite(reward, weight)
    part = _finite(expected, weight) + weight * (reward - _finite(predicted, weight))
    return _estimate(part - reward, weight, customer)


def clipping_curve(
    estimate: Callable[[float], PolicyEstimate], levels: tuple[float, ...] = CLIPS
) -> tuple[Clipped, ...]:
    """Repeat an estimate with its weights clipped ever less; where it still moves, few rows rule.

    Parameters
    ----------
    estimate : callable
        An estimate at a clipping level.
    levels : tuple of float
        Rising; levels above the largest weight are left out, all but the last.
    """
    largest = estimate(np.inf).largest_weight
    kept = [level for level in levels[:-1] if level < largest]
    return tuple(Clipped(level, estimate(level)) for level in (*kept, levels[-1]))


def _estimate(part: np.ndarray, weight: np.ndarray, customer: np.ndarray | None) -> PolicyEstimate:
    value = float(part.mean())
    error, skewness = clustered_error(part - value, customer)
    return with_interval(value, error, weight, skewness)


def _finite(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    if values.shape != like.shape or not np.isfinite(values).all():
        raise ValueError("Every row needs its reward, and what the model says of it, as a number.")
    return np.asarray(values, dtype=np.float64)
