"""A weighted denoising linear autoencoder, solved (Steck 2019 and 2020).

What customers have (offers taken, kinds of goods bought) says what else they would: one linear map
that fills in what is missing in each customer's row, by a single inverse.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

DROPOUT = 0.33
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
        λ, in multiples of about how far an entry of G is off by chance: √(mean diagonal of G · mean
        square of an entry), which is the square root of a count where all entries are one.
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
    width = np.diff(rows.indptr)
    weight = sp.diags_array(np.maximum(width, 1) ** -CUSTOMER_POWER)
    gram = np.asarray((rows.T @ (weight @ rows)).toarray(), dtype=np.float32, order="F")
    diagonal = gram.diagonal().astype(np.float64)
    chance = np.sqrt(diagonal.mean() * (rows.data.astype(np.float64) ** 2).mean())
    penalties = DROPOUT / (1 - DROPOUT) * diagonal + penalty * chance
    gram[np.diag_indices(size)] += penalties.astype(np.float32)
    triangle, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    inverse, broken = lapack.spotri(triangle, lower=1, overwrite_c=1)
    if failed or broken:
        raise FloatingPointError("The autoencoder's matrix is not positive definite.")
    # Above the diagonal are zeros. Transposed, which the inverse does not notice: row r is then
    # what speaks for column r.
    inverse = inverse + inverse.T
    inverse *= -penalties.astype(np.float32)[:, None]
    np.fill_diagonal(inverse, 0.0)
    return sp.csr_matrix(_largest(inverse, most).T)


def placed(near: sp.csr_matrix, rows: np.ndarray, size: int) -> sp.csr_matrix:
    """Put a matrix of some columns with each other at its place among all."""
    part = near.tocoo()
    return sp.csr_matrix((part.data, (rows[part.row], rows[part.col])), shape=(size, size))


def _largest(matrix: np.ndarray, most: int) -> sp.csr_matrix:
    """Keep the largest entries of each row."""
    if matrix.shape[1] > most:
        size = np.abs(matrix)
        least = np.partition(size, -most, axis=1)[:, -most]
        matrix[size < least[:, None]] = 0.0
    return sp.csr_matrix(matrix)
