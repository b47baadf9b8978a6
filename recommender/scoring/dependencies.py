"""How likely each offer is to be among what somebody has, given the others there and the profile.

A dependency network (Heckerman, Chickering, Meek, Rounthwaite & Kadie 2000). What a profile lets
expect is often what a history tells as well: where each is learnt alone, their sum counts it twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.scoring.parts import Product, Side

LEVELS = 4  # how many offers somebody took: two, three, four, five or more, each beside one


@dataclass(frozen=True)
class Dependencies:
    """Log-odds of each offer, as a linear function of what else was taken and of the profile.

    Attributes
    ----------
    near : csr_matrix, shape (offers, offers)
        How much each taken offer (row) speaks for another (column).
    rest : ndarray of float, shape (LEVELS + columns + 1, offers)
        What is added by how many were taken, by the profile, and for everybody. No row where there
        is too little to learn all this from.
    """

    near: sp.csr_matrix
    rest: np.ndarray

    @property
    def tells(self) -> bool:
        """Whether there was enough to learn it from."""
        return len(self.rest) > 0

    def read(self, taken: sp.csr_matrix, profile: sp.csr_matrix) -> Product:
        """Prepare the log-odds of every offer.

        Parameters
        ----------
        taken : csr_matrix, shape (n, offers)
            One for offers taken, less for those that were only clicked.
        profile : csr_matrix, shape (n, columns)
        """
        if not self.tells:
            return Product(np.zeros((taken.shape[0], 0)), self._side)
        return Product(inputs_of(taken, profile), self._side)

    def speak_for(self, taken: np.ndarray, offers: np.ndarray) -> np.ndarray:
        """Say how much each taken offer speaks for some others: shape (taken, offers)."""
        return np.asarray(self.near[taken][:, offers].toarray())

    @cached_property
    def _side(self) -> Side:
        if not self.tells:
            return Side(np.zeros((self.near.shape[1], 0)))
        return Side(np.vstack([self.near.toarray(), self.rest]).T)


def inputs_of(taken: sp.csr_matrix, profile: sp.csr_matrix) -> np.ndarray:
    """Put what everything depends on side by side: shape (n, offers + LEVELS + columns + 1)."""
    done = taken.toarray()
    number = (done >= 1.0).sum(axis=1)
    return np.hstack([done, levels_of(number), profile.toarray(), np.ones((len(done), 1))])


def levels_of(number: np.ndarray) -> np.ndarray:
    """Mark how many offers each customer took: shape (n, LEVELS), nothing for one or none."""
    level = np.minimum(number, 1 + LEVELS)
    return np.asarray(level[:, None] == np.arange(2, 2 + LEVELS), dtype=np.float64)
