"""From relative scores to the probability of a redemption if shown (Platt 1999)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit

FEWEST_TAKEN = 30


@dataclass(frozen=True)
class Trials:
    """Pairs that were shown, their scores, how often they were shown, and whether they were taken.

    Attributes
    ----------
    score : ndarray of float, shape (pairs,)
    shown : ndarray of float, shape (pairs,)
    taken : ndarray of bool, shape (pairs,)
    weight : float
        How much each pair counts.
    """

    score: np.ndarray
    shown: np.ndarray
    taken: np.ndarray
    weight: float = 1.0


def fit_calibration(trials: list[Trials]) -> tuple[float, float, bool]:
    """Fit the log-odds of a redemption per showing as intercept + slope · score.

    A pair shown n times and taken is one success, credited to one showing, and n - 1 failures: the
    way conversion is counted.

    Returns
    -------
    slope, intercept : float
        1 and 0 where too little was taken, or a higher score does not mean more redemptions.
    calibrated : bool
        Whether they were fitted.
    """
    if sum(int(part.taken.sum()) for part in trials) < FEWEST_TAKEN:
        return 1.0, 0.0, False
    score = np.concatenate([part.score for part in trials])
    hit = np.concatenate([part.weight * part.taken for part in trials])
    miss = np.concatenate(
        [part.weight * np.maximum(part.shown - part.taken, 0.0) for part in trials]
    )

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope, intercept = parameters
        logit = slope * score + intercept
        value = -(hit * log_expit(logit) + miss * log_expit(-logit)).sum()
        residual = (hit + miss) * expit(logit) - hit
        return float(value), np.array([(residual * score).sum(), residual.sum()])

    start = np.array([1.0, np.log(hit.sum() / max(miss.sum(), 1.0))])
    slope, intercept = minimize(loss, start, jac=True, method="BFGS").x
    if not slope > 0:
        return 1.0, 0.0, False
    return float(slope), float(intercept), True
