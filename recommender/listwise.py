"""Listwise learning: which weights make the offers that were taken stand out of those on offer.

A conditional logit (McFadden 1974; ListNet's top-one likelihood, Cao et al. 2007): the chance that
a taken offer is the one taken is the softmax of the weighted features over the candidates. Of very
many candidates a sample does, drawn alike for all (McFadden 1978).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from recommender.sharing import share_out


@dataclass(frozen=True)
class Lists:
    """Lists of candidates with what was taken.

    Attributes
    ----------
    features : ndarray of float, shape (f, n, offers)
        Features of each candidate.
    share : ndarray of float, shape (n, c)
        How near each list is to each of c situations; a feature has a weight in every situation.
    taken : ndarray of float, shape (n, offers)
        One for offers taken.
    candidate : ndarray of bool, shape (n, offers)
        Offers that were on offer.
    weight : float
        How much each of these lists counts.
    """

    features: np.ndarray
    share: np.ndarray
    taken: np.ndarray
    candidate: np.ndarray
    weight: float = 1.0


def plain_lists(features: np.ndarray, taken: np.ndarray, candidate: np.ndarray) -> Lists:
    """Return lists all in one situation, so that each feature has a single weight."""
    return Lists(features, np.ones((len(taken), 1)), taken, candidate)


def fit_listwise(
    lists: list[Lists],
    prior: np.ndarray,
    strength: np.ndarray | float,
    most: np.ndarray | float = np.inf,
) -> np.ndarray:
    """Fit non-negative weights, held to a prior by a quadratic penalty.

    Parameters
    ----------
    lists : list of Lists
        May be empty: then the prior is returned.
    prior : ndarray of float, shape (f, c)
        Weights believed before any data.
    strength : ndarray of float that spreads to shape (f, c), or float
        Penalty on the squared distance from the prior, in taken offers.
    most : ndarray of float, shape (f, c), or float
        What no weight may exceed.

    Returns
    -------
    ndarray of float, shape (f, c)
    """
    lists = [_telling(part) for part in lists]
    if not any(len(part.taken) for part in lists):
        return prior.copy()
    # What nobody said anything of, such as purchases where there are none, stays at its prior.
    said = np.flatnonzero(np.any([part.features.any(axis=(1, 2)) for part in lists], axis=0))
    lists = [replace(part, features=part.features[said]) for part in lists]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight = flat.reshape(prior.shape)
        total = float((strength * (weight - prior) ** 2).sum()) / 2
        gradient = strength * (weight - prior)
        for surprise, slope in share_out(lambda part: _surprise(part, weight[said]), lists):
            total += surprise
            gradient[said] += slope
        return total, gradient.ravel()

    fitted = minimize(
        loss,
        np.maximum(prior, 0.0).ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, bound) for bound in np.broadcast_to(most, prior.shape).ravel()],
    )
    return np.asarray(fitted.x).reshape(prior.shape)


def _surprise(lists: Lists, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Return how unlikely what was taken is by weights, and the derivative: shape (f, c)."""
    score = np.einsum("fno,fn->no", lists.features, weight @ lists.share.T)
    score = np.where(lists.candidate, score, -np.inf)
    score -= score.max(axis=1, keepdims=True)
    chance = np.exp(score)
    norm = chance.sum(axis=1, keepdims=True)
    chance /= norm
    log_chance = np.where(lists.taken > 0, score - np.log(norm), 0.0)
    residual = lists.weight * (lists.taken.sum(axis=1, keepdims=True) * chance - lists.taken)
    return (
        -lists.weight * float((lists.taken * log_chance).sum()),
        np.einsum("no,fno->fn", residual, lists.features) @ lists.share,
    )


def _telling(lists: Lists) -> Lists:
    """Leave out lists of which nothing was taken."""
    rows = np.flatnonzero((lists.taken * lists.candidate).any(axis=1))
    return replace(
        lists,
        features=lists.features[:, rows],
        share=lists.share[rows],
        taken=lists.taken[rows],
        candidate=lists.candidate[rows],
    )
