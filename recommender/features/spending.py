"""What customers spend on what offers are for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.features.keys import KeySpace


@dataclass(frozen=True)
class Spending:
    """Money by customer and offer, in units: the product of two matrices.

    Where offers are for whole categories nearly every customer spends on nearly every offer: of a
    hundred thousand customers and ten thousand offers the product would take many gigabytes. It is
    made for some customers at a time, or summed up without being made.

    Attributes
    ----------
    purchases : csr_matrix, shape (customers, keys)
        Money by purchase key.
    behind : csr_matrix, shape (keys, offers)
        The part of each key that counts for an offer, per unit of money.
    """

    purchases: sp.csr_matrix
    behind: sp.csr_matrix

    @classmethod
    def of(cls, purchases: sp.csr_matrix, keys: KeySpace) -> Spending:
        """Count for an offer its items; if it names none, the finest level that it does name."""
        return cls(purchases, keys.first_named(keys.levels) / keys.unit)

    def rows(self, rows: np.ndarray) -> sp.csr_matrix:
        """Return what some customers spend: shape (rows, offers)."""
        return sp.csr_matrix(self.purchases[rows] @ self.behind)

    def on(self, group: sp.csr_matrix) -> sp.csr_matrix:
        """Return what customers spend on groups, (offers, groups): shape (customers, groups)."""
        return sp.csr_matrix(self.purchases @ sp.csr_matrix(self.behind @ group))

    @cached_property
    def by_offer(self) -> np.ndarray:
        """What all customers spend: shape (offers,)."""
        return np.asarray(self.behind.T @ np.asarray(self.purchases.sum(axis=0)).ravel())

    @cached_property
    def by_customer(self) -> np.ndarray:
        """What each spends on all offers together: shape (customers,)."""
        return np.asarray(self.purchases @ np.asarray(self.behind.sum(axis=1)).ravel())
