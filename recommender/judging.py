"""Laying out past moments: who took what of what was on offer, and what had been shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from data.dataset import valid_at
from data.schema import CUSTOMER_ID, OFFER_ID
from recommender.base import Query
from recommender.recipe import DEFAULT, Recipe
from recommender.sources import Fitted, find_segments, fit_sources
from recommender.validation import Fold
from segmentation.features import customer_features

MOST_LISTS, PLENTY = 1500, 800  # of one past moment; with so many more teach little
MOST_CELLS = 4_000_000  # customers times offers that are scored, unless that is no plenty of lists
MOST_HELD = 200_000_000  # customers times offers that are held at all
CHUNK_CELLS = 1_000_000  # of which so many at once
MOST_CANDIDATES, SAMPLED = 500, 300  # beyond so many candidates, a list is taken and a sample


@dataclass(frozen=True)
class Showings:
    """Pairs of customer and offer that were shown after a moment.

    Attributes
    ----------
    rows, columns : ndarray of int, shape (pairs,)
        Customer and offer, as rows and columns of the fitted arrays.
    shown : ndarray of float, shape (pairs,)
        How often.
    taken : ndarray of bool, shape (pairs,)
        Whether the customer took the offer.
    """

    rows: np.ndarray
    columns: np.ndarray
    shown: np.ndarray
    taken: np.ndarray


@dataclass(frozen=True)
class Layout:
    """Lists of customers who took something.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        The customers, as rows of the fitted arrays.
    columns : ndarray of int, shape (n, c)
        Offers of each list: all that were on offer to anybody, or what was taken and a sample.
    taken : ndarray of bool, shape (n, c)
        Where the customer took the offer.
    candidate : ndarray of bool, shape (n, c)
        Where the offer was on offer to the customer; elsewhere the list is but filled up.
    """

    rows: np.ndarray
    columns: np.ndarray
    taken: np.ndarray
    candidate: np.ndarray

    @property
    def alike(self) -> bool:
        """Whether all lists are of the same offers."""
        return self.columns.strides[0] == 0

    def take(self, rows: np.ndarray) -> Layout:
        """Return some of the lists."""
        columns = self.columns[rows]
        if self.alike and len(rows):
            columns = np.broadcast_to(columns[0], columns.shape)
        return Layout(self.rows[rows], columns, self.taken[rows], self.candidate[rows])


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


def judge(
    fold: Fold,
    k: int | None,
    seed: int = 0,
    recipe: Recipe = DEFAULT,
    suspects: frozenset[str] = frozenset(),
) -> Judged:
    """Fit the sources to the past of a fold and lay out what happened after it.

    Parameters
    ----------
    fold : Fold
        The moment.
    k : int or None
        Number of segments; None for no segments.
    recipe : Recipe
        Hyper-parameters.
    suspects : frozenset of str
        Customers that are not learnt from.
    """
    features = customer_features(fold.past, fold.at).values
    found, _ = find_segments(features, k, seed) if k else (None, "")
    segments = None if found is None else found.model
    fitted = fit_sources(fold.past, fold.at, features, segments, seed, recipe, suspects)
    ids, offers = fitted.ids, fold.past.offer_ids
    known = ids.known(fold.taken[CUSTOMER_ID])
    taken = fold.taken[known & ~fold.taken[CUSTOMER_ID].isin(suspects)]
    owner, offer = ids.rows(taken[CUSTOMER_ID]), offers.rows(taken[OFFER_ID])
    rows = np.unique(owner)
    most = most_lists(len(offers))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    marks = sp.csr_matrix((np.ones(len(owner)), (owner, offer)), shape=(len(ids), len(offers)))
    table = fold.past.offers.set_index(OFFER_ID).reindex(offers.ids)
    valid = valid_at(table, fold.at) if fold.by_time else np.ones(len(offers), dtype=bool)
    repeatable = table["repeatable"].fillna(False).to_numpy(dtype=bool)

    def open_to(people: np.ndarray) -> np.ndarray:
        gone = (fitted.query.redeemed[people] > 0).toarray() & ~repeatable
        return np.asarray(valid & ~gone)

    candidate = open_to(rows)
    positive = (marks[rows] > 0).toarray() & candidate
    shared = np.flatnonzero(candidate.any(axis=0))
    every = np.broadcast_to(shared, (len(rows), len(shared)))
    whole = lists = Layout(rows, every, positive[:, shared], candidate[:, shared])
    if len(shared) > MOST_CANDIDATES:
        lists = _sampled(rows, positive, candidate, seed)
    return Judged(
        fitted=fitted,
        lists=lists,
        whole=whole,
        showings=_showings(fold, fitted, marks, open_to, most, seed) if fold.logged else None,
    )


def most_lists(offers: int) -> int:
    """Say how many lists of so many offers are looked at."""
    width = max(1, offers)
    return max(1, min(MOST_LISTS, max(PLENTY, MOST_CELLS // width), MOST_HELD // width))


def _sampled(rows: np.ndarray, positive: np.ndarray, candidate: np.ndarray, seed: int) -> Layout:
    """Choose the offers of each list: what was taken and a sample of the other candidates.

    A sample of the customer's own, drawn alike from all candidates, leaves the weights unbiased
    (McFadden 1978); one that follows what others took would not.
    """
    random = np.random.default_rng(seed)
    width = SAMPLED + int(positive.sum(axis=1).max(initial=0))
    columns = np.empty((len(candidate), width), dtype=np.int64)
    for row in range(len(candidate)):
        taken = np.flatnonzero(positive[row])
        others = random.permutation(np.flatnonzero(candidate[row] & ~positive[row]))[:SAMPLED]
        chosen = np.concatenate([taken, others])
        columns[row] = np.resize(chosen, width)  # filled up by offers that are there already
    return Layout(
        rows=rows,
        columns=columns,
        taken=np.take_along_axis(positive, columns, axis=1),
        candidate=np.take_along_axis(candidate, columns, axis=1) & _first_time(columns),
    )


def _first_time(columns: np.ndarray) -> np.ndarray:
    """Mark where an offer stands in a list for the first time."""
    order = np.argsort(columns, axis=1, kind="stable")
    ordered = np.take_along_axis(columns, order, axis=1)
    first = np.ones(columns.shape, dtype=bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    found = np.empty_like(first)
    np.put_along_axis(found, order, first, axis=1)
    return found


class Score(Protocol):
    """Scores in parts, such as the terms of a hybrid."""

    def __call__(self, query: Query, columns: np.ndarray | None = None) -> np.ndarray:
        """Score every offer, or those of `columns`, shape (n, c): (parts, n, offers or c)."""


def score_listed(score: Score, query: Query, part: Layout) -> np.ndarray:
    """Score only the offers of lists, some customers at a time.

    Returns
    -------
    ndarray of float, shape (parts, n, c)
    """
    parts = [_listed(score, query.take(rows), part.take(rows)) for rows in in_chunks(query)]
    return np.concatenate(parts, axis=1)


def _listed(score: Score, query: Query, part: Layout) -> np.ndarray:
    if not part.alike:
        return score(query, part.columns)
    found = score(query)
    if part.columns.shape[1] == found.shape[2]:
        return found  # all offers in their order
    return np.take_along_axis(found, part.columns[None], axis=2)


def in_chunks(query: Query) -> Iterator[np.ndarray]:
    """Yield rows to score at once, so that memory is bounded; at least once."""
    step = max(1, CHUNK_CELLS // max(1, query.history.shape[1]))
    for start in range(0, max(1, len(query)), step):
        yield np.arange(start, min(start + step, len(query)))


def _showings(
    fold: Fold,
    fitted: Fitted,
    marks: sp.csr_matrix,
    open_to: Callable[[np.ndarray], np.ndarray],
    most: int,
    seed: int,
) -> Showings:
    """Lay out what was shown to a sample of customers to whom it was open."""
    shown = fold.shown[fitted.ids.known(fold.shown[CUSTOMER_ID])]
    rows = fitted.ids.rows(shown[CUSTOMER_ID])
    columns = fold.past.offer_ids.rows(shown[OFFER_ID])
    people = np.unique(rows)
    if len(people) > most:
        people = np.sort(np.random.default_rng(seed).choice(people, most, replace=False))
    kept = np.isin(rows, people)
    kept[kept] = open_to(people)[np.searchsorted(people, rows[kept]), columns[kept]]
    rows, columns = rows[kept], columns[kept]
    return Showings(
        rows=rows,
        columns=columns,
        shown=shown["n"].to_numpy(dtype=np.float64)[kept],
        taken=np.asarray(marks[rows, columns]).ravel() > 0,
    )
