"""Collaborative filtering as serving sees it: what the history of offers taken says of others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.base import Query, Source
from recommender.mixing import Mix, Says
from recommender.parts import Cells, Part, Product, Side, Table, cells_of, features_at, rough_sum

# What makes it: the names of its features, with what each counts before anything is learnt.
PRIOR = {"factors": 0.3, "autoencoder": 0.6, "again": 0.5, "lately": 0.5, "habit": 0.5}
SCALED = ("factors", "autoencoder")  # counted in standard deviations within a customer
DENSE = 0.15  # share of entries from which a matrix is held as a table; up to 6,700 offers, 180 MB


@dataclass(frozen=True)
class Factors:
    """Offer factors of an implicit-feedback ALS (Hu, Koren & Volinsky 2008).

    A customer's factor is solved from the history at hand, so a new event counts at once.

    Attributes
    ----------
    offers : ndarray of float, shape (offers, f)
    regularization : float
        As in training.
    alpha : float
        Confidence of an interaction of weight one.
    """

    offers: np.ndarray
    regularization: float
    alpha: float

    def score(self, taken: sp.csr_matrix) -> np.ndarray:
        """Fold histories in: shape (n, offers)."""
        return self.read(taken).table()

    def read(self, taken: sp.csr_matrix) -> Product:
        """Fold histories in and leave the last product to be made."""
        surplus = taken.copy()
        surplus.data = self.alpha * taken.data - 1.0
        # Every history adds outer products of its offers to the Gram matrix: one product for all.
        right = self.alpha * (taken @ self.offers)
        left = self._gram + (surplus @ self._squares)[:, self._corner]
        people = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        return Product(people, self._side)

    @cached_property
    def _side(self) -> Side:
        return Side(self.offers)

    @cached_property
    def _squares(self) -> np.ndarray:
        """Half the outer product of each offer's factors: shape (offers, f (f + 1) / 2)."""
        one, two = np.triu_indices(self.offers.shape[1])
        return np.ascontiguousarray(self.offers[:, one] * self.offers[:, two])

    @cached_property
    def _corner(self) -> np.ndarray:
        """Place of each entry of the whole outer product in its half: shape (f, f)."""
        size = self.offers.shape[1]
        place = np.empty((size, size), dtype=np.int64)
        one, two = np.triu_indices(size)
        place[one, two] = place[two, one] = np.arange(len(one))
        return place

    @cached_property
    def _gram(self) -> np.ndarray:
        size = self.offers.shape[1]
        return np.asarray(self.offers.T @ self.offers + self.regularization * np.eye(size))


@dataclass(frozen=True)
class Autoencoder:
    """A linear map from a history to offers: x · (near + left · rightᵀ).

    Attributes
    ----------
    near : csr_matrix, shape (offers, offers)
        How much each taken offer (row) speaks for another (column), its largest entries.
    left, right : ndarray of float, shape (offers, r)
        What all offers together say of each other; r is zero where `near` says it all.
    """

    near: sp.csr_matrix
    left: np.ndarray
    right: np.ndarray

    def score(self, history: sp.csr_matrix) -> np.ndarray:
        """Map histories to offers: shape (n, offers)."""
        taken = sp.csr_matrix(history, dtype=np.float32)
        near = taken @ self._near
        near = near if isinstance(near, np.ndarray) else near.toarray()
        if not self.left.shape[1]:
            return np.asarray(near)
        return np.asarray(near + (taken @ self.left) @ self.right.T)

    def speak_for(self, taken: np.ndarray, offers: np.ndarray) -> np.ndarray:
        """Say how much each taken offer speaks for some others: shape (taken, offers)."""
        near = self._near
        if isinstance(near, np.ndarray):
            alike = near[np.ix_(taken, offers)]
        else:
            alike = near[taken][:, offers].toarray()
        return np.asarray(alike + self.left[taken] @ self.right[offers].T)

    @cached_property
    def _near(self) -> np.ndarray | sp.csr_matrix:
        """`near` as the faster of the two: few zeros are quicker run through than skipped."""
        offers = self.near.shape[0]
        return self.near.toarray() if self.near.nnz >= DENSE * offers**2 else self.near


