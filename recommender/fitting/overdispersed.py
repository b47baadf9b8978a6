"""What columns that overlap add to the logs of counts: a negative binomial regression."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

ROUNDS = 25
STEP = 2.0  # log-odds that a linear predictor may move in a round
PRECISE = 1e-6
SPREAD = 0.3  # standard deviation of effects believed before any data


def fit_effects(
    columns: sp.csr_matrix,
    events: np.ndarray,
    usual: np.ndarray,
    strength: float,
    spread: np.ndarray | float = SPREAD,
) -> np.ndarray:
    """Fit events ~ usual · exp(level + columns @ effect), rows differing by more than chance.

    Iteratively reweighted least squares with a normal prior on effects (McCullagh & Nelder 1989,
    chapter 2; Hilbe 2011, chapter 8). Columns are taken from their mean, so that the level is free.

    Parameters
    ----------
    columns : csr_matrix, shape (n, m)
    events, usual : ndarray of float, shape (n,)
        What was counted, and what would be expected without effects.
    strength : float
        Shape of the gamma distribution by which rows differ for reasons of their own.
    spread : ndarray of float, shape (m,), or float
        Standard deviation of the effects believed before any data.

    Returns
    -------
    ndarray of float, shape (m,)
    """
    there = np.flatnonzero(usual > 0)
    effect = np.zeros(columns.shape[1])
    if not len(there) or not len(effect) or not events[there].any():
        return effect
    x, y = sp.csr_matrix(columns[there]), events[there]
    offset = np.log(usual[there]) + np.log(y.sum() / usual[there].sum())
    linear = np.zeros(len(there))
    penalty = np.diag(np.broadcast_to(spread, effect.shape) ** -2.0)
    for _ in range(ROUNDS):
        mean = np.exp(offset + linear)
        weight = mean / (1.0 + mean / strength)
        target = linear + (y - mean) / mean
        total, level = weight.sum(), np.average(target, weights=weight)
        centre = np.asarray(weight @ x).ravel() / total
        gram = (x.T @ sp.diags_array(weight) @ x).toarray() - total * np.outer(centre, centre)
        pull = x.T @ (weight * (target - level))
        effect = np.linalg.solve(gram + penalty, pull)
        moved = x @ effect - centre @ effect + level - linear
        linear += np.clip(moved, -STEP, STEP)
        if np.abs(moved).max() < PRECISE:
            break
    return effect
