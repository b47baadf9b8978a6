"""The order in which somebody took offers, told from how much each event still counts."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def in_order(history: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Put the offers of each history in order, the latest first.

    An event counts the less the older it is (see `recommender.features.history`), so that what
    counts most is the latest.

    Parameters
    ----------
    history : csr_matrix, shape (n, offers)

    Returns
    -------
    order : ndarray of int, shape (entries,)
        The entries, row by row.
    later : ndarray of float, shape (entries,)
        How many offers of the same history are later than each in that order; of what was taken at
        once half the others are.
    """
    people = np.repeat(np.arange(history.shape[0]), np.diff(history.indptr))
    order = np.lexsort((-history.data, people))
    value = history.data[order]
    place = np.arange(len(order)) - history.indptr[people]  # rows stand where they stood
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = (value[1:] != value[:-1]) | (place[1:] == 0)
    together = np.cumsum(begins) - 1
    size = np.bincount(together, minlength=1)[: len(order)]
    first = place[begins]
    return order, (first + (size[: len(first)] - 1) / 2)[together]


def lately_first(history: sp.csr_matrix) -> sp.csr_matrix:
    """Count the latest offer of each history one, the next one half, the third a third."""
    order, later = in_order(history)
    counted = history.copy()
    counted.data[order] = 1 / (1 + later)
    return counted
