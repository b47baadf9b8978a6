"""Learning the weights of the hybrid, and of the levels of content, from past moments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from recommender.base import Query
from recommender.calibration import Trials, fit_calibration
from recommender.hybrid import Hybrid, corner_shares, prior_hybrid
from recommender.judging import Judged, Showings
from recommender.listwise import Lists, fit_listwise, plain_lists
from recommender.model import Recommender, information
from recommender.sources import Fitted, sample_of

INNER_STRENGTH, HYBRID_STRENGTH = 100.0, 30.0
EARLIER_WEIGHT = 0.5  # an earlier moment is less like the present
MASKED_WEIGHT = 0.3  # a list with knowledge masked counts less than the real one
ASKED, ANSWERED = 12, 6  # a masked customer answered 6 of the 12 most informative questions


def learn(fitted: Fitted, judged: list[Judged], seed: int = 0) -> Recommender:
    """Give fitted sources the weights that past moments speak for.

    Parameters
    ----------
    fitted : Fitted
        The sources at the model's moment.
    judged : list of Judged
        Past moments; with none, the prior stands.
    """
    collaborative = _inner_weight(fitted, judged, lambda model: model.collaborative)
    content = _inner_weight(fitted, judged, lambda model: model.content)
    recommender = _with_weights(fitted, collaborative, content, seed)
    past = [_with_weights(part.fitted, collaborative, content, seed) for part in judged]
    variants = [_variants(part, seed) for part in judged]
    lists = []
    for age, (part, model, known) in enumerate(zip(judged, past, variants, strict=True), 1):
        fading = EARLIER_WEIGHT ** (len(judged) - age)
        for variant in known:
            features = model.hybrid.standardise(model.scores(variant.query)[:, :, part.columns])
            corners = corner_shares(variant.query)
            taken = part.taken * variant.candidate
            shares = model.hybrid.offer_share[part.columns]
            weight = fading * variant.weight
            lists.append(Lists(features, corners, shares, taken, variant.candidate, weight))
    prior = recommender.hybrid
    learnt = fit_listwise(lists, prior.weight, HYBRID_STRENGTH)
    trials = [
        _scored(
            replace(model, hybrid=replace(model.hybrid, weight=learnt)),
            part.fitted.query,
            part.showings,
        )
        for part, model in zip(judged, past, strict=True)
        if part.showings is not None
    ]
    slope, intercept, calibrated = fit_calibration(trials)
    hybrid = replace(prior, weight=learnt, slope=slope, intercept=intercept, calibrated=calibrated)
    return replace(recommender, hybrid=hybrid)


class Parted(Protocol):
    """A scorer that is itself a weighted sum of features."""

    @property
    def weight(self) -> np.ndarray:
        """What each feature counts."""

    def features(self, query: Query) -> np.ndarray:
        """Return the features apart: shape (features, n, offers)."""

    def can_say(self, query: Query) -> np.ndarray:
        """Tell where it can score: shape (n, offers)."""


def _inner_weight(
    fitted: Fitted, judged: list[Judged], scorer_of: Callable[[Recommender], Parted]
) -> np.ndarray:
    """Learn what each feature of a scorer is worth."""
    lists, counted = [], 0
    prior = scorer_of(fitted.recommender).weight
    spread = np.zeros(len(prior))
    for part in judged:
        scorer = scorer_of(part.fitted.recommender)
        query = part.fitted.query.take(part.rows)
        says = scorer.can_say(query)[:, part.columns]
        speaks = says.any(axis=1)
        features = scorer.features(query.take(np.flatnonzero(speaks)))[:, :, part.columns]
        # Offers of which it cannot say anything are no part of its lists.
        candidate = part.candidate[speaks] & says[speaks]
        within = np.where(candidate, features, np.nan)
        if within.size:
            spread = spread + np.nansum(np.nanvar(within, axis=2), axis=1)
            counted += int(speaks.sum())
        lists.append(plain_lists(features, part.taken[speaks] * candidate, candidate))
    if not counted:
        return prior
    # The penalty is on what a feature moves, not on its unit.
    scale = np.sqrt(spread / counted) + 1e-9
    lists = [replace(one, features=one.features / scale[:, None, None]) for one in lists]
    learnt = fit_listwise(lists, (prior * scale)[:, None, None], INNER_STRENGTH)
    return np.asarray(learnt[:, 0, 0] / scale)


def _with_weights(
    fitted: Fitted, collaborative: np.ndarray, content: np.ndarray, seed: int
) -> Recommender:
    """Replace the weights within sources and take the hybrid's scales anew."""
    before = fitted.recommender
    model = replace(
        before,
        collaborative=replace(before.collaborative, weight=collaborative),
        content=replace(before.content, weight=content),
    )
    sample = sample_of(fitted, seed)
    hybrid: Hybrid = prior_hybrid(
        model.popularity.base,
        model.collaborative.score(sample),
        model.content.score(sample),
        np.asarray(fitted.query.redeemed.sum(axis=0)).ravel(),
    )
    return replace(model, hybrid=hybrid)


