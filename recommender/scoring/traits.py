"""What is known of a customer as columns, and the rates that a ridge expects from just those.

Everyone's rates, plus a linear deviation from whatever columns are known: of the normal equations
of all customers only the rows and columns of what is known are solved, so that every part of a
profile and of a survey has the ridge regression that belongs to exactly that part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recommender.base import Query, Source
from recommender.features.demographics import Demographics
from recommender.features.kinship import Kinship
from recommender.features.wallet import Wallet
from recommender.scoring.parts import FURTHER, ROUNDING, Side

FLOOR = 0.1  # a linear rate may leave (0, 1): this share of the usual rate, and of the rest, stays


@dataclass(frozen=True)
class Traits:
    """Columns of n customers: shape (n, columns) each, `value` zero where not `known`."""

    value: np.ndarray
    known: np.ndarray


def traits_of(query: Query, source: Source, demographics: Demographics, wallet: Wallet) -> Traits:
    """Lay out what a source goes by.

    Segment has a column each. Demographic and survey share theirs: profile, crosses of two
    attributes, one column per group of goods, and one per question, which demographic does not
    know.
    """
    if source is Source.SEGMENT:
        value = query.segment.toarray()
        known = np.repeat(value.any(axis=1, keepdims=True), value.shape[1], axis=1)
        return Traits(value, known)
    value, known = demographics.expand(query.demographic)
    spent, bought = wallet.lifts(query.wallet)
    yes, no = query.answers[:, 0::2].toarray() > 0, query.answers[:, 1::2].toarray() > 0
    answered = (yes | no) & (source is Source.SURVEY)
    return Traits(np.hstack([value, spent, yes & answered]), np.hstack([known, bought, answered]))


@dataclass(frozen=True)
class Relatives:
    """What stands for the redemptions of an offer that comes later: those of its relatives.

    Attributes
    ----------
    kinship : Kinship
        By what offers are kin.
    by_attribute : ndarray of float, shape (columns, kinds)
        Cross products of one redemption by what the offer is like.
    heard : ndarray of bool, shape (kinds,)
        Kinds of which something was redeemed.
    by_key : ndarray of float, shape (columns, keys)
        Centred columns times the interest in each purchase key, summed over customers.
    interest : ndarray of float, shape (keys,)
        The interest of all customers.
    strength : float
        Redemptions that relatives count for.
    rate : float
        The same of an offer without a redemption.
    """

    kinship: Kinship
    by_attribute: np.ndarray
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
        Centred columns times what customers redeemed above what their chances let expect, in the
        unit of `rate`.
    penalty : ndarray of float, shape (columns,)
        Ridge penalty.
    rate : ndarray of float, shape (offers,)
        What is redeemed per showing where showing is logged, else per customer.
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
        first, pattern = distinct(np.packbits(traits.known, axis=1))
        for number, row in enumerate(first):
            here = np.flatnonzero(traits.known[row])
            if len(here):
                people = np.flatnonzero(pattern == number)
                left = self.gram[here[:, None], here]
                left.flat[:: len(here) + 1] += self.penalty[here]
                solved = np.linalg.solve(left, centred[people[:, None], here].T)
                counts[people[:, None], here] = solved.T
        return counts

    def lift(self, traits: Traits) -> np.ndarray:
        """Expect how much more each customer redeems, in log-odds: shape (n, offers)."""
        counts = self.coefficients(traits)
        first, same = distinct(counts)
        low, high = self.bounds
        rate = np.clip(self.rate + counts[first] @ self.cross, low, high)
        return np.asarray((_log_odds(rate) - self._usual)[same])

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest rate that a linear rate is held to: shape (offers,) each."""
        return FLOOR * self.rate, 1.0 - FLOOR * (1.0 - self.rate)

    @cached_property
    def _usual(self) -> np.ndarray:
        return np.asarray(np.log(self.rate) - np.log1p(-self.rate))

    @cached_property
    def _own(self) -> np.ndarray:
        """`cross` by offer: shape (offers, columns)."""
        return np.ascontiguousarray(self.cross.T)

    @cached_property
    def _relative(self) -> Side:
        """`cross` in multiples of the offers' rates."""
        return Side(self._own / self.rate[:, None])

    def lift_at(self, counts: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Expect it for pairs: a row of coefficients, shape (n, columns), and an offer each."""
        low, high = self.bounds
        used = np.flatnonzero(counts.any(axis=0))
        left, right = counts[:, used], self._own[:, used]
        rate = self.rate[columns] + np.einsum("pr,pr->p", left[rows], right[columns])
        odds = _log_odds(np.clip(rate, low[columns], high[columns]))
        return np.asarray(odds - self._usual[columns])

    def rough_lift(self, counts: np.ndarray, above: np.ndarray, room: np.ndarray) -> np.ndarray:
        """Expect it of all offers in single precision, plus something of each offer.

        With r the rate in multiples of the usual one p, the lift is log(r (1 - p) / (1 - r p)).

        Parameters
        ----------
        counts : ndarray of float, shape (n, columns)
            Coefficients.
        above : ndarray of float, shape (offers,)
            What is added.
        room : ndarray of float32, shape (2, at least n, offers)
            The result, of shape (n, offers), is in the first of it.
        """
        usual, least, most = self._single
        ratio, left = room[:, : len(counts)]
        used = np.flatnonzero(counts.any(axis=0))
        np.matmul(counts[:, used].astype(np.float32), self._relative.single[used], out=ratio)
        ratio += np.float32(1.0)
        np.maximum(ratio, least, out=ratio)
        np.minimum(ratio, most, out=ratio)
        np.multiply(ratio, usual, out=left)
        np.subtract(np.float32(1.0), left, out=left)
        ratio /= left
        np.log(ratio, out=ratio)
        ratio += (np.log1p(-self.rate) + above).astype(np.float32)
        return np.asarray(ratio)

    @cached_property
    def _single(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The usual rate, and the least and most it is multiplied by, in single precision."""
        least, most = (bound / self.rate for bound in self.bounds)
        return self.rate.astype(np.float32), least.astype(np.float32), most.astype(np.float32)

    def slip(self, counts: np.ndarray) -> np.ndarray:
        """Bound the error of rough lifts: shape (n,)."""
        ratio = 1.0 + np.abs(counts) @ self._relative.largest
        # An error of the ratio moves the lift by up to as many times; the lift itself is small.
        steep = 1.0 / (1.0 - self.bounds[1]).min(initial=1.0)
        return np.asarray(
            ROUNDING * ((counts.shape[1] + FURTHER) * steep * ratio + FURTHER * np.log(ratio))
        )


def _log_odds(rate: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(rate / (1.0 - rate)))


def distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of each kind of row, and the kind of every row: a request has but one."""
    if len(rows) == 1:
        return np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    _, first, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return np.asarray(first), np.asarray(kind.ravel())
