"""What collaborative filtering would say of offers that nobody took, told from their attributes.

The attribute-to-feature mapping of Gantner, Drumond, Freudenthaler, Rendle & Schmidt-Thieme (2010):
each linear map of a history, to the offers that were taken, goes on to those that were not. What
attributes do not tell stays at the mean, so that little is said where they tell little.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.scoring.parts import Part, Product, Side
from recommender.scoring.sparse_product import Sum


@dataclass(frozen=True)
class AttributeMap:
    """From what a customer is, in each feature, to places among the attributes of offers.

    Attributes
    ----------
    points : ndarray of float, shape (offers, r)
        Where the offers stand that are told so; zero for all others. r is zero where none is.
    axes : ndarray of float, shape (columns, r - 1)
        From attributes to where an offer stands.
    mean : ndarray of float, shape (r - 1,)
        Where those stand, on average, that the maps were learnt from.
    factors : ndarray of float, shape (f, r)
    space : ndarray of float, shape (rank, r)
    autoencoder, next : ndarray of float32, shape (offers, r)
        What each feature's side of customers is multiplied by.
    """

    points: np.ndarray
    axes: np.ndarray
    mean: np.ndarray
    factors: np.ndarray
    space: np.ndarray
    autoencoder: np.ndarray
    next: np.ndarray

    @property
    def rank(self) -> int:
        """Number of places among attributes; zero where they tell nothing."""
        return int(self.points.shape[1])

    @cached_property
    def told(self) -> np.ndarray:
        """Tell of which offers it speaks: shape (offers,)."""
        return np.asarray(self.points.any(axis=1))

    def place(self, attributes: sp.csr_matrix) -> np.ndarray:
        """Put offers, by their attributes, where the maps lead: shape (offers, r)."""
        stated = (attributes @ self.axes.any(axis=1) > 0)[:, None]
        return np.hstack([stated, (attributes @ self.axes - self.mean) * stated])

    def extend(self, name: str, part: Part, people: np.ndarray | sp.csr_matrix) -> Part:
        """Add to a feature what it says of these offers.

        Parameters
        ----------
        part : Part
            The feature of offers that were taken.
        people : ndarray or csr_matrix, shape (n, f), (n, rank) or (n, offers)
            The customers as the feature has them.
        """
        if not self.told.any():
            return part
        lifts = np.asarray(people @ getattr(self, name), dtype=np.float64)
        return Sum((part, Product(lifts, self._side)))

    def speak_for(self, lifts: np.ndarray, offers: np.ndarray) -> np.ndarray:
        """Say how much what has such lifts, shape (taken, r), speaks for some offers."""
        return np.asarray(lifts @ self.points[offers].T)

    @cached_property
    def _side(self) -> Side:
        return Side(self.points)
