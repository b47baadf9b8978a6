"""Learning the weights of the hybrid from past moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np

from data.idmap import IdMap
from recommender.base import Source
from recommender.collaborative import PRIOR as TAKEN
from recommender.content import BOUND
from recommender.content import PRIOR as BOUGHT
from recommender.features.corners import corner_shares
from recommender.fitting.fitted import Fitted, sample_of
from recommender.learning.calibration import Calibration, fit_calibration
from recommender.learning.inner import learn_features
from recommender.learning.lessons import OF_LISTS, lists_of, trials_of, tried_of
from recommender.learning.listwise import fit_listwise
from recommender.learning.newness import let_popularity_tell, repeats_of, tell_of_new
from recommender.learning.pointwise import Tried
from recommender.learning.polish import SURE_OF_MANY, lean, polish, settle
from recommender.learning.pooling import Sums, pool
from recommender.learning.sharing import share_out
from recommender.model import Recommender
from recommender.past.judging import Judged
from recommender.past.layout import Layout, evenly
from recommender.past.variants import Variant, make_variants
from recommender.recipe import DEFAULT, Recipe
from recommender.scoring.terms import OF_NEWNESS, PRIOR, limits, units


@dataclass(frozen=True)
class Within:
    """What the features of the sources that have several are worth: a weight each."""

    collaborative: np.ndarray
    content: np.ndarray


def learn_within(judged: list[Judged]) -> Within:
    """Learn what past moments say of the sources each by itself; with none, the priors stand."""
    return Within(
        learn_features(judged, _prior(TAKEN), lambda model: model.collaborative),
        learn_features(judged, _prior(BOUGHT), lambda model: model.content, BOUND),
    )


def _prior(weights: Mapping[str, float]) -> np.ndarray:
    return np.array(list(weights.values()))


def learn(
    fitted: Fitted,
    judged: list[Judged],
    within: Within,
    seed: int = 0,
    recipe: Recipe = DEFAULT,
) -> Recommender:
    """Give fitted sources the weights that past moments speak for.

    Parameters
    ----------
    fitted : Fitted
        The sources at the model's moment.
    judged : list of Judged
        Past moments, oldest first; with none, the prior stands.
    within : Within
        What these say of each source by itself.
    """
    judged = [part.few() for part in judged]
    recommender = _with_weights(fitted, within, seed)
    past = [_with_weights(part.fitted, within, seed) for part in judged]
    lists = lists_of(past, judged, seed)
    prior = recommender.hybrid
    # A lift is held to its share of a log-odds, whatever the spread of the offers' rates.
    repeats = repeats_of(judged)
    held = repeats / units(float(prior.scale[-1])) ** 2
    strength = recipe.strength * held[:, None]
    most = limits(float(prior.scale[-1]), fitted.newcomers_follow)
    tried = [
        tried_of(model, part.fitted, part.showings, seed)
        for model, part in zip(past, judged, strict=True)
        if part.showings is not None
    ]
    weight = fit_listwise(lists, prior.weight, strength, most, list(chain(*tried)))

    # Where showing is logged, lists of all candidates are judged by what was shown next: polished
    # weights would follow the old policy rather than what people want.
    told = [
        (model, part.whole, make_variants(part.fitted, part.whole, seed))
        for part, model in zip(judged, past, strict=True)
        if part.showings is None
    ]

    def sums_of(scales: Sequence[np.ndarray], at_most: int | None) -> list[Sums]:
        return [one for asked in told for one in _sums(*asked, weight, scales, at_most)]

    # One offer that everybody took shows no more of new offers than one choice of it does.
    alike = np.where([term in OF_NEWNESS for term in PRIOR], repeats.max(), 1.0)
    sure = SURE_OF_MANY * np.sqrt(alike)

    def improve(sums: list[Sums], begin: Sequence[np.ndarray]) -> np.ndarray:
        # Newness, trend and readiness of offers add to sources, they are none.
        return lean(sums, polish(sums, begin[0], sure), leaders=len(Source))

    scale = settle(sums_of, (np.ones(len(weight)),), improve)
    weight = np.minimum(weight * scale[:, None], most)
    if judged and not tell_of_new(judged):
        weight = let_popularity_tell(weight, prior.weight)
    found = _calibration(tried, judged, weight, recommender)
    start = prior.start
    if found.calibrated:
        start = start.fitted(found.intercept, found.about, found.of_strangers)
    hybrid = replace(
        prior,
        weight=weight,
        start=start,
        slope=found.slope,
        calibrated=found.calibrated,
        stranger=found.stranger,
    )
    return replace(recommender, hybrid=hybrid)


def _calibration(
    tried: list[list[Tried]], judged: list[Judged], weight: np.ndarray, model: Recommender
) -> Calibration:
    """Fit how likely each showing was to lead to a redemption, by the weights of the terms."""
    as_it_was, masked = [], []
    told = [part for part in judged if part.showings is not None]
    everybody = IdMap(name for part in told for name in part.fitted.ids.ids)
    for (first, *others), part in zip(tried, told, strict=True):
        assert part.showings is not None
        taken = part.showings.taken
        owner = everybody.rows(part.fitted.ids.ids[part.showings.lists.rows])
        as_it_was.append(trials_of(first, taken, weight, owner, 1.0))
        masked += [
            trials_of(one, taken, weight, owner, one.weight / (1 - OF_LISTS)) for one in others
        ]
    start = model.hybrid.start
    return fit_calibration(as_it_was, masked, len(start.corner), start.of_profile)


def _sums(
    model: Recommender,
    whole: Layout,
    variants: list[Variant],
    weight: np.ndarray,
    scales: Sequence[np.ndarray],
    at_most: int | None,
) -> list[Sums]:
    """Split the hybrid's scores of whole lists, all or so many of each variant, by term."""
    if at_most is not None:
        rows = evenly(len(whole.rows), at_most)
        whole, variants = whole.take(rows), [one.take(rows) for one in variants]

    def split(variant: Variant) -> Sums:
        share = weight @ corner_shares(variant.query).T
        return pool(
            partial(model.terms, share=share),
            model.rough,
            share,
            scales,
            variant.query,
            replace(whole, taken=whole.taken & variant.candidate, candidate=variant.candidate),
            variant.weight,
        )

    return share_out(split, variants)


def _with_weights(fitted: Fitted, within: Within, seed: int) -> Recommender:
    """Replace the weights within sources and take the hybrid's scales anew."""
    before = fitted.recommender
    model = replace(
        before,
        collaborative=replace(before.collaborative, weight=within.collaborative),
        content=replace(before.content, weight=within.content),
    )
    sample = sample_of(fitted, seed)
    hybrid = before.hybrid.rescaled(model.collaborative.score(sample), model.content.score(sample))
    return replace(model, hybrid=hybrid)
