"""Content: from what a customer bought and took to offers that have never been seen before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.base import Query, Source
from recommender.features.attributes import Attributes
from recommender.features.keys import ITEM, MERCHANT, KeySpace
from recommender.features.likeness import Likeness
from recommender.features.many import Many
from recommender.scoring.liked import Liked
from recommender.scoring.mixing import Mix, Says
from recommender.scoring.parts import Cells, Part, Table, features_at, rough_sums
from recommender.scoring.would import Would

# What makes content: the names of its features, with what each counts before anything is learnt.
PRIOR = {
    "item": 0.6,
    "type": 0.25,
    "baskets": 0.5,
    "recent": 0.5,
    "merchant": 0.3,
    "category": 0.1,
    "liked": 0.3,
    "would": 0.05,
}
# What was taken of lists that somebody chose speaks too well of what everybody could be offered.
# Lifts are log-odds: they count about one.
BOUND = np.array([{"would": 0.1, "liked": 2.0}.get(name, np.inf) for name in PRIOR])
LITTLE = 8.0  # typical amounts by which spend on a merchant is held to what is expected


@dataclass(frozen=True)
class ContentScorer:
    """Weighted sum of what purchases and taken offers say of an offer.

    - item: log(1 + money on the offer's items), in multiples of a typical amount;
    - type, category: the same by type and category, averaged over the offer's items, so that an
      offer of ten thousand items does not stand above all others;
    - baskets: log(1 + transactions with the type), averaged likewise; of an offer without items,
      with what it states, its merchant or category, whichever is finer;
    - recent: how lately one of the items was bought, or something of what it states;
    - merchant: log of the money on the merchant over what everyone's share of it lets expect;
    - liked: what the offer's attributes say, by what the customer took (see
      `recommender.features.likeness`, and `recommender.features.many` for very many);
    - would: how much those who buy alike buy of its types what the customer has not bought (see
      `recommender.scoring.would`).

    Attributes
    ----------
    keys : KeySpace
        Keys of offers and items.
    columns : Attributes
        What the columns of `attributes` are.
    attributes : csr_matrix, shape (offers, columns)
    likeness : Likeness
        What choices say of attributes.
    many : Many or None
        The same of all of them, where these are more than the likeness knows.
    share : ndarray of float, shape (merchants,)
        Everyone's share of money on each key of level merchant.
    would : Would
        What keys bought say of others.
    weight : ndarray of float, shape (features,)
        What each counts, in the order of `PRIOR`.
    """

    keys: KeySpace
    columns: Attributes
    attributes: sp.csr_matrix
    likeness: Likeness
    many: Many | None
    share: np.ndarray
    would: Would
    weight: np.ndarray

    @property
    def source(self) -> Source:
        """Where the score comes from."""
        return Source.CONTENT

    def score(self, query: Query) -> np.ndarray:
        """Score every offer; NaN for a customer without purchases and history."""
        return self.read(query).table()

    def read(self, query: Query) -> Mix:
        """Prepare scores of offers."""
        says = self.says(query)
        weights = zip(PRIOR, self.weight.tolist(), strict=True) if says.rows.any() else ()
        parts = tuple(
            (weight, self.part(name, query))
            for name, weight in weights
            if weight and self._may_say(name, query)
        )
        # Of very many tags rare ones that are shared say far more than all others, and would hold
        # down the weight of all content.
        return Mix(parts, says, bent=self.many is not None)

    def _may_say(self, name: str, query: Query) -> bool:
        """Tell whether a feature can be other than zero."""
        if name == "liked":
            return self.many is not None or len(self.likeness.spread) > 0
        bought = query.purchases, query.baskets, query.recent, query.spent
        if not any(part.nnz for part in bought):
            return False
        return not self.would.silent if name == "would" else self._offers(name).nnz > 0

    def can_teach(self, query: Query, columns: np.ndarray | None = None) -> np.ndarray:
        """Tell where lists teach what the features count: wherever it can score."""
        return self.says(query).of(columns)

    def says(self, query: Query) -> Says:
        """Tell where it can score, and nothing more."""
        bought = np.diff(query.purchases.indptr) > 0
        took = np.diff(query.history.indptr) > 0
        has_keys = np.diff(self.keys.offer_keys.indptr) > 0
        has_attributes = np.diff(self.attributes.indptr) > 0
        return Says(((bought, has_keys), (took, has_attributes)))

    def features(self, query: Query, columns: np.ndarray | None = None) -> np.ndarray:
        """Return the features apart: shape (features, n, offers), or of `columns`, (n, c)."""
        if columns is None:
            return np.stack([self.feature(name, query) for name in PRIOR])
        return features_at([self.part(name, query) for name in PRIOR], columns)

    def rough(self, query: Query, weights: np.ndarray) -> np.ndarray:
        """Sum up features in single precision by weights, (w, features, n): (w, n, offers)."""
        parts = [self.part(name, query) for name in PRIOR]
        return rough_sums(parts, weights, self.attributes.shape[0])

    def feature(self, name: str, query: Query) -> np.ndarray:
        """Return one feature: shape (n, offers)."""
        if name == "liked":
            return self._liked(query).table()
        if name == "item":
            money = query.purchases[:, self.keys.rows_of(ITEM)] @ self._offers(ITEM)
            return np.asarray(np.log1p(money.toarray() / self.keys.unit))
        if name == "recent":
            return self._recent(query)
        if name == "merchant":
            return self._merchant(query)
        if name == "would":
            return self._would(query).table()
        if name == "baskets":
            counts = query.baskets.copy()
        else:
            counts = sp.csr_matrix(query.purchases[:, self.keys.rows_of(name)]) / self.keys.unit
        counts.data = np.log1p(counts.data)
        return np.asarray((counts @ self._offers(name)).toarray())

    def part(self, name: str, query: Query) -> Part:
        """Prepare one feature."""
        if name == "liked":
            return self._liked(query)
        return self._would(query) if name == "would" else Table(self.feature(name, query))

    def _would(self, query: Query) -> Part:
        if self.would.silent:
            return Cells(sp.csr_matrix((len(query), self.keys.offer_keys.shape[0])))
        return Table(self.would.values(query, self.keys))

    def liked(self, query: Query) -> np.ndarray:
        """Return the lift of each customer for each attribute: shape (n, columns)."""
        return self._tastes.by_attribute(query.taken())

    def _liked(self, query: Query) -> Part:
        return self._tastes.part(query.taken())

    @cached_property
    def _tastes(self) -> Liked:
        return Liked(self.likeness, self.many, self.attributes)

    def _offers(self, name: str) -> sp.csr_matrix:
        if name == "baskets":
            return self.keys.counted
        return self.keys.dated if name == "recent" else self.keys.offers_by_level[name]

    def _recent(self, query: Query) -> np.ndarray:
        """Find the most recent of what each offer is for."""
        offers, own = self.keys.dated, query.recent.tocoo()
        found = np.zeros((len(query), offers.shape[1]))
        width = np.diff(offers.indptr)[own.col]
        start = np.repeat(offers.indptr[own.col] - np.r_[0, np.cumsum(width)[:-1]], width)
        place = offers.indices[start + np.arange(width.sum())]
        np.maximum.at(found, (np.repeat(own.row, width), place), np.repeat(own.data, width))
        return found

    def _merchant(self, query: Query) -> np.ndarray:
        """Compare what was spent on the offer's merchant with what everyone's share expects."""
        rows = self.keys.rows_of(MERCHANT)
        if rows.start == rows.stop:
            return np.zeros((len(query), self.keys.offer_keys.shape[0]))
        little = LITTLE * self.keys.unit
        expected = query.spent.toarray() * self.share
        ratio = np.log(query.purchases[:, rows].toarray() + little) - np.log(expected + little)
        return np.asarray(ratio @ self._offers(MERCHANT))


def merchant_shares(query: Query, keys: KeySpace) -> np.ndarray:
    """Return everyone's share of money on each merchant that some offer has."""
    money = np.asarray(query.purchases[:, keys.rows_of(MERCHANT)].sum(axis=0)).ravel()
    return money / max(float(query.spent.sum()), 1e-9)
