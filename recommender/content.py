"""Content: from what a customer bought and took to offers that have never been seen before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recommender.base import Query, Source
from recommender.keys import KeySpace

ATTRIBUTES = ("category", "kind", "merchant")


@dataclass(frozen=True)
class ContentScorer:
    """Weighted sum over levels of log(1 + spend / unit) on an offer's keys.

    The last level, "liked", is what the offer's attributes share with offers the customer took.

    Attributes
    ----------
    keys : KeySpace
        Keys of offers and items.
    attributes : csr_matrix, shape (offers, attributes)
        One where an offer has an attribute (category, kind, merchant, tag); rows have unit length.
    weight : ndarray of float, shape (levels + 1,)
        Weight per level, the last one for "liked".
    """

    keys: KeySpace
    attributes: sp.csr_matrix
    weight: np.ndarray

    @property
    def source(self) -> Source:
        """Where the score comes from."""
        return Source.CONTENT

    def score(self, query: Query) -> np.ndarray:
        """Score every offer; NaN for a customer without purchases and history."""
        score = np.einsum("lno,l->no", self.features(query), self.weight)
        return np.where(self.can_say(query), score, np.nan)

    def can_say(self, query: Query) -> np.ndarray:
        """Tell where there is both something known of the customer and of the offer."""
        bought = np.diff(query.purchases.indptr) > 0
        took = np.diff(query.history.indptr) > 0
        has_keys = np.diff(self.keys.offer_keys.indptr) > 0
        has_attributes = np.diff(self.attributes.indptr) > 0
        return np.outer(bought, has_keys) | np.outer(took, has_attributes)

    def features(self, query: Query) -> np.ndarray:
        """Return the levels apart: shape (levels + 1, n, offers)."""
        parts = [
            np.log1p((query.purchases[:, rows] @ offers).toarray() / self.keys.unit)
            for rows, offers in self.keys.by_level
        ]
        profile = query.history @ self.attributes
        parts.append(np.log1p((profile @ self.attributes.T).toarray()))
        return np.stack(parts)


def default_weight(keys: KeySpace) -> np.ndarray:
    """Weights before anything is learnt: the item itself counts most."""
    return np.array([1.0] + [0.1] * (len(keys.levels) - 1) + [0.3])


def offer_attributes(offers: pd.DataFrame) -> sp.csr_matrix:
    """Build the attribute matrix of the offers table."""
    pairs = []
    for name in ATTRIBUTES:
        values = name + ":" + offers[name]
        pairs.append(pd.DataFrame({"row": np.arange(len(offers)), "value": values}).dropna())
    tags = offers["tags"].str.split("|").explode().dropna().astype("str").str.strip()
    tags = tags[tags != ""]
    pairs.append(pd.DataFrame({"row": tags.index.to_numpy(), "value": "tag:" + tags}))
    found = pd.concat(pairs, ignore_index=True).drop_duplicates()
    code, names = pd.factorize(found["value"], sort=True)
    matrix = sp.csr_matrix(
        (np.ones(len(found)), (found["row"].to_numpy(dtype=np.int64), code)),
        shape=(len(offers), len(names)),
    )
    length = np.sqrt(np.asarray(matrix.sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags_array(1.0 / np.maximum(length, 1.0)) @ matrix)
