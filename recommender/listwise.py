"""Listwise learning: which weights make the offers that were taken stand out of those on offer.

A conditional logit (McFadden 1974; ListNet's top-one likelihood, Cao et al. 2007): the chance that
a taken offer is the one taken is the softmax of the weighted features over the candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize


@dataclass(frozen=True)
class Lists:
    """Lists of candidates with what was taken.

    Attributes
    ----------
    features : ndarray of float, shape (n, offers, f)
        Features of each candidate.
    taken : ndarray of float, shape (n, offers)
        One for offers taken.
    candidate : ndarray of bool, shape (n, offers)
        Offers that were on offer.
    weight : float
        How much each of these lists counts.
    """

    features: np.ndarray
    taken: np.ndarray
    candidate: np.ndarray
    weight: float = 1.0


def fit_listwise(lists: list[Lists], prior: np.ndarray, strength: float) -> np.ndarray:
    """Fit non-negative weights, held to a prior by a quadratic penalty.

    Parameters
    ----------
    lists : list of Lists
        May be empty: then the prior is returned.
    prior : ndarray of float, shape (f,)
        Weights believed before any data.
    strength : float
        Penalty on the squared distance from the prior, in taken offers.

    Returns
    -------
    ndarray of float, shape (f,)
    """
    if not lists:
        return prior.copy()

    def loss(weight: np.ndarray) -> tuple[float, np.ndarray]:
        total = strength * float(((weight - prior) ** 2).sum()) / 2
        gradient = strength * (weight - prior)
        for part in lists:
            score = np.where(part.candidate, part.features @ weight, -np.inf)
            score -= score.max(axis=1, keepdims=True)
            chance = np.exp(score)
            norm = chance.sum(axis=1, keepdims=True)
            chance /= norm
            log_chance = np.where(part.taken > 0, score - np.log(norm), 0.0)
            total -= part.weight * float((part.taken * log_chance).sum())
            residual = part.taken.sum(axis=1, keepdims=True) * chance - part.taken
            gradient = gradient + part.weight * np.einsum("no,nof->f", residual, part.features)
        return total, gradient

    fitted = minimize(
        loss, np.maximum(prior, 0.0), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(prior)
    )
    return np.asarray(fitted.x)
