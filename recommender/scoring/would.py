"""Would: what a customer has not bought yet, but who buys alike has.

An offer on things that a customer never bought has nothing of the customer's own to speak for it.
What others bought beside the same things does: a linear autoencoder of purchases says how much each
key bought speaks for each one that was not. Of what was bought it says nothing; that has features
of its own. Purchases count by their proportions: who buys a lot of everything has had many
occasions to buy the rest as well, and did not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.base import Query
from recommender.features.keys import KeySpace

LEAST = 1e-12  # length of what was bought, that nothing is divided by zero


@dataclass(frozen=True)
class Would:
    """How much each purchase key of a level speaks for each other one.

    Attributes
    ----------
    level : str
        See `recommender.features.keys`.
    near : csr_matrix of float32, shape (keys of the level, the same)
        A key bought (row) speaks for another (column); empty where nothing was learnt.
    scale : float
        Values are divided by it: their spread within a customer.
    by_visits : bool
        Whether transactions count, else money: it stays as it was learnt, whatever offers come.
    """

    level: str
    near: sp.csr_matrix
    scale: float
    by_visits: bool

    @property
    def silent(self) -> bool:
        """Whether nothing is ever said."""
        return not self.near.nnz

    def values(self, query: Query, keys: KeySpace) -> np.ndarray:
        """Say how much each customer would buy what an offer is for: shape (n, offers)."""
        bought = bought_at(query, keys, self.level, self.by_visits)
        person = np.repeat(np.arange(len(query)), np.diff(bought.indptr))
        length = np.sqrt(np.bincount(person, bought.data**2, minlength=len(query)))
        bought.data /= np.maximum(length, LEAST)[person]
        would = (bought @ self._exact).toarray()
        would[person, bought.indices] = 0.0
        return np.asarray(would @ keys.offers_by_level[self.level]) / self.scale

    @cached_property
    def _exact(self) -> sp.csr_matrix:
        """`near` in double precision."""
        return sp.csr_matrix(self.near, dtype=np.float64)


def bought_at(query: Query, keys: KeySpace, level: str, by_visits: bool) -> sp.csr_matrix:
    """Return log(1 + transactions) at a level, or of money where those are not counted."""
    if by_visits:
        bought = sp.csr_matrix(query.baskets[:, keys.rows_of(level)])
    else:
        bought = sp.csr_matrix(query.purchases[:, keys.rows_of(level)] / keys.unit)
    return sp.csr_matrix((np.log1p(bought.data), bought.indices, bought.indptr), bought.shape)
