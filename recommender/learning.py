"""Learning the weights of the hybrid from past moments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recommender.base import Query
from recommender.calibration import Trials, fit_calibration
from recommender.hybrid import Hybrid, corner_shares, prior_hybrid
from recommender.inner import learn_features
from recommender.judging import CHUNK_CELLS, Judged, Layout, Showings, score_listed
from recommender.listwise import Lists, fit_listwise
from recommender.model import Recommender
from recommender.polish import Sums, polish
from recommender.recipe import DEFAULT, Recipe
from recommender.sources import Fitted, sample_of
from recommender.variants import make_variants

EARLIER_WEIGHT = 0.5  # an earlier moment is less like the present


def learn(
    fitted: Fitted, judged: list[Judged], seed: int = 0, recipe: Recipe = DEFAULT
) -> Recommender:
    """Give fitted sources the weights that past moments speak for.

    Parameters
    ----------
    fitted : Fitted
        The sources at the model's moment.
    judged : list of Judged
        Past moments, oldest first; with none, the prior stands.
    """
    collaborative = learn_features(fitted, judged, lambda model: model.collaborative)
    content = learn_features(fitted, judged, lambda model: model.content)
    recommender = _with_weights(fitted, collaborative, content, seed)
    past = [_with_weights(part.fitted, collaborative, content, seed) for part in judged]
    lists: list[Lists] = []
    whole: list[Lists] = []
    for age, (part, model) in enumerate(zip(judged, past, strict=True), 1):
        fading = EARLIER_WEIGHT ** (len(judged) - age)
        here = _lists(model, part.fitted, part.lists, fading, seed)
        lists += here
        whole += (
            here
            if part.whole is part.lists
            else _lists(model, part.fitted, part.whole, fading, seed)
        )
    prior = recommender.hybrid
    weight = fit_listwise(lists, prior.weight, recipe.strength)
    scale = polish([_sums(one, weight) for one in whole], np.ones(len(weight)))
    weight = weight * scale[:, None]
    trials = [
        _scored(
            replace(model, hybrid=replace(model.hybrid, weight=weight)),
            part.fitted.query,
            part.showings,
        )
        for part, model in zip(judged, past, strict=True)
        if part.showings is not None
    ]
    slope, intercept, calibrated = fit_calibration(trials)
    hybrid = replace(prior, weight=weight, slope=slope, intercept=intercept, calibrated=calibrated)
    return replace(recommender, hybrid=hybrid)


def _lists(
    model: Recommender, fitted: Fitted, part: Layout, fading: float, seed: int
) -> list[Lists]:
    """Lay out the sources' scores of some lists, for all that may be known of the customers."""
    return [
        Lists(
            features=score_listed(model.terms, variant.query, part.columns),
            share=corner_shares(variant.query),
            taken=(part.taken & variant.candidate).astype(np.float64),
            candidate=variant.candidate,
            weight=fading * variant.weight,
        )
        for variant in make_variants(fitted, part, seed)
    ]


def _sums(lists: Lists, weight: np.ndarray) -> Sums:
    """Split the hybrid's scores by term."""
    parts = lists.features * (weight @ lists.share.T)[:, :, None]
    return Sums(parts, lists.taken > 0, lists.candidate, lists.weight)


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


def _scored(model: Recommender, query: Query, showings: Showings) -> Trials:
    """Score what was shown; `query` is everybody's."""
    people, place = np.unique(showings.rows, return_inverse=True)
    step = max(1, CHUNK_CELLS // max(1, model.n_offers))
    score = np.empty(len(place))
    for start in range(0, len(people), step):
        part = people[start : start + step]
        here = (place >= start) & (place < start + step)
        blended = model.blend(query.take(part)).score
        score[here] = blended[place[here] - start, showings.columns[here]]
    return Trials(score, showings.shown, showings.taken)
