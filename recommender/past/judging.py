"""Laying out past moments: who took what of what was on offer, and what had been shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import valid_at
from data.schema import CUSTOMER_ID, OFFER_ID
from recommender.features.demographics import Demographics
from recommender.fitting.fitted import Fitted
from recommender.fitting.sources import find_segments, fit_sources
from recommender.past.fold import Fold
from recommender.past.layout import MOST_LISTS, Layout, evenly, lay_out, many_lists, most_lists
from recommender.past.thinning import without
from recommender.recipe import DEFAULT, Recipe
from segmentation.features import customer_features

MOST_SHOWN = 300  # offers of one customer


@dataclass(frozen=True)
class Showings:
    """What customers were shown after a moment.

    Attributes
    ----------
    lists : Layout
        Of each customer, all that was shown and whether it was taken.
    shown, taken : ndarray of float, shape (n, c)
        How often, and how many of these led to a redemption; zero where the list is but filled up.
    """

    lists: Layout
    shown: np.ndarray
    taken: np.ndarray


@dataclass(frozen=True)
class Setting:
    """What is the same at all moments that a model learns from.

    Attributes
    ----------
    k : int or None
        Number of segments; None for no segments.
    seed : int
        The only source of chance.
    suspects : frozenset of str
        Customers that are not learnt from.
    demographics : Demographics, optional
        The columns of profiles; those of the customers known at each moment by default.
    """

    k: int | None = None
    seed: int = 0
    suspects: frozenset[str] = frozenset()
    demographics: Demographics | None = None


@dataclass(frozen=True)
class Judged:
    """Sources fitted at a past moment with what was redeemed after it.

    Attributes
    ----------
    fitted : Fitted
        The sources as of that moment.
    lists : Layout
        Lists to learn from; of very many candidates a sample.
    whole : Layout
        The same lists with all their candidates, to judge by.
    showings : Showings or None
        What had been shown, where that says what showing leads to.
    """

    fitted: Fitted
    lists: Layout
    whole: Layout
    showings: Showings | None

    def few(self) -> Judged:
        """Keep as many of the lists as many weights can be learnt from in good time."""
        n = len(self.whole.rows)
        most = max(MOST_LISTS, most_lists(self.fitted.recommender.n_offers))
        if n <= most:
            return self
        kept = evenly(n, most)
        return replace(self, lists=self.lists.take(kept), whole=self.whole.take(kept))


def judge(fold: Fold, setting: Setting, recipe: Recipe = DEFAULT) -> Judged:
    """Fit the sources to the past of a fold and lay out what happened after it.

    Parameters
    ----------
    fold : Fold
        The moment.
    setting : Setting
        What it shares with other moments.
    recipe : Recipe
        Hyper-parameters.
    """
    k, seed, suspects = setting.k, setting.seed, setting.suspects
    features = customer_features(fold.past, fold.at).values
    found, _ = find_segments(features, k, seed) if k else (None, "")
    segments = None if found is None else found.model
    trusted = without(fold.past, suspects)
    fitted = fit_sources(
        fold.past, fold.at, features, segments, seed, recipe, trusted, setting.demographics
    )
    ids, offers = fitted.ids, fold.past.offer_ids
    known = ids.known(fold.taken[CUSTOMER_ID])
    taken = fold.taken[known & ~fold.taken[CUSTOMER_ID].isin(suspects)]
    owner, offer = ids.rows(taken[CUSTOMER_ID]), offers.rows(taken[OFFER_ID])
    rows = np.unique(owner)
    # Of a large catalogue two maps are to be weighed against each other, which takes many lists.
    mapped = fitted.recommender.collaborative.space.rank > 0
    most = (many_lists if mapped else most_lists)(len(offers))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    marks = sp.csr_matrix((np.ones(len(owner)), (owner, offer)), shape=(len(ids), len(offers)))
    table = fold.past.offers.set_index(OFFER_ID).reindex(offers.ids)
    valid = valid_at(table, fold.at) if fold.by_time else np.ones(len(offers), dtype=bool)
    if fold.among:
        valid &= np.isin(offers.ids, list(fold.among))

    def open_to(people: np.ndarray) -> np.ndarray:
        gone = (fitted.query.take(people).used() > 0).toarray() & ~fold.past.repeatable
        return np.asarray(valid & ~gone)

    candidate, took = open_to(rows), (marks[rows] > 0).toarray()
    lists, whole = lay_out(rows, took, candidate, seed)
    if not fold.logged:
        return Judged(fitted, lists, whole, None)
    shown = fold.shown[~fold.shown[CUSTOMER_ID].isin(suspects)]
    times, redeemed = (_shown(fold, fitted, shown, name) for name in ("n", "taken"))
    most = most_lists(len(offers))
    return Judged(fitted, lists, whole, _showings(times, redeemed, open_to, most, seed))


def _shown(fold: Fold, fitted: Fitted, shown: pd.DataFrame, name: str) -> sp.csr_matrix:
    """Lay out a count of showings after the moment: (customers, offers)."""
    shown = shown[fitted.ids.known(shown[CUSTOMER_ID])]
    pairs = fitted.ids.rows(shown[CUSTOMER_ID]), fold.past.offer_ids.rows(shown[OFFER_ID])
    shape = (len(fitted.ids), len(fold.past.offer_ids))
    return sp.csr_matrix((shown[name].to_numpy(dtype=np.float64), pairs), shape=shape)


def _showings(
    shown: sp.csr_matrix,
    redeemed: sp.csr_matrix,
    open_to: Callable[[np.ndarray], np.ndarray],
    most: int,
    seed: int,
) -> Showings:
    """Lay out what was shown to a sample of customers to whom it was open.

    Of somebody who was shown very many offers, a sample drawn by chance.
    """
    random = np.random.default_rng(seed)
    people = np.flatnonzero(np.diff(shown.indptr))
    if len(people) > most:
        people = np.sort(random.choice(people, most, replace=False))
    pairs = sp.coo_matrix(shown[people])
    kept = np.flatnonzero(open_to(people)[pairs.row, pairs.col] & (pairs.data > 0))
    kept = kept[np.lexsort((random.random(len(kept)), pairs.row[kept]))]
    count = np.bincount(pairs.row[kept], minlength=len(people))
    place = np.arange(len(kept)) - np.repeat(np.cumsum(count) - count, count)
    kept, place = kept[place < MOST_SHOWN], place[place < MOST_SHOWN]
    shape = (len(people), int(place.max(initial=-1)) + 1)
    columns, times = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    cells = pairs.row[kept], place
    columns[cells], times[cells] = pairs.col[kept], pairs.data[kept]
    taken = np.zeros(shape)
    taken[cells] = np.asarray(redeemed[people[pairs.row[kept]], pairs.col[kept]]).ravel()
    return Showings(Layout(people, columns, taken > 0, times > 0), times, taken)
