"""Holding what a ridge tells of many offers to what their takers have in common.

Told offer by offer, whom each is for is off by chance, and each by another one. What offers share
is told by all of their takers: a few directions among them, the leading singular vectors of what
customers redeemed. Along each of these expectations are multiplied by what makes them err least
for customers left out, no more for a later direction than for an earlier one, and beside all of
them by one number; if that is better by more than chance (Breiman & Friedman 1997, "Predicting
multivariate responses in multiple linear regression").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.utils.extmath import randomized_svd

from recommender.fitting.excess import Excess
from recommender.fitting.penalties import SURE, Trial
from recommender.fitting.rates import Chances

AXES = 64
SAMPLE = 20_000  # customers who tell the axes
PASSES = 4


@dataclass(frozen=True)
class Shrinkage:
    """What remains of expectations: a share along each of r axes among offers, and beside them.

    Attributes
    ----------
    axes : ndarray of float, shape (offers, r)
        Orthonormal.
    share : ndarray of float, shape (r,)
    beside : float
    """

    axes: np.ndarray
    share: np.ndarray
    beside: float

    def of(self, told: np.ndarray) -> np.ndarray:
        """Shrink what is told of each offer: shape (n, offers)."""
        along = (told @ self.axes) * (self.share - self.beside)
        return np.asarray(self.beside * told + along @ self.axes.T)


def axes_of(chances: Chances, seed: int) -> np.ndarray:
    """Find the directions along which customers differ most: shape (offers, r)."""
    excess = Excess.of(chances)
    present = np.flatnonzero(chances.present)
    some = np.sort(np.random.default_rng(seed).permutation(present)[:SAMPLE])
    rows = excess.rows(some)
    size = min(AXES, *rows.shape)
    if not rows.nnz or size < 1:
        return np.zeros((rows.shape[1], 0))
    _, _, axes = randomized_svd(rows, size, n_iter=PASSES, random_state=seed)
    return np.asarray(axes.T)


def choose_shrinkage(trial: Trial, penalty: np.ndarray, axes: np.ndarray) -> Shrinkage:
    """Choose what remains along each axis by leaving customers out one by one.

    Parameters
    ----------
    trial : Trial
    penalty : ndarray of float, shape (columns,)
        Infinite where a column is left out.
    axes : ndarray of float, shape (offers of the trial, r)
        The leading one first.
    """
    axes, _ = np.linalg.qr(axes)
    came, told = _left_out(trial, penalty, axes)
    both, square = came.sum(axis=0), told.sum(axis=0)
    best = np.divide(both, square, out=np.zeros(len(both)), where=square > 0)
    shares = IsotonicRegression(y_min=0.0, y_max=1.0, increasing=False)
    share = shares.fit_transform(np.arange(len(best)), best, sample_weight=square + 1e-300)
    gain = told @ (1.0 - share**2) - 2.0 * came @ (1.0 - share)
    if not axes.shape[1] or gain.sum() <= SURE * np.sqrt((gain**2).sum()):
        share = np.ones(len(share))
    return Shrinkage(axes, share[:-1], float(share[-1]))


def _left_out(trial: Trial, penalty: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Foretell customers from all others, along each axis and, last, beside all of them.

    Without a customer's columns x, saying s, and redemptions y, K C becomes
    (K C x - x'K x y) / (1 - s x'K x) at x (Sherman & Morrison 1950).

    Returns
    -------
    came, told : ndarray of float, shape (customers, r + 1)
        What came times what was foretold, and the square of that times what the customer says.
    """
    solved, said = trial.solve(penalty), trial.said
    square, own = trial.parts[0], solved.own
    left = 1.0 - np.minimum(said * own, 0.99)
    y = np.asarray(trial.target @ axes) - trial.flat @ axes
    foretold = (solved.told.T @ (trial.cross @ axes) - own[:, None] * y) / left[:, None]
    all_came = (solved.product - own * square) / left
    all_told = (solved.outer - 2 * own * solved.product + own**2 * square) / left**2
    came, told = y * foretold, foretold**2
    came = np.column_stack([came, all_came - came.sum(axis=1)])
    told = np.column_stack([told, np.maximum(all_told - told.sum(axis=1), 0.0)])
    return came, said[:, None] * told
