"""What showing led to, pair by pair: what lists to choose from cannot tell.

Who is shown one offer at a time chooses among nothing; only that some took theirs and others did
not says what each term is worth. Every pair that was shown is a trial, its log-odds the weighted
terms and what the customer starts from (a binomial regression).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit

SPREAD = 0.5  # log-odds by which customers are believed to differ for each thing known about them


@dataclass(frozen=True)
class Tried:
    """Offers that customers were shown.

    Attributes
    ----------
    features : ndarray of float, shape (f, n, c)
        Features of each offer.
    share : ndarray of float, shape (n, s)
        How near each customer is to each of s situations; a feature has a weight in every one.
    about : ndarray of float, shape (n, a)
        What is known of each customer beside the features.
    shown : ndarray of float, shape (n, c)
        How often each offer was shown; zero where a customer was shown fewer.
    taken : ndarray of bool, shape (n, c)
        Whether it was taken.
    weight : float
        How much each of these customers counts.
    stranger : ndarray of float, shape (n,), or float
        How far each of them is a stranger (see `recommender.features.corners`).
    """

    features: np.ndarray
    share: np.ndarray
    about: np.ndarray
    shown: np.ndarray
    taken: np.ndarray
    weight: float = 1.0
    stranger: np.ndarray | float = 0.0

    def score(self, weight: np.ndarray) -> np.ndarray:
        """Sum up the features by weights, shape (f, s): shape (n, c)."""
        return np.asarray(np.einsum("fno,fn->no", self.features, weight @ self.share.T))

    def surprise(
        self, weight: np.ndarray, start: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Return how unlikely what came of it is, and the derivatives by weights and starts.

        Parameters
        ----------
        weight : ndarray of float, shape (f, s)
        start : ndarray of float, shape (1 + a,)
            What everybody starts from, and what is added for what is known of them.
        """
        begin = start[0] + self.about @ start[1:]
        value, residual = surprise(self.score(weight) + begin[:, None], self.shown, self.taken)
        residual *= self.weight
        own = residual.sum(axis=1)
        return (
            self.weight * value,
            np.einsum("no,fno->fn", residual, self.features) @ self.share,
            np.r_[own.sum(), own @ self.about],
        )


def surprise(logit: np.ndarray, shown: np.ndarray, taken: np.ndarray) -> tuple[float, np.ndarray]:
    """Return how unlikely outcomes are by their log-odds, and the derivative by these.

    A pair shown n times of which k led to a redemption is k successes and n - k failures: the way
    conversion is counted.
    """
    hit = taken.astype(np.float64)
    miss = np.maximum(shown - hit, 0.0)
    value = -float((hit * log_expit(logit) + miss * log_expit(-logit)).sum())
    return value, (hit + miss) * expit(logit) - hit


def first_guess(shown: float, taken: float) -> float:
    """Return the log-odds of everybody."""
    return float(np.log(max(taken, 0.5) / max(shown - taken, 1.0)))
