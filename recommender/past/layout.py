"""Lists of what was on offer, of which something was taken, and scoring their offers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recommender.base import Query

MOST_LISTS, PLENTY = 1500, 800  # of one past moment; with so many more teach little
LIST_CELLS = 300_000  # customers times offers up to which they are all looked at
MOST_CELLS = 4_000_000  # customers times offers that are scored, unless that is no plenty of lists
MOST_HELD = 200_000_000  # customers times offers that are held at all
# Where two maps of a large catalogue are to be weighed against each other: small gaps decide.
MANY_LISTS, MANY_CELLS = 4000, 100_000_000
CHUNK_CELLS = 1_000_000  # of which so many at once
MOST_CANDIDATES, SAMPLED = 500, 300  # beyond so many candidates, a list is taken and a sample


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
        if self.alike and len(rows):
            columns = np.broadcast_to(self.columns[0], (len(rows), self.columns.shape[1]))
        else:
            columns = self.columns[rows]
        return Layout(self.rows[rows], columns, self.taken[rows], self.candidate[rows])


def evenly(n: int, most: int) -> np.ndarray:
    """Choose at most so many of n rows, evenly."""
    return np.linspace(0, n - 1, min(n, most)).astype(np.int64)


def most_lists(offers: int) -> int:
    """Say how many lists of so many offers are looked at."""
    width = max(1, offers)
    lists = max(MOST_LISTS, LIST_CELLS // width)
    return max(1, min(lists, max(PLENTY, MOST_CELLS // width), MOST_HELD // width))


def many_lists(offers: int) -> int:
    """Say how many of them are looked at where maps of a large catalogue are weighed."""
    return max(most_lists(offers), min(MANY_LISTS, MANY_CELLS // max(1, offers)))


def lay_out(
    rows: np.ndarray, taken: np.ndarray, candidate: np.ndarray, seed: int
) -> tuple[Layout, Layout]:
    """Lay out lists of customers.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        The customers.
    taken, candidate : ndarray of bool, shape (n, offers)
        What each took, and what was on offer to each.

    Returns
    -------
    lists, whole : Layout
        To learn from, of very many candidates a sample; and the same with all of them.
    """
    positive = taken & candidate
    shared = np.flatnonzero(candidate.any(axis=0))
    every = np.broadcast_to(shared, (len(rows), len(shared)))
    whole = Layout(rows, every, positive[:, shared], candidate[:, shared])
    long = len(shared) > MOST_CANDIDATES
    return _sampled(rows, positive, candidate, seed) if long else whole, whole


def _sampled(rows: np.ndarray, positive: np.ndarray, candidate: np.ndarray, seed: int) -> Layout:
    """Choose the offers of each list: what was taken and a sample of the other candidates.

    A sample of the customer's own, drawn alike from all candidates, leaves the weights unbiased
    (McFadden 1978); one that follows what others took would not.
    """
    random = np.random.default_rng(seed)
    others = np.minimum((candidate & ~positive).sum(axis=1), SAMPLED)
    width = int((positive.sum(axis=1) + others).max(initial=1))
    columns = np.empty((len(candidate), width), dtype=np.int64)
    for row in range(len(candidate)):
        taken = np.flatnonzero(positive[row])
        passed = random.permutation(np.flatnonzero(candidate[row] & ~positive[row]))[:SAMPLED]
        chosen = np.concatenate([taken, passed])
        columns[row] = np.resize(chosen, width)  # filled up by offers that are there already
    once = _first_time(columns)
    return Layout(
        rows=rows,
        columns=columns,
        taken=np.take_along_axis(positive, columns, axis=1) & once,
        candidate=np.take_along_axis(candidate, columns, axis=1) & once,
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
