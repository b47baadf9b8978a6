"""What customers' choices say of each offer by its attributes, ready to be summed up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.features.likeness import Likeness
from recommender.features.many import Many, stated_in
from recommender.scoring.parts import Part, Product, Side
from recommender.scoring.sparse_product import SparseProduct, SparseSide, Sum


@dataclass(frozen=True)
class Liked:
    """Lifts of customers for offers.

    Attributes
    ----------
    likeness : Likeness
    many : Many or None
        Where there are more attributes than the likeness knows.
    attributes : csr_matrix, shape (offers, columns)
    """

    likeness: Likeness
    many: Many | None
    attributes: sp.csr_matrix

    def part(self, taken: sp.csr_matrix) -> Part:
        """Prepare the lift of each customer, by what they took, for each offer."""
        lifts = self.likeness.lifts(taken, self._side.exact)
        if self.many is None:
            return Product(lifts, self._side)
        frequent = Product(self.many.frequent * lifts, self._side)
        along = Product(self.many.whole * self.many.along(taken, self._along.exact), self._along)
        apart = self.many.whole * self.many.apart(taken, self._told)
        # What is taken on average is left out of each offer as well, of those with attributes.
        usual = (apart * self.many.mean).sum(axis=1)
        return Sum((frequent, along, SparseProduct(np.column_stack([apart, usual]), self._apart)))

    def by_attribute(self, taken: sp.csr_matrix) -> np.ndarray:
        """Return the lift of each customer for each attribute: shape (n, columns).

        Where attributes are many it is what having one adds to an offer of ordinary length.
        """
        lifts = np.asarray(self.likeness.lifts(taken, self._side.exact) @ self.likeness.axes.T)
        if self.many is None:
            return lifts
        own = self.many.along(taken, self._along.exact) @ self.many.axes.T
        own += self.many.apart(taken, self._told)
        return np.asarray(self.many.frequent * lifts + own * self._worth)

    @cached_property
    def _side(self) -> Side:
        """Where the offers are along the axes of likeness."""
        return Side(self.likeness.points(self.attributes))

    @cached_property
    def _told(self) -> sp.csr_matrix:
        return self.attributes if self.many is None else self.many.lay_out(self.attributes)

    @cached_property
    def _along(self) -> Side:
        """Where they are along the axes of many attributes."""
        none = np.zeros((self.attributes.shape[0], 0))
        return Side(none if self.many is None else self.many.points(self._told))

    @cached_property
    def _worth(self) -> np.ndarray:
        """What each of many attributes adds to an offer of ordinary length: shape (columns,)."""
        if self.many is None:
            return np.ones(self.attributes.shape[1])
        length = float((self.attributes @ self.many.rarity).sum())
        ordinary = float(self._told.sum()) / max(length, 1e-9)
        return np.asarray(self.many.rarity * (self.many.whole * ordinary))

    @cached_property
    def _apart(self) -> SparseSide:
        """Their many attributes, and a column for what is usual."""
        stated = sp.csr_matrix(-stated_in(self._told)[:, None])
        return SparseSide(sp.csr_matrix(sp.hstack([self._told, stated], format="csr")))
