"""Segment, demographic and survey as sources: what a customer's traits let expect of offers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recommender.base import Query, Source
from recommender.features.demographics import Demographics
from recommender.features.wallet import Wallet
from recommender.scoring.parts import FURTHER, ROUNDING
from recommender.scoring.traits import TraitRidge, Traits, traits_of


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
    wallet : Wallet
    """

    source: Source
    base: np.ndarray
    ridge: TraitRidge
    demographics: Demographics
    wallet: Wallet

    def score(self, query: Query) -> np.ndarray:
        """Score every offer; NaN for a customer of whom this source knows nothing."""
        return self.read(query).table()

    def read(self, query: Query) -> TraitReading:
        """Prepare scores of offers."""
        own = {
            Source.SEGMENT: (query.segment,),
            Source.DEMOGRAPHIC: (query.demographic, query.wallet),
            Source.SURVEY: (query.answers,),
        }[self.source]
        speaking = np.any([np.diff(part.indptr) > 0 for part in own], axis=0)
        speaks = np.flatnonzero(speaking)
        if not len(speaks):
            return TraitReading(self.base, self.ridge, None, speaking)
        asked = query if len(speaks) == len(query) else query.take(speaks)
        traits = traits_of(asked, self.source, self.demographics, self.wallet)
        return TraitReading(self.base, self.ridge, traits, speaking)


@dataclass(frozen=True)
class TraitReading:
    """What the traits of n customers let expect.

    Attributes
    ----------
    base : ndarray of float, shape (offers,)
    ridge : TraitRidge
    traits : Traits or None
        Of those who have any.
    speaking : ndarray of bool, shape (n,)
        Who they are.
    """

    base: np.ndarray
    ridge: TraitRidge
    traits: Traits | None
    speaking: np.ndarray

    @cached_property
    def _counts(self) -> np.ndarray:
        """What each column counts: shape (customers who speak, columns)."""
        assert self.traits is not None
        return self.ridge.coefficients(self.traits)

    def table(self) -> np.ndarray:
        """Return all scores: shape (n, offers), NaN for a customer without traits."""
        score = np.full((len(self.speaking), len(self.base)), np.nan)
        if self.traits is not None:
            score[self.speaking] = self.base + self.ridge.lift(self.traits)
        return score

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the scores of some pairs, NaN for a customer without traits."""
        score = np.full(len(rows), np.nan)
        if self.traits is not None:
            here, place = self.speaking[rows], np.cumsum(self.speaking) - 1
            lift = self.ridge.lift_at(self._counts, place[rows[here]], columns[here])
            score[here] = self.base[columns[here]] + lift
        return score

    def add_to(
        self, total: np.ndarray, rows: slice, share: np.ndarray, centre: float, room: np.ndarray
    ) -> None:
        """Add (score - centre) · share of some customers, if they have traits."""
        speaking = self.speaking[rows]
        if not speaking.any():
            return
        first, same = self._alike
        start = int(self.speaking[: rows.start].sum())
        here = same[start : start + int(speaking.sum())]
        kinds, place = np.unique(here, return_inverse=True)
        alike = len(kinds) < len(here)
        counts = self._counts[first[kinds if alike else here]]
        own = self.ridge.rough_lift(counts, self.base - centre, room)
        if alike:
            own = np.take(own, place, axis=0, out=room[1, : len(here)], mode="clip")
        own *= share[speaking].astype(np.float32)[:, None]
        if speaking.all():
            total += own
        else:
            total[speaking] += own

    @cached_property
    def _alike(self) -> tuple[np.ndarray, np.ndarray]:
        """The first customer of each kind with the same traits, and the kind of each who speaks."""
        key = self._counts @ np.random.default_rng(0).random(self._counts.shape[1])
        _, first, kind = np.unique(key, return_index=True, return_inverse=True)
        if (self._counts == self._counts[first[kind]]).all():
            return first, kind
        return np.arange(len(key)), np.arange(len(key))

    def slip(self, centre: float) -> np.ndarray:
        """Bound the error of what is added, for a share of one: shape (n,)."""
        most = np.zeros(len(self.speaking))
        if self.traits is not None:
            base = np.abs(self.base).max(initial=0.0) + abs(centre)
            most[self.speaking] = ROUNDING * FURTHER * base + self.ridge.slip(self._counts)
        return most
