"""Lists by one source alone, or by chance: what the hybrid is compared with."""

from __future__ import annotations

import numpy as np

from recommender.base import RANDOM, Query, Source
from recommender.model import Recommender
from recommender.serving.lists import Ranked, Wish
from recommender.serving.ranking import top


def lists_of_one(
    model: Recommender,
    order: np.ndarray,
    query: Query,
    allowed: np.ndarray,
    wish: Wish,
    random: np.random.Generator,
) -> Ranked:
    """Make the lists of some customers by the policy wished for, which is not the hybrid.

    It takes the memory of about eight tables of these customers by all offers.

    Parameters
    ----------
    order : ndarray of int, shape (offers,)
        All offers in the order that settles equal scores.
    allowed : ndarray of bool, shape (n, offers)
        What may be listed.
    random : Generator
        For the policy of that name.
    """
    score, source = _scored(model, query, wish.policy, random)
    rows, people = top(score, allowed, wish.n, order), np.arange(len(query))[:, None]
    return Ranked(
        rows=rows,
        length=np.minimum(allowed.sum(axis=1), wish.n),
        score=score[people, rows],
        source=source[people, rows],
        contributions=np.empty((*rows.shape, 0)),
        speaking=np.ones((len(query), 0), dtype=bool),
    )


def _scored(
    model: Recommender, query: Query, policy: str, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Score by one source; where it cannot say, popularity follows below all it can say.

    Returns
    -------
    score : ndarray of float, shape (n, offers)
    leading : ndarray of int, shape (n, offers)
        Place of the source that spoke.
    """
    names = model.hybrid.sources
    popularity = names.index(Source.POPULARITY)
    if policy == RANDOM:
        score = random.random((len(query), model.n_offers))
        return score, np.full(score.shape, popularity)
    place = names.index(policy)
    score = model.scorers[place].score(query)
    base = model.popularity.base
    silent = np.isnan(score)
    lowest = np.where(silent, np.inf, score).min(axis=1, keepdims=True, initial=0.0)
    filled = np.where(silent, lowest - 1.0 + base - base.max(), score)
    return filled, np.where(silent, popularity, place)
