"""Collaborative filtering as serving sees it: what the history of offers taken says of others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.base import Query, Source

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
        size = self.offers.shape[1]
        surplus = taken.copy()
        surplus.data = self.alpha * taken.data - 1.0
        # Every history adds outer products of its offers to the Gram matrix: one product for all.
        right = self.alpha * (taken @ self.offers)
        left = self._gram + (surplus @ self._squares).reshape(len(right), size, size)
        people = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        return np.asarray(people @ self.offers.T)

    @cached_property
    def _squares(self) -> np.ndarray:
        """Outer product of each offer's factors with themselves: shape (offers, f²)."""
        count, size = self.offers.shape
        pairs = self.offers[:, :, None] * self.offers[:, None, :]
        return np.asarray(pairs.reshape(count, size * size))

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

    def speaks_for(self, taken: np.ndarray, offer: int) -> np.ndarray:
        """Say how much each taken offer speaks for another one: shape (taken,)."""
        near = self._near
        alike = near[taken, offer] if isinstance(near, np.ndarray) else near[taken][:, [offer]]
        alike = alike if isinstance(alike, np.ndarray) else alike.toarray().ravel()
        return np.asarray(alike + self.left[taken] @ self.right[offer])

    @cached_property
    def _near(self) -> np.ndarray | sp.csr_matrix:
        """`near` as the faster of the two: few zeros are quicker run through than skipped."""
        offers = self.near.shape[0]
        return self.near.toarray() if self.near.nnz >= DENSE * offers**2 else self.near


@dataclass(frozen=True)
class CollaborativeScorer:
    """Weighted sum of what a history says.

    - factors: the ALS;
    - autoencoder: the linear map;
    - again: log(1 + times taken before) of the offer itself;
    - lately: the same, the older the less;
    - habit: how often those who take the offer take it, where the customer has.

    Attributes
    ----------
    factors : Factors
    autoencoder : Autoencoder
    habit : ndarray of float, shape (offers,)
        Log of times taken per customer who took it.
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
    trained: np.ndarray
    scale: np.ndarray
    weight: np.ndarray

    @property
    def source(self) -> Source:
        """Where the score comes from."""
        return Source.COLLABORATIVE

    def score(self, query: Query) -> np.ndarray:
        """Score every offer; NaN for a customer without history and for an offer without any."""
        can = self.can_say(query)
        total = np.zeros(can.shape)
        for row, name in enumerate(PRIOR if can.any() else ()):
            if self.weight[row]:
                total += self.weight[row] / self.scale[row] * self.feature(name, query)
        return np.where(can, total, np.nan)

    def can_say(self, query: Query) -> np.ndarray:
        """Tell where there is both a history and an offer that others took."""
        return np.outer(np.diff(query.history.indptr) > 0, self.trained)

    def features(self, query: Query) -> np.ndarray:
        """Return the features apart: shape (features, n, offers)."""
        parts = np.stack([self.feature(name, query) for name in PRIOR])
        return np.asarray(parts / self.scale[:, None, None])

    def feature(self, name: str, query: Query) -> np.ndarray:
        """Return one feature, not scaled: shape (n, offers)."""
        if name == "factors":
            return self.factors.score(query.taken())
        if name == "autoencoder":
            return self.autoencoder.score(_log1p(query.times()))
        if name == "again":
            return np.asarray(_log1p(query.redeemed).toarray())
        if name == "lately":
            return np.asarray(_log1p(query.history).toarray())
        once = query.redeemed.copy()
        once.data = self.habit[once.indices]
        return np.asarray(once.toarray())


def _log1p(counts: sp.csr_matrix) -> sp.csr_matrix:
    found = counts.copy()
    found.data = np.log1p(found.data)
    return found
