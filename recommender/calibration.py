"""From relative scores to the probability of a redemption if shown (Platt 1999)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from recommender.pointwise import SPREAD, first_guess, surprise

FEWEST_TAKEN = 30


@dataclass(frozen=True)
class Trials:
    """Pairs that were shown, their scores, how often they were shown, and whether they were taken.

    Attributes
    ----------
    score : ndarray of float, shape (pairs,)
    shown : ndarray of float, shape (pairs,)
    taken : ndarray of bool, shape (pairs,)
    about : ndarray of float, shape (pairs, columns)
        What is known of the customer beside the score.
    """

    score: np.ndarray
    shown: np.ndarray
    taken: np.ndarray
    about: np.ndarray


@dataclass(frozen=True)
class Calibration:
    """Log-odds of a redemption per showing: intercept + slope · score + about · what is known.

    Attributes
    ----------
    slope, intercept : float
    about : ndarray of float, shape (columns,)
    calibrated : bool
        Whether they were fitted.
    """

    slope: float
    intercept: float
    about: np.ndarray
    calibrated: bool


def fit_calibration(trials: list[Trials]) -> Calibration:
    """Fit the log-odds of a redemption per showing.

    Weights of what is known of customers are held to zero by a normal prior of standard deviation
    `SPREAD`.

    Returns
    -------
    Calibration
        Slope 1 and all else 0 where too little was taken, or a higher score does not mean more
        redemptions.
    """
    nothing = Calibration(1.0, 0.0, np.zeros(trials[0].about.shape[1] if trials else 0), False)
    if sum(int(part.taken.sum()) for part in trials) < FEWEST_TAKEN:
        return nothing
    columns = [
        np.column_stack([part.score, np.ones(len(part.score)), part.about]) for part in trials
    ]
    x = np.concatenate(columns)
    taken = np.concatenate([part.taken for part in trials])
    shown = np.concatenate([part.shown for part in trials])
    penalty = np.r_[0.0, 0.0, np.full(x.shape[1] - 2, 1 / SPREAD**2)]

    def loss(weight: np.ndarray) -> tuple[float, np.ndarray]:
        value, residual = surprise(x @ weight, shown, taken)
        return float(value + penalty @ weight**2 / 2), x.T @ residual + penalty * weight

    start = np.zeros(x.shape[1])
    start[:2] = 1.0, first_guess(shown.sum(), taken.sum())
    slope, intercept, *about = minimize(loss, start, jac=True, method="BFGS").x
    if not slope > 0:
        return nothing
    return Calibration(float(slope), float(intercept), np.array(about), True)