@dataclass(frozen=True)
class CollaborativeScorer:
    """Weighted sum of what a history says, bent where it is large.

    Among tens of thousands of offers the few that a history speaks for are a hundred standard
    deviations ahead, and no log-odds goes with that: the logarithm does.

    - factors: the ALS;
    - autoencoder: the linear map;
    - again: log(1 + times taken before) of the offer itself;
    - lately: the same, the older the less;
    - habit: how often those who take the offer take it, where the customer has.

    An offer that can be taken once only counts once, and not for itself once it is taken.

    Attributes
    ----------
    factors : Factors
    autoencoder : Autoencoder
    habit : ndarray of float, shape (offers,)
        Log of times taken per customer who took it; zero where it can be taken once only.
    repeatable : ndarray of bool, shape (offers,)
        Offers that can be taken again.
    trained : ndarray of bool, shape (offers,)
        Offers with interactions; of others nothing can be said.
    scale : ndarray of float, shape (features,)
        Features are divided by it.
    weight : ndarray of float, shape (features,)
        What each counts, in the order of `PRIOR`.
    """

    factors: Factors
    autoencoder: Autoencoder
    habit: np.ndarray
    repeatable: np.ndarray
    trained: np.ndarray
    scale: np.ndarray
    weight: np.ndarray

    @property
    def source(self) -> Source:
        """Where the score comes from."""
        return Source.COLLABORATIVE

    def score(self, query: Query) -> np.ndarray:
        """Score every offer; NaN for a customer without history and for an offer without any."""
        return self.read(query).table()

    def read(self, query: Query) -> Mix:
        """Prepare scores of offers."""
        says = self.says(query)
        weights = zip(PRIOR, self.weight / self.scale, strict=True) if says.rows.any() else ()
        parts = tuple((weight, self.part(name, query)) for name, weight in weights if weight)
        return Mix(parts, says, bent=True)

    def can_say(self, query: Query, columns: np.ndarray | None = None) -> np.ndarray:
        """Tell where there is both a history and an offer that others took."""
        return self.says(query).of(columns)

    def says(self, query: Query) -> Says:
        """Tell where it can score, and nothing more."""
        return Says(((np.diff(query.history.indptr) > 0, self.trained),))

    def features(self, query: Query, columns: np.ndarray | None = None) -> np.ndarray:
        """Return the features apart: shape (features, n, offers), or of `columns`, (n, c)."""
        if columns is None:
            parts = np.stack([self.feature(name, query) for name in PRIOR])
        else:
            parts = features_at([self.part(name, query) for name in PRIOR], columns)
        return np.asarray(parts / self.scale[:, None, None])

    def rough(self, query: Query, weight: np.ndarray) -> np.ndarray:
        """Sum up features in single precision by weights, shape (features, n): (n, offers)."""
        parts = [self.part(name, query) for name in PRIOR]
        return rough_sum(parts, weight / self.scale[:, None], len(self.trained))

    def feature(self, name: str, query: Query) -> np.ndarray:
        """Return one feature, not scaled: shape (n, offers)."""
        return self.part(name, query).table()

    def part(self, name: str, query: Query) -> Part:
        """Prepare one feature, not scaled."""
        if name == "factors":
            return self.factors.read(query.taken())
        if name == "autoencoder":
            return Table(self.autoencoder.score(_log1p(self._counted(query.times()))))
        if name == "lately":
            return Cells(_log1p(self._open(query)))
        before = query.redeemed.copy()
        if name == "again":
            before.data = np.log1p(before.data * self.repeatable[before.indices])
        else:
            before.data = self.habit[before.indices]
        return Cells(before)

    def _counted(self, times: sp.csr_matrix) -> sp.csr_matrix:
        """Count what can be taken once only at most once."""
        counted = times.copy()
        most = np.where(self.repeatable, np.inf, 1.0)
        counted.data = np.minimum(counted.data, most[counted.indices])
        return counted

    def _open(self, query: Query) -> sp.csr_matrix:
        """Leave out of the history what was redeemed and cannot be again."""
        history = query.history.copy()
        once = ~self.repeatable[history.indices]
        if once.any():
            gone = cells_of(query.redeemed)[query.redeemed.data > 0]
            history.data[once & np.isin(cells_of(history), gone)] = 0.0
        return history


def _log1p(counts: sp.csr_matrix) -> sp.csr_matrix:
    found = counts.copy()
    found.data = np.log1p(found.data)
    return found