@dataclass(frozen=True)
class _Variant:
    """Customers of a past moment as they were, or as if something else had been known of them."""

    query: Query
    candidate: np.ndarray
    weight: float


def _variants(part: Judged, seed: int) -> list[_Variant]:
    """Return the customers as they were, and as if less, or survey answers, had been known."""
    fitted = part.fitted
    query = fitted.query.take(part.rows)
    no_purchases = replace(query.without_purchases(), segment=fitted.profile_segment[part.rows])
    silent = no_purchases.without_history().without_answers()
    answers, candidate = _some_answers(part, seed)
    return [
        _Variant(query, part.candidate, 1.0),
        _Variant(query.without_history(), part.candidate, MASKED_WEIGHT),
        _Variant(no_purchases, part.candidate, MASKED_WEIGHT),
        _Variant(silent, part.candidate, MASKED_WEIGHT),
        _Variant(replace(silent, answers=answers), candidate, MASKED_WEIGHT),
    ]


def _some_answers(part: Judged, seed: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """Let customers answer a few questions, drawn at random from what a survey would ask.

    Of a category their past tells; of an offer also what they took later, which is why an offer
    that was asked about is no candidate then.

    Returns
    -------
    answers : csr_matrix, shape (n, 2 · questions)
    candidate : ndarray of bool, shape (n, c)
    """
    survey = part.fitted.recommender.encoders.survey
    asked = np.argsort(-information(part.fitted.recommender), kind="stable")[:ASKED]
    order = np.random.default_rng(seed).random((len(part.rows), len(asked))).argsort(axis=1)
    behaved = part.fitted.behaved[part.rows].toarray() > 0
    answers = np.zeros(behaved.shape, dtype=bool)
    candidate = part.candidate.copy()
    place = {int(column): row for row, column in enumerate(part.columns)}
    for number, question in enumerate(asked.tolist()):
        told = order[:, number] < ANSWERED
        yes, no = behaved[:, 2 * question], behaved[:, 2 * question + 1]
        offer = survey.offer_of(question, part.fitted.recommender.encoders.offer_rows)
        if offer is not None:
            later = part.taken[:, place[offer]] > 0 if offer in place else np.zeros_like(yes)
            yes, no = yes | later, ~(yes | later)
            if offer in place:
                candidate[told, place[offer]] = False
        answers[:, 2 * question], answers[:, 2 * question + 1] = told & yes, told & no
    return sp.csr_matrix(answers, dtype=np.float64), candidate


def _scored(model: Recommender, query: Query, showings: Showings) -> Trials:
    """Score what was shown; `query` is everybody's."""
    people, place = np.unique(showings.rows, return_inverse=True)
    score = model.blend(query.take(people)).score
    return Trials(score[place, showings.columns], showings.shown, showings.taken)
