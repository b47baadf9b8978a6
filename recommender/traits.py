"""What is known of a customer as columns, and the rates that a ridge expects from just those.

Everyone's rates, plus a linear deviation from whatever columns are known: of the normal equations
of all customers only the rows and columns of what is known are solved, so that every part of a
profile and of a survey has the ridge regression that belongs to exactly that part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.base import Query, Source
from recommender.demographics import Demographics

FLOOR = 0.1  # a linear rate may leave (0, 1): this share of the usual rate, and of the rest, stays


@dataclass(frozen=True)
class Traits:
    """Columns of n customers: shape (n, columns) each, `value` zero where not `known`."""

    value: np.ndarray
    known: np.ndarray


def traits_of(query: Query, source: Source, demographics: Demographics) -> Traits:
    """Lay out what a source goes by.

    Segment has a column each. Demographic and survey share theirs: profile, crosses of two
    attributes, and one column per question, which demographic does not know.
    """
    if source is Source.SEGMENT:
        value = query.segment.toarray()
        known = np.repeat(value.any(axis=1, keepdims=True), value.shape[1], axis=1)
        return Traits(value, known)
    value, known = demographics.expand(query.demographic)
    yes, no = query.answers[:, 0::2].toarray() > 0, query.answers[:, 1::2].toarray() > 0
    answered = (yes | no) & (source is Source.SURVEY)
    return Traits(np.hstack([value, yes & answered]), np.hstack([known, answered]))


@dataclass(frozen=True)
class Relatives:
    """What stands for the redemptions of an offer that comes later: those of its relatives.

    Attributes
    ----------
    groups : ndarray of str, shape (groups,)
        Names of the groups of offers alike, sorted.
    by_group : ndarray of float, shape (columns, groups)
        Cross products of one redemption of a group's offers.
    heard : ndarray of bool, shape (groups,)
        Groups of which something was redeemed.
    by_key : ndarray of float, shape (columns, keys)
        Centred columns times the interest in each purchase key, summed over customers.
    interest : ndarray of float, shape (keys,)
        The interest of all customers.
    strength : float
        Redemptions that relatives count for.
    rate : float
        What is redeemed per customer of an offer without a redemption.
    """

    groups: np.ndarray
    by_group: np.ndarray
    heard: np.ndarray
    by_key: np.ndarray
    interest: np.ndarray
    strength: float
    rate: float


@dataclass(frozen=True)
class TraitRidge:
    """The normal equations of redemptions on traits.

    Attributes
    ----------
    mean : ndarray of float, shape (columns,)
        Average of each column where it is known.
    gram : ndarray of float, shape (columns, columns)
        Products of the centred columns, summed over customers.
    cross : ndarray of float, shape (columns, offers)
        Centred columns times what customers redeemed above what their chances let expect.
    penalty : ndarray of float, shape (columns,)
        Ridge penalty.
    rate : ndarray of float, shape (offers,)
        What is redeemed per customer.
    relatives : Relatives
        Of offers that come later.
    """

    mean: np.ndarray
    gram: np.ndarray
    cross: np.ndarray
    penalty: np.ndarray
    rate: np.ndarray
    relatives: Relatives

    def coefficients(self, traits: Traits) -> np.ndarray:
        """Solve for what each column of each customer counts: shape (n, columns)."""
        centred = np.where(traits.known, traits.value - self.mean, 0.0)
        counts = np.zeros(centred.shape)
        first, pattern = _distinct(np.packbits(traits.known, axis=1))
        for number, row in enumerate(first):
            here = np.flatnonzero(traits.known[row])
            if len(here):
                people = np.flatnonzero(pattern == number)
                left = self.gram[np.ix_(here, here)] + np.diag(self.penalty[here])
                solved = np.linalg.solve(left, centred[np.ix_(people, here)].T)
                counts[np.ix_(people, here)] = solved.T
        return counts

    def lift(self, traits: Traits) -> np.ndarray:
        """Expect how much more each customer redeems, in log-odds: shape (n, offers)."""
        low, high = FLOOR * self.rate, 1.0 - FLOOR * (1.0 - self.rate)
        counts = self.coefficients(traits)
        first, same = _distinct(counts)
        rate = np.clip(self.rate + counts[first] @ self.cross, low, high)
        usual = np.log(self.rate) - np.log1p(-self.rate)
        return np.asarray((np.log(rate / (1.0 - rate)) - usual)[same])


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of each kind of row, and the kind of every row: a request has but one."""
    if len(rows) == 1:
        return np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    _, first, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return np.asarray(first), np.asarray(kind.ravel())


@dataclass(frozen=True)
class TraitScorer:
    """Everyone's log rates plus what a customer's traits let expect beyond them.

    Attributes
    ----------
    source : Source
        Segment, demographic, or survey: the last counts the profile as well, since what an answer
        adds depends on it.
    base : ndarray of float, shape (offers,)
        Everyone's log rates.
    ridge : TraitRidge
    demographics : Demographics
    """

    source: Source
    base: np.ndarray
    ridge: TraitRidge
    demographics: Demographics

    def score(self, query: Query) -> np.ndarray:
        """Score every offer; NaN for a customer of whom this source knows nothing."""
        score = np.full((len(query), len(self.base)), np.nan)
        own = {
            Source.SEGMENT: query.segment,
            Source.DEMOGRAPHIC: query.demographic,
            Source.SURVEY: query.answers,
        }[self.source]
        speaks = np.flatnonzero(np.diff(own.indptr) > 0)
        if len(speaks):
            asked = query if len(speaks) == len(query) else query.take(speaks)
            traits = traits_of(asked, self.source, self.demographics)
            score[speaks] = self.base + self.ridge.lift(traits)
        return score
