"""Learning the weights of the hybrid, and of the levels of content, from past moments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from recommender.base import Query
from recommender.calibration import Trials, fit_calibration
from recommender.hybrid import Hybrid, corner_shares, prior_hybrid
from recommender.judging import Judged, Showings
from recommender.listwise import Lists, fit_listwise
from recommender.model import Recommender
from recommender.sources import Fitted, sample_of
from recommender.survey import information

CONTENT_STRENGTH, HYBRID_STRENGTH = 100.0, 10.0
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
    weight = _content_weight(fitted, judged)
    recommender = _with_content(fitted, weight, seed)
    past = [_with_content(part.fitted, weight, seed) for part in judged]
    variants = [_variants(part, seed) for part in judged]
    lists = []
    for part, model, queries in zip(judged, past, variants, strict=True):
        for share, query in queries:
            features = model.hybrid.standardise(model.scores(query)[:, :, part.columns])
            corners = corner_shares(query)
            lists.append(Lists(features, corners, part.taken, part.candidate, share))
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


def _content_weight(fitted: Fitted, judged: list[Judged]) -> np.ndarray:
    """Learn what each level of content is worth."""
    lists = []
    for part in judged:
        query = part.fitted.query.take(part.rows)
        content = part.fitted.recommender.content
        speaks = content.can_say(query).any(axis=1)
        features = content.features(query.take(np.flatnonzero(speaks)))[:, :, part.columns]
        everywhere = np.ones((features.shape[1], 1))
        lists.append(Lists(features, everywhere, part.taken[speaks], part.candidate[speaks]))
    prior = fitted.recommender.content.weight[:, None]
    return fit_listwise(lists, prior, CONTENT_STRENGTH)[:, 0]


def _with_content(fitted: Fitted, weight: np.ndarray, seed: int) -> Recommender:
    """Replace the weights of content and take the hybrid's scales anew."""
    model = replace(fitted.recommender, content=replace(fitted.recommender.content, weight=weight))
    sample = sample_of(fitted, seed)
    hybrid: Hybrid = prior_hybrid(
        model.popularity.base, model.collaborative.score(sample), model.content.score(sample)
    )
    return replace(model, hybrid=hybrid)


def _variants(part: Judged, seed: int) -> list[tuple[float, Query]]:
    """Return the customers as they were, and as if less had been known of them."""
    fitted = part.fitted
    query = fitted.query.take(part.rows)
    nothing = sp.csr_matrix(query.history.shape)
    no_history = replace(query, history=nothing, redeemed=nothing)
    no_purchases = replace(
        query,
        purchases=sp.csr_matrix(query.purchases.shape),
        segment=fitted.profile_segment[part.rows],
    )
    stranger = replace(
        no_purchases,
        history=nothing,
        redeemed=nothing,
        answers=_some_answers(fitted, part.rows, seed),
    )
    masked = [(MASKED_WEIGHT, variant) for variant in (no_history, no_purchases, stranger)]
    silent = replace(stranger, answers=sp.csr_matrix(query.answers.shape))
    return [(1.0, query), *masked, (MASKED_WEIGHT, silent)]


def _some_answers(fitted: Fitted, rows: np.ndarray, seed: int) -> sp.csr_matrix:
    """Keep a few answers of each customer, drawn at random from what a survey would ask."""
    survey = fitted.recommender.survey
    answers = np.asarray(fitted.behaved[rows].todense())
    if not answers.shape[1]:
        return fitted.behaved[rows]
    asked = np.argsort(-information(survey.lift, survey.base), kind="stable")[:ASKED]
    order = np.random.default_rng(seed).random((len(answers), len(asked))).argsort(axis=1)
    kept = np.zeros((len(answers), answers.shape[1] // 2), dtype=bool)
    kept[:, asked] = order < ANSWERED
    return sp.csr_matrix(answers * np.repeat(kept, 2, axis=1))


def _scored(model: Recommender, query: Query, showings: Showings) -> Trials:
    """Score what was shown; `query` is everybody's."""
    people, place = np.unique(showings.rows, return_inverse=True)
    score = model.blend(query.take(people)).score
    return Trials(score[place, showings.columns], showings.shown, showings.taken)
