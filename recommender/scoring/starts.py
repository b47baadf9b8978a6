"""What each customer starts from, whatever the offer: some answer what they are shown, some never.

It moves all offers of a customer alike, so no list depends on it, but every probability does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from recommender.base import Query
from recommender.features.corners import CORNERS, corner_shares, stranger_of
from recommender.features.habits import ANSWERS, odds_of_habits, usual_rates


@dataclass(frozen=True)
class Start:
    """Log-odds that customers start from.

    Attributes
    ----------
    usual : ndarray of float, shape (answers,)
        Answers per impression, of everybody.
    level : float
        What everybody starts from.
    corner : ndarray of float, shape (4,)
        What is added at the corners of what may be known.
    habit : ndarray of float, shape (answers,)
        What it counts how much more often than usual somebody gave each answer, in log-odds.
    profile : ndarray of float, shape (columns,)
        What each column of the profile adds (see `recommender.features.demographics`).
    stranger : float
        What is added for a stranger (see `recommender.features.corners`).
    """

    usual: np.ndarray
    level: float
    corner: np.ndarray
    habit: np.ndarray
    profile: np.ndarray
    stranger: float = 0.0

    @classmethod
    def believed(cls, responses: sp.csr_matrix, columns: int) -> Start:
        """Start everybody alike; `responses` (see `Query`) tell what is usual.

        Parameters
        ----------
        columns : int
            Of the profile.
        """
        answers, corners = np.zeros(len(ANSWERS)), np.zeros(len(CORNERS))
        return cls(usual_rates(responses), 0.0, corners, answers, np.zeros(columns))

    def fitted(self, level: float, weight: np.ndarray, stranger: float) -> Start:
        """Take a level, weights of what `about` tells, and what is added for a stranger."""
        corner, habit, profile = np.split(weight, np.cumsum([len(CORNERS), len(ANSWERS)]))
        return replace(
            self, level=level, corner=corner, habit=habit, profile=profile, stranger=stranger
        )

    def about(self, query: Query) -> np.ndarray:
        """Return what tells customers apart: shape (n, 4 + answers + columns)."""
        return np.column_stack([self._known(query), query.demographic.toarray()])

    def of(self, query: Query) -> np.ndarray:
        """Return what each customer starts from: shape (n,)."""
        known = self._known(query) @ np.r_[self.corner, self.habit]
        known += self.stranger * stranger_of(query)
        return np.asarray(self.level + known + query.demographic @ self.profile)

    def _known(self, query: Query) -> np.ndarray:
        """Return how much is known of each, and their habits: shape (n, 4 + answers)."""
        return np.column_stack([corner_shares(query), odds_of_habits(query.responses, self.usual)])
