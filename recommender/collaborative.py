"""Collaborative filtering as serving sees it: offer factors and the fold-in of any history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.base import Query, Source


@dataclass(frozen=True)
class CollaborativeScorer:
    """Offer factors of an implicit-feedback ALS (Hu, Koren & Volinsky 2008).

    A customer's factor is solved from the history at hand, so a new event counts at once.

    Attributes
    ----------
    factors : ndarray of float, shape (offers, f)
        Offer factors.
    trained : ndarray of bool, shape (offers,)
        Offers with interactions; of others nothing can be said.
    regularization : float
        As in training.
    alpha : float
        Confidence of an interaction of weight one.
    """

    factors: np.ndarray
    trained: np.ndarray
    regularization: float
    alpha: float

    @property
    def source(self) -> Source:
        """Where the score comes from."""
        return Source.COLLABORATIVE

    def score(self, query: Query) -> np.ndarray:
        """Score every offer; NaN for a customer without history and for an offer without any."""
        score = np.full((len(query), len(self.factors)), np.nan)
        history = query.history[:, np.flatnonzero(self.trained)]
        offers = self.factors[self.trained]
        there = np.flatnonzero(np.diff(history.indptr) > 0)
        if len(there) == 0:
            return score
        gram = offers.T @ offers + self.regularization * np.eye(offers.shape[1])
        people = np.empty((len(there), offers.shape[1]))
        for place, row in enumerate(there):
            start, end = history.indptr[row : row + 2]
            taken = offers[history.indices[start:end]]
            confidence = self.alpha * history.data[start:end]
            left = gram + (taken.T * (confidence - 1.0)) @ taken
            people[place] = np.linalg.solve(left, taken.T @ confidence)
        block = np.full((len(there), len(self.factors)), np.nan)
        block[:, self.trained] = people @ offers.T
        score[there] = block
        return score
