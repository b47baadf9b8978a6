"""What past moments teach: lists of what was on offer, and of what was shown pair by pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recommender.features.corners import corner_shares, stranger_of
from recommender.fitting.fitted import Fitted
from recommender.learning.calibration import Trials
from recommender.learning.listwise import Lists
from recommender.learning.pointwise import Tried
from recommender.learning.sharing import share_out
from recommender.model import Recommender
from recommender.past.judging import Judged, Showings
from recommender.past.layout import Layout, score_listed
from recommender.past.variants import Variant, make_variants

OF_LISTS = 0.5  # what a list of everything counts where showing tells the rest


def lists_of(models: list[Recommender], judged: list[Judged], seed: int) -> list[Lists]:
    """Lay out the terms of what was on offer, for all that may be known of the customers.

    Where showing is logged, what nobody showed was not passed over, and lists of everything alone
    would teach whom an old policy showed what: they tell half.
    """
    found: list[Lists] = []
    for told, (model, part) in enumerate(zip(models, judged, strict=True)):
        own = told * model.n_offers + part.lists.columns
        counts = 1.0 if part.showings is None else OF_LISTS
        for one in _lists(model, part.fitted, part.lists, seed):
            found.append(replace(one, weight=one.weight * counts, own=own))
    return found


def tried_of(model: Recommender, fitted: Fitted, showings: Showings, seed: int) -> list[Tried]:
    """Lay out the terms of what was shown; as it was first, then as if less had been known.

    For what somebody wants it counts whether they took something, for how likely they are to take
    it again how often (`trials_of`).

    Not as if a survey had been answered: those answers are made of what people did, and together
    with who took nothing they make real answers count a third of what these are worth.
    """
    part = showings.lists

    def lay_out(variant: Variant) -> Tried:
        return Tried(
            features=score_listed(model.terms, variant.query, part),
            share=corner_shares(variant.query),
            about=model.hybrid.start.about(variant.query),
            shown=showings.shown * variant.candidate,
            taken=part.taken & variant.candidate,
            weight=variant.weight * (1 - OF_LISTS),
            stranger=stranger_of(variant.query),
        )

    return share_out(lay_out, make_variants(fitted, part, seed, answered=False))


def trials_of(
    tried: Tried, taken: np.ndarray, weight: np.ndarray, owner: np.ndarray, counts: float
) -> Trials:
    """Score what was shown by the weights of the terms.

    Parameters
    ----------
    taken : ndarray of float, shape (n, c)
        How often what was shown led to a redemption.
    weight : ndarray of float, shape (terms, corners)
    owner : ndarray of int, shape (n,)
        A number for each customer.
    counts : float
        What a showing counts.
    """
    people, place = np.nonzero(tried.shown)
    return Trials(
        score=tried.score(weight)[people, place],
        shown=counts * tried.shown[people, place],
        taken=counts * taken[people, place],
        about=tried.about[people],
        owner=owner[people],
        stranger=np.broadcast_to(tried.stranger, len(owner))[people],
    )


def _lists(model: Recommender, fitted: Fitted, part: Layout, seed: int) -> list[Lists]:
    def lay_out(variant: Variant) -> Lists:
        return Lists(
            features=score_listed(model.terms, variant.query, part),
            share=corner_shares(variant.query),
            taken=(part.taken & variant.candidate).astype(np.float64),
            candidate=variant.candidate,
            weight=variant.weight,
        )

    return share_out(lay_out, make_variants(fitted, part, seed))
