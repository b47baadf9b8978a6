"""What lists hold, as plain measures of matrices: evenness, variety, likeness to a history."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

SMOOTHING = 0.01  # of Steck's calibration: the share of the history that is mixed into the list


def gini(counts: np.ndarray) -> float:
    """Return the Gini index of counts, 0 to 1 - 1/n; NaN where there is nothing to share."""
    n, total = len(counts), float(counts.sum())
    if not total:
        return float("nan")
    place = np.arange(1, n + 1)
    return float((2 * place - n - 1) @ np.sort(counts) / (n * total))


def spread_within(
    listed: sp.csr_matrix, attributes: sp.csr_matrix
) -> tuple[np.ndarray, np.ndarray]:
    """Average 1 - cosine over the pairs of each list.

    The cosines of all pairs add up to the squared length of the sum of the list's unit vectors,
    less that of each alone: no pair has to be looked at.

    Returns
    -------
    value : ndarray of float, shape (n,)
    there : ndarray of bool, shape (n,)
        Lists of two offers and more.
    """
    length = row_sums(listed)
    together = sp.csr_matrix(listed @ attributes)
    alone = listed @ row_sums(attributes.multiply(attributes))
    pairs = length * (length - 1)
    alike = (row_sums(together.multiply(together)) - alone) / np.maximum(pairs, 1)
    return 1.0 - alike, pairs > 0


def calibration(
    listed: sp.csr_matrix, history: sp.csr_matrix, category: sp.csr_matrix
) -> tuple[np.ndarray, np.ndarray]:
    """Compute KL(p || (1 - a) q + a p) of each customer's categories, a = .01 (Steck 2018).

    Returns
    -------
    value : ndarray of float, shape (n,)
    there : ndarray of bool, shape (n,)
        Customers with categories in both history and list.
    """
    past, now = (sp.csr_matrix(part @ category).toarray() for part in (history, listed))
    there = (past.sum(axis=1) > 0) & (now.sum(axis=1) > 0)
    p = past / np.maximum(past.sum(axis=1, keepdims=True), 1)
    q = now / np.maximum(now.sum(axis=1, keepdims=True), 1)
    mixed = (1 - SMOOTHING) * q + SMOOTHING * p
    ratio = np.divide(p, mixed, out=np.ones_like(p), where=p > 0)
    return (p * np.log(ratio)).sum(axis=1), there


def row_sums(matrix: sp.csr_matrix) -> np.ndarray:
    """Add up each row."""
    return np.asarray(matrix.sum(axis=1)).ravel()
