"""What the parts of the recommender promise each other: queries in, scores out."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Protocol

import numpy as np
import scipy.sparse as sp


class Source(StrEnum):
    """The closed vocabulary of where a score comes from."""

    COLLABORATIVE = "collaborative"
    CONTENT = "content"
    SEGMENT = "segment"
    DEMOGRAPHIC = "demographic"
    SURVEY = "survey"
    POPULARITY = "popularity"


CLICKED = 0.2  # what a click without a redemption counts beside one
HYBRID, RANDOM = "hybrid", "random"
POLICIES = (HYBRID, *(str(source) for source in Source), RANDOM)


@dataclass(frozen=True)
class Query:
    """What is known of n customers at one moment, as arrays over a bundle's rows.

    Attributes
    ----------
    history : csr_matrix, shape (n, offers)
        Weight of the interactions with each offer, the older the less; see
        `recommender.features.history`.
    redeemed : csr_matrix, shape (n, offers)
        How often the customer redeemed the offer, or bought what it is for where that counts alike.
    bought : csr_matrix, shape (n, offers)
        How many of these were purchases: they do not use an offer up.
    shown : csr_matrix, shape (n, offers)
        How often the customer was shown the offer, of those that can be taken again.
    purchases, baskets, recent, spent : csr_matrix, shape (n, keys); spent (n, 1)
        Money, transactions and recency per purchase key, and money in all (see
        `recommender.features.purchases`).
    wallet : csr_matrix, shape (n, groups)
        Money by group of goods, whatever offers are for (see `recommender.features.wallet`).
    segment : csr_matrix, shape (n, segments)
        One in the customer's segment; an empty row where it is not known.
    demographic : csr_matrix, shape (n, columns)
        The profile; an attribute that is not known is empty. See
        `recommender.features.demographics`.
    answers : csr_matrix, shape (n, 2 · questions)
        One for each answer given; a question's "yes" and "no" stand side by side.
    responses : csr_matrix, shape (n, 3)
        How many impressions, clicks and redemptions there were (see `recommender.features.habits`).
    flagged : csr_matrix, shape (n, kinds)
        One for the kind of anomaly the customer is flagged as, if any (`segmentation.anomaly`).
    """

    history: sp.csr_matrix
    redeemed: sp.csr_matrix
    bought: sp.csr_matrix
    shown: sp.csr_matrix
    purchases: sp.csr_matrix
    baskets: sp.csr_matrix
    recent: sp.csr_matrix
    spent: sp.csr_matrix
    wallet: sp.csr_matrix
    segment: sp.csr_matrix
    demographic: sp.csr_matrix
    answers: sp.csr_matrix
    responses: sp.csr_matrix
    flagged: sp.csr_matrix

    def __len__(self) -> int:
        return int(self.history.shape[0])

    def take(self, rows: np.ndarray) -> Query:
        """Return the queries of some rows."""
        return Query(*(part[rows] for part in self.parts()))

    def span(self, start: int, stop: int) -> Query:
        """Return the queries of consecutive rows: quicker than to pick them."""
        return Query(*(_rows(part, start, stop) for part in self.parts()))

    def one(self, row: int) -> Query:
        """Return the query of one row: the cheap way, for a request."""
        return Query(*(_rows(part, row, row + 1) for part in self.parts()))

    def parts(self) -> tuple[sp.csr_matrix, ...]:
        """Return the matrices in the order of the fields."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def used(self) -> sp.csr_matrix:
        """Return how often offers were redeemed, purchases apart: shape (n, offers)."""
        return sp.csr_matrix(self.redeemed - self.bought) if self.bought.nnz else self.redeemed

    def taken(self) -> sp.csr_matrix:
        """Return one for offers redeemed and a little for those clicked: shape (n, offers)."""
        done = self.redeemed.copy()
        done.data[:] = 1.0
        return with_clicks(done, self.history)

    def times(self) -> sp.csr_matrix:
        """Return how often offers were redeemed, a little for those but clicked: (n, offers)."""
        return with_clicks(self.redeemed, self.history)

    def equals(self, other: Query) -> bool:
        """Tell whether exactly the same is known of the same number of customers."""
        return all(
            one.shape == two.shape
            and np.array_equal(one.indptr, two.indptr)
            and np.array_equal(one.indices, two.indices)
            and np.array_equal(one.data, two.data)
            for one, two in zip(self.parts(), other.parts(), strict=True)
        )

    def without_history(self) -> Query:
        """Forget the interactions."""
        return self._without("history", "redeemed", "bought", "shown", "responses")

    def without_purchases(self) -> Query:
        """Forget the transactions."""
        return self._without("purchases", "baskets", "recent", "spent", "wallet")

    def without_answers(self) -> Query:
        """Forget the survey."""
        return self._without("answers")

    def _without(self, *names: str) -> Query:
        return replace(self, **{name: sp.csr_matrix(getattr(self, name).shape) for name in names})

    def evidence(self) -> np.ndarray:
        """Say how much is known: shape (n, 2), history and purchases, each n / (n + 2)."""
        events = np.diff(self.history.indptr)
        keys = np.diff(self.purchases.indptr)
        return np.column_stack([events / (events + 2.0), keys / (keys + 2.0)])


class Reading(Protocol):
    """What a source makes of a query: all scores, or some exactly and all of them roughly."""

    @property
    def speaking(self) -> np.ndarray:
        """Customers to whom anything can be said: shape (n,)."""

    def table(self) -> np.ndarray:
        """Return all scores: shape (n, offers), NaN where nothing can be said."""

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the scores of pairs of customer and offer: shape (pairs,), NaN likewise."""

    def add_to(
        self, total: np.ndarray, rows: slice, share: np.ndarray, centre: float, room: np.ndarray
    ) -> None:
        """Add to single-precision totals what is said above a centre to some customers.

        Parameters
        ----------
        total : ndarray of float32, shape (m, offers)
        rows : slice
            The m customers.
        share : ndarray of float, shape (m,)
            What it is multiplied by; where nothing can be said nothing is added.
        room : ndarray of float32, shape (2, m, offers)
            To be written to.
        """

    def slip(self, centre: float) -> np.ndarray:
        """Bound the error of what is added, for a share of one: shape (n,)."""


class Scorer(Protocol):
    """Anything that can score every offer for a query.

    A score says nothing about other sources' scores; NaN says "cannot say". Every scorer passes
    tests/contract/test_scorers.py.
    """

    @property
    def source(self) -> Source:
        """Where the score comes from."""

    def score(self, query: Query) -> np.ndarray:
        """Score every offer: shape (n, offers), NaN where nothing can be said."""

    def read(self, query: Query) -> Reading:
        """Prepare the scores."""


def with_clicks(done: sp.csr_matrix, history: sp.csr_matrix) -> sp.csr_matrix:
    """Add a little for what is in a history but was not redeemed: shape (n, offers)."""
    seen = history.copy()
    seen.data[:] = CLICKED
    return sp.csr_matrix(done.maximum(seen))


def _rows(matrix: sp.csr_matrix, start: int, stop: int) -> sp.csr_matrix:
    stop = min(stop, matrix.shape[0])
    first, last = matrix.indptr[start], matrix.indptr[stop]
    inside = matrix.data[first:last], matrix.indices[first:last], matrix.indptr[start : stop + 1]
    return sp.csr_matrix((*inside[:2], inside[2] - first), shape=(stop - start, matrix.shape[1]))


def stack(queries: list[Query]) -> Query:
    """Put queries on top of each other."""
    columns = zip(*(query.parts() for query in queries), strict=True)
    return Query(*(sp.csr_matrix(sp.vstack(column)) for column in columns))
