"""Linear models of histories: what was taken goes in, what it says of every offer comes out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.scoring.parts import Product, Side

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
    """A linear map from a history to offers: x · near.

    Attributes
    ----------
    near : csr_matrix, shape (offers, offers)
        How much each taken offer (row) speaks for another (column), its largest entries.
    """

    near: sp.csr_matrix

    def score(self, history: sp.csr_matrix) -> np.ndarray:
        """Map histories to offers: shape (n, offers)."""
        found = sp.csr_matrix(history, dtype=np.float32) @ self._near
        return found if isinstance(found, np.ndarray) else np.asarray(found.toarray())

    def speak_for(self, taken: np.ndarray, offers: np.ndarray) -> np.ndarray:
        """Say how much each taken offer speaks for some others: shape (taken, offers)."""
        near = self._near
        if isinstance(near, np.ndarray):
            return np.asarray(near[np.ix_(taken, offers)])
        return np.asarray(near[taken][:, offers].toarray())

    @cached_property
    def _near(self) -> np.ndarray | sp.csr_matrix:
        """`near` as the faster of the two: few zeros are quicker run through than skipped."""
        offers = self.near.shape[0]
        return self.near.toarray() if self.near.nnz >= DENSE * offers**2 else self.near


@dataclass(frozen=True)
class Space:
    """A linear map of low rank: x · left · rightᵀ.

    Attributes
    ----------
    left, right : ndarray of float, shape (offers, r)
        r is zero where a map between all pairs of offers says it all.
    """

    left: np.ndarray
    right: np.ndarray

    @property
    def rank(self) -> int:
        """Number of its directions."""
        return int(self.left.shape[1])

    def read(self, history: sp.csr_matrix) -> Product:
        """Map histories to the space and leave the last product to be made."""
        # In one precision, or the whole side would be copied for every few histories.
        people = sp.csr_matrix(history, dtype=self.left.dtype) @ self.left
        return Product(np.asarray(people, dtype=np.float64), self._side)

    def speak_for(self, taken: np.ndarray, offers: np.ndarray) -> np.ndarray:
        """Say how much each taken offer speaks for some others: shape (taken, offers)."""
        return np.asarray(self.left[taken] @ self.right[offers].T)

    @cached_property
    def _side(self) -> Side:
        return Side(self.right)
