"""What each customer starts from, whatever the offer: some answer what they are shown, some never.

It moves all offers of a customer alike, so no list depends on it, but every probability does. What
somebody does not state counts as it does on average, as far as others who left it out too do not
tell more: who states nothing may hardly answer anything, a newcomer has not been asked yet.
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
    money : float
        What is added for each e-fold of money spent beyond `usual_money`. Content counts how much
        was spent on what an offer is for; who spends twenty times as much on everything does not
        want everything more.
    usual_money : float
        Mean log of what is spent in all, over those who bought something.
    profile : ndarray of float, shape (columns,)
        What each column of the profile adds beyond its mean (see
        `recommender.features.demographics`).
    blank : ndarray of float, shape (attributes,)
        What is added where an attribute is not stated.
    usual_profile : ndarray of float, shape (columns,)
        Each column's mean over the customers who state its attribute.
    attribute : ndarray of int, shape (columns,)
        The attribute of each column, from 0.
    stranger : float
        What is added for a stranger (see `recommender.features.corners`).
    """

    usual: np.ndarray
    level: float
    corner: np.ndarray
    habit: np.ndarray
    money: float
    usual_money: float
    profile: np.ndarray
    blank: np.ndarray
    usual_profile: np.ndarray
    attribute: np.ndarray
    stranger: float = 0.0

    @classmethod
    def believed(
        cls,
        responses: sp.csr_matrix,
        profile: sp.csr_matrix,
        attribute: np.ndarray,
        spent: sp.csr_matrix,
    ) -> Start:
        """Start everybody alike; of `Query` the responses, profiles and money say what is usual.

        Parameters
        ----------
        attribute : ndarray of int, shape (columns,)
            The attribute of each column of the profile, from 0.
        """
        answers, corners = np.zeros(len(ANSWERS)), np.zeros(len(CORNERS))
        stating = _stated(profile, attribute).sum(axis=0)
        mean = np.asarray(profile.sum(axis=0)).ravel() / np.maximum(stating[attribute], 1.0)
        columns, blank = np.zeros(len(attribute)), np.zeros(len(stating))
        return cls(
            usual=usual_rates(responses),
            level=0.0,
            corner=corners,
            habit=answers,
            money=0.0,
            usual_money=float(np.log(spent.data).mean()) if spent.nnz else 0.0,
            profile=columns,
            blank=blank,
            usual_profile=mean,
            attribute=attribute,
        )

    def fitted(self, level: float, weight: np.ndarray, stranger: float) -> Start:
        """Take a level, weights of what `about` tells, and what is added for a stranger."""
        sizes = len(CORNERS), len(ANSWERS), 1, len(self.profile)
        corner, habit, (money,), profile, blank = np.split(weight, np.cumsum(sizes))
        return replace(
            self,
            level=level,
            corner=corner,
            habit=habit,
            money=float(money),
            profile=profile,
            blank=blank,
            stranger=stranger,
        )

    def about(self, query: Query) -> np.ndarray:
        """Return what tells customers apart: shape (n, 5 + answers + `of_profile`)."""
        stated = _stated(query.demographic, self.attribute)
        profile = query.demographic.toarray() - stated[:, self.attribute] * self.usual_profile
        return np.column_stack([self._known(query), profile, 1.0 - stated])

    @property
    def of_profile(self) -> int:
        """How much the profile tells: a number for each column, and one for each attribute."""
        return len(self.profile) + len(self.blank)

    def of(self, query: Query) -> np.ndarray:
        """Return what each customer starts from: shape (n,)."""
        known = self._known(query) @ np.r_[self.corner, self.habit, self.money]
        known += self.stranger * stranger_of(query)
        usual = np.bincount(self.attribute, self.usual_profile * self.profile)
        stated = _stated(query.demographic, self.attribute)
        told = query.demographic @ self.profile - stated @ usual + (1.0 - stated) @ self.blank
        return np.asarray(self.level + known + told)

    def _known(self, query: Query) -> np.ndarray:
        """Return how much is known of each, their habits and money: shape (n, 5 + answers)."""
        money = query.spent.copy()
        money.data = np.log(money.data) - self.usual_money
        habits = odds_of_habits(query.responses, self.usual)
        return np.column_stack([corner_shares(query), habits, money.toarray()])


def _stated(profile: sp.csr_matrix, attribute: np.ndarray) -> np.ndarray:
    """Return one where a customer states an attribute: shape (n, attributes)."""
    stated = np.zeros((profile.shape[0], int(attribute.max(initial=-1)) + 1))
    person = np.repeat(np.arange(profile.shape[0]), np.diff(profile.indptr))
    stated[person, attribute[profile.indices]] = 1.0
    return stated
