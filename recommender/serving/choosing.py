"""From queries to lists as arrays: all offers roughly, then exact scores of those that may be in.

Where a list is short and offers are many, nearly all of the work is to find out that an offer is
not in it, for which single precision does. A list whose last offer is not clearly ahead of all
that were left out, by more than rounding may have moved them, is made anew from exact scores of
everything: so the lists are those of exact scores, ties and all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from threading import local

import numpy as np
from scipy.special import expit

from recommender.base import HYBRID, Query, Reading, Source
from recommender.hybrid import Blend
from recommender.model import Recommender
from recommender.outline import Outline, outline
from recommender.serving.lists import Ranked, Wish, stacked
from recommender.serving.ranking import leaders, spread, top
from recommender.serving.single_source import lists_of_one

POOL = 5  # times the length of a list: what diversity chooses from
SPARE = 6  # offers beyond the length of a list that are scored exactly
STRIP_CELLS = 320_000  # customers times offers that are scored roughly at once
EXACT_CELLS = 1_280_000  # that are scored exactly at once
PAIRS = 160_000  # customers and offers whose exact scores are put together one by one at once
FEW_CELLS = 2000  # customers times offers up to which exact scores of all are as quick


class Chooser:
    """Lists of offers by a model's scores.

    Parameters
    ----------
    recommender : Recommender
    category : ndarray of int, shape (offers,)
        Number of each offer's category; below zero where it has none.
    """

    def __init__(self, recommender: Recommender, category: np.ndarray) -> None:
        self._model, self._category = recommender, category
        # Ties: score, then popularity, then id. Columns in this order make a stable sort do it.
        self._order = np.argsort(-recommender.popularity.base, kind="stable")
        self._place = np.argsort(self._order)
        self._kept = local()
        self._popularity = recommender.hybrid.sources.index(Source.POPULARITY)

    def choose(
        self, query: Query, allowed: np.ndarray, wish: Wish, random: np.random.Generator
    ) -> Ranked:
        """Make the lists of some customers.

        Parameters
        ----------
        allowed : ndarray of bool, shape (n, offers)
            What may be listed.
        random : Generator
            For the policy of that name.
        """
        if wish.policy != HYBRID:
            return lists_of_one(self._model, self._order, query, allowed, wish, random)
        if wish.knobs.diversity or allowed.size <= FEW_CELLS:
            return self._of_all(query, allowed, wish)
        return self._of_leaders(query, allowed, wish)

    def _of_leaders(self, query: Query, allowed: np.ndarray, wish: Wish) -> Ranked:
        readings = self._model.read(query, self._model.hybrid.shares(query))
        rough = outline(self._model.hybrid, readings, query, wish.knobs.novelty)
        rows, columns, limit = self._leaders(rough, allowed, wish.n + SPARE)
        count = np.bincount(rows, minlength=len(query))
        found = []
        for part in _strips(count):
            own = slice(*np.searchsorted(rows, [part.start, part.stop]))
            found.append(
                self._of_pairs(readings, query, rows[own], columns[own], count[part], part, wish)
            )
        lists = stacked([part for part, _ in found])
        worst = np.concatenate([part for _, part in found])
        doubtful = np.flatnonzero(limit + rough.slip() >= worst)
        if len(doubtful):
            exact = self._of_all(query.take(doubtful), allowed[doubtful], wish)
            for name in ("rows", "score", "source", "contributions"):
                getattr(lists, name)[doubtful] = getattr(exact, name)
        return lists

    def _of_pairs(
        self,
        readings: Sequence[Reading],
        query: Query,
        rows: np.ndarray,
        columns: np.ndarray,
        count: np.ndarray,
        people: slice,
        wish: Wish,
    ) -> tuple[Ranked, np.ndarray]:
        """Make the lists of some customers from exact scores of their leaders.

        Parameters
        ----------
        rows, columns : ndarray of int, shape (pairs,)
            The leaders, customer by customer.
        count : ndarray of int, shape (m,)
            How many each of the customers has.
        people : slice
            The m customers.

        Returns
        -------
        Ranked
        ndarray of float, shape (m,)
            Of the last offer in each list, what lists are ordered by.
        """
        scores = np.stack([reading.at(rows, columns) for reading in readings])
        blend = self._model.hybrid.blend_pairs(scores[:, :, None], query, rows, columns)
        order = self._ordering(blend, wish)[:, 0]
        best = np.lexsort((self._place[columns], -order, rows))
        rank = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        best, place = best[rank < wish.n], rank[rank < wish.n]
        person = rows[best] - people.start
        worst = np.full(len(count), np.inf)
        np.minimum.at(worst, person, order[best])
        shape = len(count), min(wish.n, self._model.n_offers)
        lists = Ranked(
            length=np.minimum(count, wish.n),
            speaking=np.stack([reading.speaking[people] for reading in readings], axis=1),
            **{
                name: _placed(person, place, value, shape)
                for name, value in (
                    ("rows", columns[best]),
                    *self._parts(blend, best, np.zeros_like(best)).items(),
                )
            },
        )
        return lists, worst

    def _leaders(
        self, rough: Outline, allowed: np.ndarray, n: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find the best offers by rough scores, as many customers at a time as the cache holds."""
        found = []
        step = max(1, STRIP_CELLS // allowed.shape[1])
        for start in range(0, len(allowed), step):
            part = allowed[start : start + step]
            score = rough.make(slice(start, start + len(part)), self._room(part.shape))
            np.copyto(score, -np.inf, where=~part)
            rows, columns, limit = leaders(score, n)
            found.append((start + rows, columns, limit))
        rows, columns, limit = (np.concatenate(part) for part in zip(*found, strict=True))
        return rows, columns, limit

    def _room(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return arrays to write to: to each thread its own, and every time the same."""
        cells = 3 * int(np.prod(shape))
        kept = getattr(self._kept, "room", None)
        if kept is None or len(kept) < cells:
            self._kept.room = kept = np.empty(cells, dtype=np.float32)
        return np.asarray(kept[:cells].reshape(3, *shape))

    def _of_all(self, query: Query, allowed: np.ndarray, wish: Wish) -> Ranked:
        """Make lists from exact scores of everything, so many at a time as memory should hold."""
        step = max(1, EXACT_CELLS // max(1, allowed.shape[1]))
        if len(query) <= step:
            return self._of_some(query, allowed, wish)
        return stacked(
            [
                self._of_some(query.span(start, start + step), allowed[start : start + step], wish)
                for start in range(0, len(query), step)
            ]
        )

    def _of_some(self, query: Query, allowed: np.ndarray, wish: Wish) -> Ranked:
        readings = self._model.read(query, self._model.hybrid.shares(query))
        blend = self._model.hybrid.blend(np.stack([one.table() for one in readings]), query)
        rows = self._best(blend, allowed, wish)
        return Ranked(
            rows=rows,
            length=np.minimum(allowed.sum(axis=1), wish.n),
            speaking=np.stack([reading.speaking for reading in readings], axis=1),
            **self._parts(blend, np.arange(len(query))[:, None], rows),
        )

    def _parts(self, blend: Blend, people: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Pick what is told of listed offers."""
        score = blend.score[people, rows]
        parts = np.moveaxis(blend.contributions[:, people, rows], 0, -1)
        intercept = np.broadcast_to(blend.intercept[people], score.shape)[..., None]
        return {
            "score": expit(score) if self._model.hybrid.calibrated else score,
            "source": blend.leading(people, rows),
            "contributions": np.concatenate([parts, intercept], axis=-1),
        }

    def _ordering(self, blend: Blend, wish: Wish) -> np.ndarray:
        """Return what lists are ordered by; the knobs change their order, never their scores."""
        if not wish.knobs.novelty:
            return blend.score
        return np.asarray(blend.score - wish.knobs.novelty * blend.contributions[self._popularity])

    def _best(self, blend: Blend, allowed: np.ndarray, wish: Wish) -> np.ndarray:
        score = self._ordering(blend, wish)
        if not wish.knobs.diversity:
            return top(score, allowed, wish.n, self._order)
        pool = top(score, allowed, POOL * wish.n, self._order)
        rows = np.empty((len(pool), min(wish.n, pool.shape[1])), dtype=np.int64)
        for person, best in enumerate(pool):
            there = np.where(allowed[person, best], score[person, best], -np.inf)
            loss = wish.knobs.diversity * float(score[person].std())
            rows[person] = spread(best, there, self._category, loss, wish.n)
        return rows


def _strips(count: np.ndarray) -> Iterator[slice]:
    """Cut customers into stretches that have about `PAIRS` pairs, of so many each."""
    turns = np.flatnonzero(np.diff(np.cumsum(count) // PAIRS)) + 1
    for start, stop in pairwise([0, *turns.tolist(), len(count)]):
        yield slice(start, stop)


def _placed(
    person: np.ndarray, place: np.ndarray, value: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Put what belongs to listed offers at their places in the lists."""
    whole = np.zeros((*shape, *value.shape[1:]), dtype=value.dtype)
    whole[person, place] = value
    return whole
