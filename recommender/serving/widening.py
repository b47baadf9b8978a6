"""Arrays with more rows or columns than before: where the old ones go and the new ones stand."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Places:
    """Where names go when others are sorted in between them.

    Attributes
    ----------
    names : ndarray of str, shape (n,)
        Old and new ones.
    old : ndarray of int, shape (old,)
        Place of each old one; rising, so that what is sorted stays so.
    new : ndarray of int, shape (new,)
        Place of each new one.
    """

    names: np.ndarray
    old: np.ndarray
    new: np.ndarray

    @classmethod
    def among(cls, before: np.ndarray, more: Collection[str]) -> Places:
        """Sort names into sorted names that hold none of them."""
        fresh = np.array(sorted(more), dtype=np.str_)
        return cls.at(before, fresh, np.searchsorted(before, fresh))

    @classmethod
    def at(cls, before: np.ndarray, fresh: np.ndarray, at: np.ndarray) -> Places:
        """Put new names, in their order, before rows `at`, which rise."""
        new = at + np.arange(len(fresh))
        old = np.arange(len(before)) + np.searchsorted(at, np.arange(len(before)), side="right")
        names = np.empty(len(old) + len(new), dtype=np.promote_types(before.dtype, fresh.dtype))
        names[old], names[new] = before, fresh
        return cls(names, old, new)

    def within(self, before: slice, after: slice) -> Places:
        """Return the places within one stretch of the names, where that was and where it is."""
        new = self.new[(self.new >= after.start) & (self.new < after.stop)]
        return Places(self.names[after], self.old[before] - after.start, new - after.start)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Place of each name."""
        return {str(name): row for row, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def spread(self, values: np.ndarray, more: np.ndarray | float = 0.0) -> np.ndarray:
        """Put rows at their places, and `more` at those of the new ones."""
        if not len(self.new):
            return values
        whole = np.empty((len(self), *values.shape[1:]), dtype=values.dtype)
        whole[self.old], whole[self.new] = values, more
        return whole

    def spread_columns(self, values: np.ndarray, more: np.ndarray | float = 0.0) -> np.ndarray:
        """Put the columns of a table, shape (rows, old), at their places."""
        if not len(self.new):
            return values
        whole = np.empty((len(values), len(self)), dtype=values.dtype)
        whole[:, self.old], whole[:, self.new] = values, more
        return whole

    def columns(self, matrix: sp.csr_matrix) -> sp.csr_matrix:
        """Renumber the columns of a sparse matrix; new ones are empty, values are shared."""
        if not len(self.new):
            return matrix
        column = self.old.astype(matrix.indices.dtype)[matrix.indices]
        shape = (matrix.shape[0], len(self))
        return sp.csr_matrix((matrix.data, column, matrix.indptr), shape=shape)

    def lines(self, matrix: sp.csr_matrix) -> sp.csr_matrix:
        """Renumber the rows of a sparse matrix; new ones are empty, values are shared."""
        if not len(self.new):
            return matrix
        length = self.spread(np.diff(matrix.indptr), 0)
        indptr = np.concatenate([[0], np.cumsum(length)]).astype(matrix.indptr.dtype)
        shape = (len(self), matrix.shape[1])
        return sp.csr_matrix((matrix.data, matrix.indices, indptr), shape=shape)


def with_lines(matrix: sp.csr_matrix, rows: np.ndarray, lines: sp.csr_matrix) -> sp.csr_matrix:
    """Replace rows of a sparse matrix."""
    if not len(rows):
        return matrix
    order = np.arange(matrix.shape[0])
    order[rows] = matrix.shape[0] + np.arange(len(rows))
    return sp.csr_matrix(sp.csr_matrix(sp.vstack([matrix, lines], format="csr"))[order])
