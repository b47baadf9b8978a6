"""A weighted denoising linear autoencoder, solved (Steck 2019 and 2020).

What customers have (offers taken, kinds of goods bought) says what else they would: one linear map
that fills in what is missing in each customer's row, by a single inverse.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from recommender.fitting.lapack import invert_lower

DROPOUT = 0.33
BLOCK = 64  # rows gone through at once, that they stay in the cache
CUSTOMER_POWER = 0.5  # a customer of n entries counts n^-.5: the busy do not speak for everybody


def solve_autoencoder(rows: sp.csr_matrix, penalty: float, most: int) -> sp.csr_matrix:
    """Solve for how much each column speaks for each other one.

    B = I - (G + Λ)⁻¹ Λ with G = XᵀWX and Λ = p / (1 - p) · diag(G) + λI; its diagonal is left out,
    since what a customer has already has features of its own.

    Parameters
    ----------
    rows : csr_matrix, shape (customers, columns)
        What each customer has; every column has entries, unless there is none at all.
    penalty : float
        λ.
    most : int
        How many entries are kept for each column, the largest.

    Returns
    -------
    csr_matrix of float32, shape (columns, columns)
        A column (the matrix's row) speaks for another (the matrix's column).
    """
    size = rows.shape[1]
    if not rows.nnz:
        return sp.csr_matrix((size, size), dtype=np.float32)
    products = rows.T @ (_weights(rows) @ rows)
    square = np.asarray(products.astype(np.float32).toarray(order="F")).T
    del products  # may be as large as the square matrix
    diagonal = square.diagonal().astype(np.float64)
    penalties = DROPOUT / (1 - DROPOUT) * diagonal + penalty
    square[np.diag_indices(size)] += penalties.astype(np.float32)
    invert(square)
    np.fill_diagonal(square, 0.0)
    return _largest(square, -penalties.astype(np.float32), most)


def invert(matrix: np.ndarray) -> None:
    """Put its inverse in the place of a positive definite matrix.

    Parameters
    ----------
    matrix : ndarray of float32 or float64, shape (n, n)
        In C order; only its upper triangle is read.

    Raises
    ------
    ValueError
        It is in another order.
    FloatingPointError
        It is not positive definite.
    """
    if not matrix.flags.c_contiguous:
        raise ValueError("Only a matrix in C order can be inverted in its place.")
    # To Fortran, which counts by columns, the upper triangle is the lower one.
    if not invert_lower(matrix.T):
        raise FloatingPointError("The autoencoder's matrix is not positive definite.")
    for start in range(0, len(matrix), BLOCK):
        rows, later = slice(start, start + BLOCK), slice(start + BLOCK, None)
        corner = np.triu(matrix[rows, rows])
        matrix[rows, rows] = corner + np.triu(corner, 1).T
        matrix[later, rows] = matrix[rows, later].T


def mean_diagonal(rows: sp.csr_matrix) -> float:
    """Return the mean diagonal of G: about how much is known of a column."""
    weighed = sp.csr_matrix(_weights(rows) @ rows.power(2))
    return float(weighed.data.sum(dtype=np.float64) / max(1, rows.shape[1]))


def error_by_chance(rows: sp.csr_matrix) -> float:
    """Say about how far an entry of G is off by chance, as the root of a count is."""
    if not rows.nnz:
        return 0.0
    return float(np.sqrt(mean_diagonal(rows) * (rows.data**2).mean(dtype=np.float64)))


def _weights(rows: sp.csr_matrix) -> sp.dia_array:
    width = np.diff(rows.indptr)
    return sp.diags_array(np.maximum(width, 1) ** -CUSTOMER_POWER)


def placed(near: sp.csr_matrix, rows: np.ndarray, size: int) -> sp.csr_matrix:
    """Put a matrix of some columns with each other at its place among all.

    Parameters
    ----------
    near : csr_matrix, shape (columns, columns)
    rows : ndarray of int, shape (columns,)
        Their places, ascending.
    size : int
        How many there are in all.
    """
    length = np.zeros(size + 1, dtype=near.indptr.dtype)
    length[rows + 1] = np.diff(near.indptr)
    columns = rows.astype(near.indices.dtype)[near.indices]
    return sp.csr_matrix((near.data, columns, length.cumsum()), shape=(size, size))


def _largest(symmetric: np.ndarray, factor: np.ndarray, most: int) -> sp.csr_matrix:
    """Multiply each column by a factor and keep the largest entries of each.

    Parameters
    ----------
    symmetric : ndarray of float32, shape (columns, columns)
    factor : ndarray of float32, shape (columns,)
    """
    size = len(symmetric)
    blocks = [slice(start, start + BLOCK) for start in range(0, size, BLOCK)]
    least = np.zeros(size, dtype=np.float32)
    if size > most:  # a row is quicker to look through than a column, and the same
        for rows in blocks:
            magnitude = np.abs(symmetric[rows])
            magnitude.partition(size - most, axis=1)
            least[rows] = magnitude[:, size - most] * np.abs(factor[rows])
    length = np.zeros(size + 1, dtype=np.int32)
    columns, values = [], []
    for rows in blocks:
        block = symmetric[rows] * factor
        kept = np.abs(block) >= least
        kept &= block != 0.0
        place = np.flatnonzero(kept)
        values.append(block.ravel()[place])
        columns.append((place % size).astype(np.int32))
        length[1:][rows] = np.count_nonzero(kept, axis=1)
    inside = np.concatenate(values), np.concatenate(columns), length.cumsum(dtype=np.int32)
    return sp.csr_matrix(inside, shape=(size, size))
