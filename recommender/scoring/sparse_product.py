"""Products of customers with offers that each have few of very many columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.scoring.parts import FURTHER, ROUNDING, Part


@dataclass(frozen=True)
class SparseSide:
    """The offers' side of a product: shape (offers, columns), in both precisions."""

    exact: sp.csr_matrix

    @cached_property
    def single(self) -> sp.csr_matrix:
        """In single precision."""
        return self.exact.astype(np.float32)

    @cached_property
    def length(self) -> int:
        """Most entries of an offer."""
        return int(np.diff(self.exact.indptr).max(initial=0))

    @cached_property
    def largest(self) -> float:
        """Largest sum of the sizes of an offer's entries."""
        return float(np.asarray(abs(self.exact).sum(axis=1)).max(initial=0.0))


@dataclass(frozen=True)
class SparseProduct:
    """Inner products of customers, shape (n, columns), and offers."""

    left: np.ndarray
    right: SparseSide

    def table(self) -> np.ndarray:
        """Multiply all."""
        return np.ascontiguousarray((self.right.exact @ self.left.T).T)

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Multiply some."""
        own = self.right.exact[columns]
        pair = np.repeat(np.arange(len(rows)), np.diff(own.indptr))
        value = self.left[rows[pair], own.indices] * own.data
        return np.bincount(pair, weights=value, minlength=len(rows))

    def add_to(self, total: np.ndarray, rows: slice, factor: np.ndarray, room: np.ndarray) -> None:  # noqa: ARG002
        """Multiply all, offer by offer: of the columns most are empty."""
        left = (factor[:, None] * self.left[rows]).astype(np.float32)
        total += (self.right.single @ left.T).T

    def slip(self) -> np.ndarray:
        """Bound the sum of the sizes of what is added up."""
        size = np.abs(self.left).max(axis=1, initial=0.0) * self.right.largest
        return np.asarray(ROUNDING * (self.right.length + FURTHER) * size)


@dataclass(frozen=True)
class Sum:
    """Parts that make one together."""

    parts: Sequence[Part]

    def table(self) -> np.ndarray:
        """Add up all."""
        return np.asarray(sum(part.table() for part in self.parts))

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Add up some."""
        return np.asarray(sum(part.at(rows, columns) for part in self.parts))

    def add_to(self, total: np.ndarray, rows: slice, factor: np.ndarray, room: np.ndarray) -> None:
        """Add one after another."""
        for part in self.parts:
            part.add_to(total, rows, factor, room)

    def slip(self) -> np.ndarray:
        """Bound by what each may be off."""
        return np.asarray(sum(part.slip() for part in self.parts))
