"""Matrices of few rows, put together without a detour: a request cannot wait for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp


def rows_of(rows: Sequence[Mapping[int, float]], width: int) -> sp.csr_matrix:
    """Make a matrix of rows that are given as values by column."""
    columns = [sorted(row) for row in rows]
    data = [row[column] for row, own in zip(rows, columns, strict=True) for column in own]
    return sp.csr_matrix(
        (
            np.array(data, dtype=np.float64),
            np.array([column for own in columns for column in own], dtype=np.int32),
            np.cumsum([0, *map(len, columns)], dtype=np.int32),
        ),
        shape=(len(rows), width),
    )


def picked(matrix: sp.csr_matrix, rows: np.ndarray) -> sp.csr_matrix:
    """Return some rows; an empty one for each number below zero."""
    if len(rows) == 1 and rows[0] >= 0:  # a single request's: nothing to work out
        columns, values = entries(matrix, rows[0])
        return sp.csr_matrix((values, columns, [0, len(values)]), shape=(1, matrix.shape[1]))
    known = rows >= 0
    start = np.where(known, matrix.indptr[rows], 0)
    length = np.where(known, matrix.indptr[rows + 1], 0) - start
    ends = np.concatenate([[0], np.cumsum(length)]).astype(matrix.indptr.dtype)
    place = np.repeat(start - ends[:-1], length) + np.arange(ends[-1])
    inside = matrix.data[place], matrix.indices[place], ends
    return sp.csr_matrix(inside, shape=(len(rows), matrix.shape[1]))


def entries(matrix: sp.csr_matrix, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns and the values of a row."""
    start, end = matrix.indptr[row : row + 2]
    return matrix.indices[start:end], matrix.data[start:end]
