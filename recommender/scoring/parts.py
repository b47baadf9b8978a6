"""What a score is summed up from, in a form that can give a few values exactly or all of them fast.

A list needs the exact scores of the few offers in it, and of the others only that they are not
among these. So every part of a score gives exact values of some pairs of customer and offer in
double precision, adds all of them to totals in single precision, and bounds how far these are off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import scipy.sparse as sp

ROUNDING = 2.0**-24  # relative error of one operation in single precision
FURTHER = 32  # roundings that a value goes through after it was computed: a generous count


class Part(Protocol):
    """Values of n customers for every offer."""

    def table(self) -> np.ndarray:
        """Return all of them: shape (n, offers), in double precision where that was computed."""

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return those of some pairs of customer and offer: shape (pairs,)."""

    def add_to(self, total: np.ndarray, rows: slice, factor: np.ndarray, room: np.ndarray) -> None:
        """Add all values of some customers times a factor to single-precision totals.

        Parameters
        ----------
        total, room : ndarray of float32, shape (m, offers)
            `room` is there to be written to: large arrays cost more to get than to fill.
        rows : slice
            The m customers.
        factor : ndarray of float, shape (m,)
        """

    def slip(self) -> np.ndarray:
        """Bound the error of a value that was added, for a factor of one: shape (n,)."""


@dataclass(frozen=True)
class Side:
    """The offers' side of a product: shape (offers, r), in both precisions."""

    exact: np.ndarray

    @cached_property
    def single(self) -> np.ndarray:
        """Transposed, in single precision: shape (r, offers)."""
        return np.ascontiguousarray(self.exact.T, dtype=np.float32)

    @cached_property
    def largest(self) -> np.ndarray:
        """Largest size in each column: shape (r,)."""
        return np.asarray(np.abs(self.exact).max(axis=0, initial=0.0))


@dataclass(frozen=True)
class Product:
    """Inner products of customers, shape (n, r), and offers."""

    left: np.ndarray
    right: Side

    def table(self) -> np.ndarray:
        """Multiply all."""
        return np.asarray(self.left @ self.right.exact.T)

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Multiply some."""
        return np.asarray(np.einsum("pr,pr->p", self.left[rows], self.right.exact[columns]))

    def add_to(self, total: np.ndarray, rows: slice, factor: np.ndarray, room: np.ndarray) -> None:
        """Multiply all by one product of matrices."""
        left = (factor[:, None] * self.left[rows]).astype(np.float32)
        total += np.matmul(left, self.right.single, out=room)

    def slip(self) -> np.ndarray:
        """Bound the sum of the sizes of what is added up."""
        size = np.abs(self.left) @ self.right.largest
        return np.asarray(ROUNDING * (self.left.shape[1] + FURTHER) * size)


@dataclass(frozen=True)
class Table:
    """Values as they are: shape (n, offers)."""

    value: np.ndarray

    def table(self) -> np.ndarray:
        """Return them."""
        return self.value

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Pick some."""
        return np.asarray(self.value[rows, columns], dtype=np.float64)

    def add_to(self, total: np.ndarray, rows: slice, factor: np.ndarray, room: np.ndarray) -> None:
        """Add them."""
        by = factor.astype(self.value.dtype)[:, None]
        total += np.multiply(self.value[rows], by, out=room, casting="same_kind")

    def slip(self) -> np.ndarray:
        """Bound by the largest."""
        return _slip_of(self.value, len(self.value))


@dataclass(frozen=True)
class Cells:
    """Values of a few pairs, each once, zero elsewhere: a csr_matrix of shape (n, offers)."""

    value: sp.csr_matrix

    def table(self) -> np.ndarray:
        """Fill up with zeros."""
        return np.asarray(self.value.toarray())

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Look some up."""
        number, value = self._numbered
        wanted = rows * self.value.shape[1] + columns
        place, hit = look_up(wanted, number)
        found = np.zeros(len(wanted))
        found[hit] = value[place[hit]]
        return found

    @cached_property
    def _numbered(self) -> tuple[np.ndarray, np.ndarray]:
        """The number of each cell, counted row by row, ascending, and its value."""
        number = cells_of(self.value)
        order = np.argsort(number, kind="stable")
        return number[order], self.value.data[order].astype(np.float64)

    def add_to(self, total: np.ndarray, rows: slice, factor: np.ndarray, room: np.ndarray) -> None:  # noqa: ARG002
        """Add the few."""
        ends = self.value.indptr[rows.start : rows.stop + 1]
        here = slice(ends[0], ends[-1])
        person = np.repeat(np.arange(len(total)), np.diff(ends))
        value = factor[person] * self.value.data[here]
        total[person, self.value.indices[here]] += value.astype(np.float32)

    def slip(self) -> np.ndarray:
        """Bound by the largest."""
        return _slip_of(self.value.data, self.value.shape[0])


def _slip_of(value: np.ndarray, n: int) -> np.ndarray:
    """Bound the rounding of values by the largest of all, for n customers: shape (n,)."""
    largest = max(float(value.max(initial=0.0)), -float(value.min(initial=0.0)))
    return np.full(n, ROUNDING * FURTHER * largest)


def cells_of(matrix: sp.csr_matrix) -> np.ndarray:
    """Return the numbers of the entries of a sparse matrix, cells being counted row by row."""
    n, columns = matrix.shape
    return np.asarray(np.repeat(np.arange(n) * columns, np.diff(matrix.indptr)) + matrix.indices)


def look_up(wanted: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find numbers among ascending ones: their places there, and whether they are there at all."""
    place = np.searchsorted(known, wanted)
    place[place == len(known)] = 0
    return place, known[place] == wanted if len(known) else np.zeros(len(wanted), dtype=bool)


def pairs_of(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return customer and offer of lists of offers, shape (n, c), row by row."""
    return np.repeat(np.arange(len(columns)), columns.shape[1]), columns.ravel()


def features_at(parts: Sequence[Part], columns: np.ndarray) -> np.ndarray:
    """Return parts at lists of offers, shape (n, c): shape (parts, n, c)."""
    pairs = pairs_of(columns)
    return np.stack([part.at(*pairs) for part in parts]).reshape(len(parts), *columns.shape)


def rough_sums(parts: Sequence[Part], weights: np.ndarray, offers: int) -> np.ndarray:
    """Sum up parts in single precision by several weights: shape (w, n, offers).

    Parameters
    ----------
    weights : ndarray of float, shape (w, parts, n)
    """
    total = np.zeros((len(weights), weights.shape[2], offers), dtype=np.float32)
    own, room = np.empty((2, *total.shape[1:]), dtype=np.float32)
    once = np.ones(weights.shape[2])
    for part, factors in zip(parts, weights.swapaxes(0, 1), strict=True):
        if factors.any():
            own[:] = 0.0
            part.add_to(own, slice(0, len(own)), once, room)
            for found, factor in zip(total, factors, strict=True):
                found += np.multiply(own, factor.astype(np.float32)[:, None], out=room)
    return total
