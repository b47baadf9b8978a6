"""Learning what the features of a source are worth, from past moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np

from recommender.base import Query
from recommender.fitting.fitted import Fitted
from recommender.learning.lessons import OF_LISTS
from recommender.learning.listwise import Lists, fit_listwise, plain_lists
from recommender.learning.pointwise import Tried
from recommender.learning.polish import polish_from, settle
from recommender.learning.pooling import Sums, pool
from recommender.model import Recommender
from recommender.past.judging import Judged, Showings
from recommender.past.layout import Layout, evenly, score_listed

STRENGTH = 100.0  # of the prior, in offers taken
AS_IT_IS = 1e6  # of what is no question


class Parted(Protocol):
    """A scorer that is itself a weighted sum of features."""

    @property
    def weight(self) -> np.ndarray:
        """What each feature counts."""

    def features(self, query: Query, columns: np.ndarray | None = None) -> np.ndarray:
        """Return the features apart: shape (features, n, offers), or of `columns`, (n, c)."""

    def can_teach(self, query: Query, columns: np.ndarray | None = None) -> np.ndarray:
        """Tell where lists teach what they count: shape (n, offers), or of `columns`, (n, c)."""

    def rough(self, query: Query, weights: np.ndarray) -> np.ndarray:
        """Sum up features in single precision by weights, (w, features, n): (w, n, offers)."""


ScorerOf = Callable[[Recommender], Parted]


def learn_features(
    judged: list[Judged],
    prior: np.ndarray,
    scorer_of: ScorerOf,
    most: np.ndarray | float = np.inf,
) -> np.ndarray:
    """Learn what each feature of a scorer counts.

    Where showing is logged, what it led to tells beside lists of everything, as it does of the
    weights of the hybrid: who takes the same again and again takes it within a month whatever it
    is, and only of the times it was shown does it tell how much it is liked. Those lists are not
    judged by then: they would follow the old policy.

    Parameters
    ----------
    judged : list of Judged
        Past moments; with none, the prior stands.
    prior : ndarray of float, shape (features,)
        Weights believed before any data.
    scorer_of : callable
        Finds the scorer in a recommender.
    most : ndarray of float, shape (features,), or float
        What no weight may exceed.

    Returns
    -------
    ndarray of float, shape (features,)
    """
    lists = [_lists(part.few(), told, scorer_of) for told, part in enumerate(judged)]
    unlogged = [part for part in judged if part.showings is None]
    counted = sum(len(one.taken) for one in lists)
    if not counted:
        return prior
    spread = np.zeros(len(prior))
    for one in lists:
        if one.taken.size:
            within = np.where(one.candidate, one.features, np.nan)
            spread += np.nansum(np.nanvar(within, axis=2), axis=1)
    # The penalty is on what a feature moves, not on its unit.
    scale = np.sqrt(spread / counted) + 1e-9
    scaled = [replace(one, features=one.features / scale[:, None, None]) for one in lists]
    tried = [
        _tried(part.fitted, part.showings, scorer_of, scale)
        for part in judged
        if part.showings is not None
    ]
    learnt = _fit(scaled, prior * scale, most * scale, tried) / scale
    unit = np.where(learnt > 0, learnt, prior)
    # Likelihood may leave out what lists are much better with, and then steps do not find it.
    starts = ((learnt > 0).astype(np.float64), prior / unit)
    told = [_told(part.fitted, part.whole, scorer_of) for part in unlogged]

    def sums_of(scales: Sequence[np.ndarray], at_most: int | None) -> list[Sums]:
        return [
            _sums(scorer_of(part.fitted.recommender), unit, scales, query, whole, at_most)
            for part, (query, whole) in zip(unlogged, told, strict=True)
            if len(query)
        ]

    return np.asarray(np.minimum(unit * settle(sums_of, starts, polish_from), most))


def _fit(lists: list[Lists], prior: np.ndarray, most: np.ndarray, tried: list[Tried]) -> np.ndarray:
    """Fit weights to lists, and to what was shown beside what everybody's rates let expect.

    Those rates are one feature more, which counts as it is; lists leave it out.
    """
    if not tried:
        return fit_listwise(lists, prior[:, None], STRENGTH, most[:, None])[:, 0]
    rated = [
        replace(part, features=np.pad(part.features, ((0, 1), (0, 0), (0, 0)))) for part in lists
    ]
    strength = np.r_[np.full(len(prior), STRENGTH), AS_IT_IS][:, None]
    believed, bound = np.r_[prior, 1.0][:, None], np.r_[most, 1.0][:, None]
    return fit_listwise(rated, believed, strength, bound, tried)[:-1, 0]


def _tried(fitted: Fitted, showings: Showings, scorer_of: ScorerOf, scale: np.ndarray) -> Tried:
    """Lay out the features of what was shown, and everybody's rates, in log-odds."""
    model, part = fitted.recommender, showings.lists
    scorer, query = scorer_of(model), fitted.query.take(part.rows)
    says = score_listed(partial(_can_teach, scorer), query, part)[0] > 0
    features = score_listed(scorer.features, query, part) / scale[:, None, None]
    return Tried(
        features=np.concatenate(
            [np.where(says, features, 0.0), model.popularity.odds[part.columns][None]]
        ),
        share=np.ones((len(query), 1)),
        about=model.hybrid.start.about(query),
        shown=showings.shown * (part.candidate & says),
        taken=part.taken & part.candidate & says,
        weight=1 - OF_LISTS,
    )


def _sums(
    scorer: Parted,
    unit: np.ndarray,
    scales: Sequence[np.ndarray],
    query: Query,
    whole: Layout,
    at_most: int | None,
) -> Sums:
    """Split a scorer's scores of whole lists, all or so many, by feature."""
    if at_most is not None:
        rows = evenly(len(query), at_most)
        query, whole = query.take(rows), whole.take(rows)
    each = np.repeat(unit[:, None], len(query), axis=1)
    return pool(scorer.features, scorer.rough, each, scales, query, whole)


def _lists(judged: Judged, told: int, scorer_of: ScorerOf) -> Lists:
    """Lay out the features of the lists that the scorer can say something of."""
    model = judged.fitted.recommender
    query, part = _told(judged.fitted, judged.lists, scorer_of)
    features = score_listed(scorer_of(model).features, query, part)
    lists = plain_lists(features, part.taken.astype(np.float64), part.candidate)
    counts = 1.0 if judged.showings is None else OF_LISTS
    return replace(lists, weight=counts, own=told * model.n_offers + part.columns)


def _told(fitted: Fitted, part: Layout, scorer_of: ScorerOf) -> tuple[Query, Layout]:
    """Leave out of lists what the scorer cannot say anything of."""
    scorer = scorer_of(fitted.recommender)
    query = fitted.query.take(part.rows)
    says = score_listed(partial(_can_teach, scorer), query, part)[0]
    speaks = np.flatnonzero((says & part.candidate).any(axis=1))
    told = part.take(speaks)
    candidate = told.candidate & says[speaks]
    return query.take(speaks), replace(told, taken=told.taken & candidate, candidate=candidate)


def _can_teach(scorer: Parted, query: Query, columns: np.ndarray | None = None) -> np.ndarray:
    return scorer.can_teach(query, columns)[None]
