"""What a customer's choices say of the attributes of offers, those of new offers as well.

Each customer has a lift per attribute: by how much more, in log-odds, offers with it are taken than
everybody takes them. It is one step of a Poisson regression from no lift at all, with a normal
prior (McCullagh & Nelder 1989): what was chosen beyond what as many choices of everybody's would
hold, over how much that would vary. Along the principal axes of what people take the lifts are told
one by one, so that serving inverts nothing, and attributes that go together do not count twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

PRIOR_SPREAD = 0.3  # standard deviation of lifts, in log-odds
MOST_AXES, MOST_CELLS = 256, 4_000_000  # axes, and axes times offers
LEAST = 1e-6  # of the sum of the squares of the attributes


@dataclass(frozen=True)
class Likeness:
    """The axes along which offers differ.

    Attributes
    ----------
    mean : ndarray of float, shape (columns,)
        Attributes of what is taken on average.
    axes : ndarray of float, shape (columns, axes)
        Of length one.
    spread : ndarray of float, shape (axes,)
        Variance of what is taken along each.
    """

    mean: np.ndarray
    axes: np.ndarray
    spread: np.ndarray

    def points(self, attributes: sp.csr_matrix) -> np.ndarray:
        """Place offers along the axes: shape (offers, axes); zero for one without attributes."""
        stated = attributes @ self.axes.any(axis=1) > 0
        return np.asarray((attributes @ self.axes - self.mean @ self.axes) * stated[:, None])

    def lifts(self, taken: sp.csr_matrix, points: np.ndarray) -> np.ndarray:
        """Return the lift of each customer along the axes: shape (n, axes).

        Parameters
        ----------
        taken : csr_matrix, shape (n, offers)
        points : ndarray of float, shape (offers, axes)
        """
        many = np.asarray(taken.sum(axis=1)).ravel()
        return np.asarray((taken @ points) / (np.outer(many, self.spread) + PRIOR_SPREAD**-2))


def fit_likeness(attributes: sp.csr_matrix, taken: np.ndarray) -> Likeness:
    """Find the axes.

    Parameters
    ----------
    attributes : csr_matrix, shape (offers, columns)
        Columns that are empty tell nothing.
    taken : ndarray of float, shape (offers,)
        How often each offer was taken; offers without attributes tell nothing.
    """
    columns = attributes.shape[1]
    share = taken * (np.diff(attributes.indptr) > 0)
    if not columns or not share.any():
        return Likeness(np.zeros(columns), np.zeros((columns, 0)), np.zeros(0))
    share = share / share.sum()
    mean = np.asarray(share @ attributes).ravel()
    moments = np.asarray((attributes.T @ sp.diags_array(share) @ attributes).toarray())
    spread, axes = np.linalg.eigh(moments - np.outer(mean, mean))
    most = min(MOST_AXES, max(1, MOST_CELLS // attributes.shape[0]))
    kept = np.flatnonzero(spread > LEAST * np.trace(moments))[::-1][:most]
    return Likeness(mean, np.ascontiguousarray(axes[:, kept]), spread[kept])
