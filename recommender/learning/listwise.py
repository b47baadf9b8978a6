"""Listwise learning: which weights make the offers that were taken stand out of those on offer.

A conditional logit (McFadden 1974; ListNet's top-one likelihood, Cao et al. 2007): the chance that
a taken offer is the one taken is the softmax of the weighted features over the candidates. Of very
many candidates a sample does, drawn alike for all (McFadden 1978). An offer may have an appeal of
its own, held to zero (a mixed logit: Train 2009, chapter 6), so that what a few offers owe to
themselves is not put down to their features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from recommender.learning.pointwise import SPREAD, Tried, first_guess
from recommender.learning.sharing import share_out

OWN = 0.3  # standard deviation of an offer's own appeal, on the log-odds scale
PRECISE = 1e-6  # of how unlikely everything was, by which a step must still improve


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
    own : ndarray of int, shape (n, offers), or None
        The number of the appeal of its own that each offer has; the same in other lists as well.
    """

    features: np.ndarray
    share: np.ndarray
    taken: np.ndarray
    candidate: np.ndarray
    weight: float = 1.0
    own: np.ndarray | None = None


def plain_lists(features: np.ndarray, taken: np.ndarray, candidate: np.ndarray) -> Lists:
    """Return lists all in one situation, so that each feature has a single weight."""
    return Lists(features, np.ones((len(taken), 1)), taken, candidate)


def fit_listwise(
    lists: list[Lists],
    prior: np.ndarray,
    strength: np.ndarray | float,
    most: np.ndarray | float = np.inf,
    tried: Sequence[Tried] = (),
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
    tried : sequence of Tried
        What was shown tells as well, of the same features and situations.

    Returns
    -------
    ndarray of float, shape (f, c)
    """
    lists = [part for part in map(_telling, lists) if len(part.taken)]
    if not lists:
        return prior.copy()
    # What nobody said anything of, such as purchases where there are none, stays at its prior.
    told = [part.features for part in lists] + [part.features for part in tried]
    said = np.flatnonzero(np.any([features.any(axis=(1, 2)) for features in told], axis=0))
    lists = [replace(part, features=part.features[said]) for part in lists]
    tried = [replace(part, features=part.features[said]) for part in tried]

    owned = [part.own for part in lists if part.own is not None and part.own.size]
    appeals = 1 + max((int(own.max()) for own in owned), default=-1)

    start = _first_start(tried)
    held = np.where(np.arange(len(start)) > 0, 1 / SPREAD**2, 0.0)  # all but what is everybody's

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight, appeal, begin = np.split(flat, np.cumsum([prior.size, appeals]))
        weight = weight.reshape(prior.shape)
        penalties = strength * (weight - prior) ** 2, (appeal / OWN) ** 2, held * begin**2
        total = sum(float(part.sum()) for part in penalties) / 2
        gradient, pull, push = strength * (weight - prior), appeal / OWN**2, held * begin
        for found in share_out(lambda part: _surprise(part, weight[said], appeal), lists):
            total += found[0]
            gradient[said] += found[1]
            pull += found[2]
        for found in share_out(lambda part: part.surprise(weight[said], begin), tried):
            total += found[0]
            gradient[said] += found[1]
            push += found[2]
        return total, np.concatenate([gradient.ravel(), pull, push])

    bounds = [(0.0, bound) for bound in np.broadcast_to(most, prior.shape).ravel()]
    fitted = minimize(
        loss,
        np.concatenate([np.maximum(prior, 0.0).ravel(), np.zeros(appeals), start]),
        jac=True,
        method="L-BFGS-B",
        options={"ftol": PRECISE},
        bounds=[*bounds, *[(None, None)] * (appeals + len(start))],
    )
    return np.asarray(fitted.x[: prior.size]).reshape(prior.shape)


def _first_start(tried: Sequence[Tried]) -> np.ndarray:
    """Return what customers start from before any weight is fitted: shape (1 + a,), if any."""
    if not tried:
        return np.empty(0)
    start = np.zeros(1 + tried[0].about.shape[1])
    shown = sum(float(part.shown.sum()) for part in tried)
    taken = sum(float(part.taken.sum()) for part in tried)
    start[0] = first_guess(shown, taken)
    return start


def _surprise(
    lists: Lists, weight: np.ndarray, appeal: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return how unlikely what was taken is, and the derivatives: shapes (f, c) and (appeals,)."""
    score = np.einsum("fno,fn->no", lists.features, weight @ lists.share.T)
    if lists.own is not None:
        score += appeal[lists.own]
    score = np.where(lists.candidate, score, -np.inf)
    score -= score.max(axis=1, keepdims=True)
    chance = np.exp(score)
    norm = chance.sum(axis=1, keepdims=True)
    chance /= norm
    log_chance = np.where(lists.taken > 0, score - np.log(norm), 0.0)
    residual = lists.weight * (lists.taken.sum(axis=1, keepdims=True) * chance - lists.taken)
    pull = np.zeros(len(appeal))
    if lists.own is not None:
        pull += np.bincount(lists.own.ravel(), residual.ravel(), len(appeal))
    return (
        -lists.weight * float((lists.taken * log_chance).sum()),
        np.einsum("no,fno->fn", residual, lists.features) @ lists.share,
        pull,
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
        own=None if lists.own is None else lists.own[rows],
    )
