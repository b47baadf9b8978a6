"""Learning the weights of the hybrid from past moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from recommender.base import Query
from recommender.calibration import Trials, fit_calibration
from recommender.collaborative import PRIOR as TAKEN
from recommender.content import BOUND
from recommender.content import PRIOR as BOUGHT
from recommender.corners import corner_shares
from recommender.inner import learn_features
from recommender.judging import Judged, Showings
from recommender.layout import CHUNK_CELLS, Layout, score_listed
from recommender.listwise import Lists, fit_listwise
from recommender.model import Recommender
from recommender.polish import Sums, lean, polish, pool
from recommender.recipe import DEFAULT, Recipe
from recommender.sharing import share_out
from recommender.sources import Fitted, sample_of
from recommender.terms import MOST, OF_NEW, PRIOR, units
from recommender.variants import Variant, make_variants


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
    recommender = _with_weights(fitted, within, seed)
    past = [_with_weights(part.fitted, within, seed) for part in judged]
    lists = _lists(past, judged, seed)
    prior = recommender.hybrid
    # A lift is held to its share of a log-odds, whatever the spread of the offers' rates.
    held = _repeats(judged) / units(float(prior.scale[-1])) ** 2
    strength = recipe.strength * held[:, None]
    weight = fit_listwise(lists, prior.weight, strength, MOST)
    # Where showing is logged, lists of all candidates are judged by what was shown next: polished
    # weights would follow the old policy rather than what people want.
    sums = [
        one
        for part, model in zip(judged, past, strict=True)
        if part.showings is None
        for one in _sums(model, part, weight, seed)
    ]
    scale = lean(sums, polish(sums, np.ones(len(weight))))
    weight = np.minimum(weight * scale[:, None], MOST)
    trials = [
        _scored(
            replace(model, hybrid=replace(model.hybrid, weight=weight)),
            part.fitted.query,
            part.showings,
        )
        for part, model in zip(judged, past, strict=True)
        if part.showings is not None
    ]
    found = fit_calibration(trials)
    hybrid = replace(
        prior,
        weight=weight,
        start=prior.start.fitted(found.intercept, found.about) if found.calibrated else prior.start,
        slope=found.slope,
        calibrated=found.calibrated,
    )
    return replace(recommender, hybrid=hybrid)


def _repeats(judged: list[Judged]) -> np.ndarray:
    """Say how many taken offers tell as much of each term as one does: shape (terms,).

    What is expected of a new offer is the same for every customer, and offers differ for reasons of
    their own: twenty who take one of them do not make that twenty times as sure of the others. It
    is as many as a taken offer has takers, on average (Moulton 1986). Where showing is logged new
    offers are told apart by how others of their merchant did, and the lists are to say what that is
    worth.
    """
    taken = offers = 0.0
    for part in judged:
        if part.showings is None:
            new = 1.0 - part.fitted.recommender.hybrid.known
            count = np.bincount(part.whole.columns[part.whole.taken], minlength=len(new))
            taken += float(new @ count**2)
            offers += float(new @ count)
    ratio = taken / offers if offers else 1.0
    return np.array([ratio if term in OF_NEW else 1.0 for term in PRIOR])


def _lists(models: list[Recommender], judged: list[Judged], seed: int) -> list[Lists]:
    """Lay out the sources' scores of past lists, for all that may be known of the customers.

    What was taken tells of everything on offer and, where that is logged, of what was shown: what
    nobody showed was not passed over, and lists of everything alone would teach whom an old policy
    showed what. Each tells half.
    """
    found: list[Lists] = []
    told = 0
    for model, part in zip(models, judged, strict=True):
        layouts = [part.lists] if part.seen is None else [part.lists, part.seen]
        for layout in layouts:
            own = told * model.n_offers + layout.columns
            lists = _laid_out(model, part.fitted, layout, seed)
            found += [replace(one, weight=one.weight / len(layouts), own=own) for one in lists]
            told += 1
    return found


def _laid_out(model: Recommender, fitted: Fitted, part: Layout, seed: int) -> list[Lists]:
    def lay_out(variant: Variant) -> Lists:
        return Lists(
            features=score_listed(model.terms, variant.query, part),
            share=corner_shares(variant.query),
            taken=(part.taken & variant.candidate).astype(np.float64),
            candidate=variant.candidate,
            weight=variant.weight,
        )

    return share_out(lay_out, make_variants(fitted, part, seed))


def _sums(model: Recommender, judged: Judged, weight: np.ndarray, seed: int) -> list[Sums]:
    """Split the hybrid's scores of whole lists by term."""
    part = judged.whole

    def split(variant: Variant) -> Sums:
        share = weight @ corner_shares(variant.query).T
        return pool(
            partial(model.terms, share=share),
            model.rough,
            share,
            (np.ones(len(weight)),),
            variant.query,
            replace(part, taken=part.taken & variant.candidate, candidate=variant.candidate),
            variant.weight,
        )

    return share_out(split, make_variants(judged.fitted, part, seed))


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
    about = model.hybrid.start.about(query.take(people))[place]
    return Trials(score, showings.shown, showings.taken, about)
