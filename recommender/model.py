"""The recommender as a value: six sources, how facts reach them, how they blend."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recommender.base import Query, Reading, Scorer, Source
from recommender.collaborative import CollaborativeScorer
from recommender.content import ContentScorer
from recommender.encoders import Encoders
from recommender.features.corners import met_of
from recommender.hybrid import Blend, Hybrid
from recommender.outline import outline_of
from recommender.popularity import PopularityScorer
from recommender.scoring.mixing import Mix
from recommender.scoring.parts import pairs_of
from recommender.scoring.trait_scorer import TraitScorer
from recommender.scoring.traits import TraitRidge


@dataclass(frozen=True)
class Recommender:
    """Everything that scoring needs; plain arrays all the way down."""

    encoders: Encoders
    collaborative: CollaborativeScorer
    content: ContentScorer
    segment: TraitRidge
    profile: TraitRidge
    popularity: PopularityScorer
    hybrid: Hybrid

    @cached_property
    def scorers(self) -> tuple[Scorer, ...]:
        """The sources in the order of the hybrid's arrays."""
        level, odds = self.popularity.level, self.popularity.odds
        demographics, wallet = self.encoders.demographics, self.encoders.wallet
        return (
            self.collaborative,
            self.content,
            TraitScorer(Source.SEGMENT, level, self.segment, demographics, wallet),
            TraitScorer(Source.DEMOGRAPHIC, odds, self.profile, demographics, wallet),
            TraitScorer(Source.SURVEY, odds, self.profile, demographics, wallet),
            self.popularity,
        )

    @property
    def n_offers(self) -> int:
        """How many offers there are."""
        return len(self.encoders.offer_ids)

    def read(self, query: Query, share: np.ndarray | None = None) -> tuple[Reading, ...]:
        """Let every source prepare its scores.

        Parameters
        ----------
        share : ndarray of float, shape (sources + 4, n), optional
            What the terms will count. Of a source that counts nothing for any of the customers it
            is enough to know where it could say something: its scores are then zero.
        """
        return tuple(
            self._quiet(scorer, query)
            if share is not None and not share[place].any()
            else scorer.read(query)
            for place, scorer in enumerate(self.scorers)
        )

    def _quiet(self, scorer: Scorer, query: Query) -> Reading:
        """Tell where a source could speak; sources by traits are what others are compared with."""
        if isinstance(scorer, CollaborativeScorer | ContentScorer):
            return Mix((), scorer.says(query))
        return scorer.read(query)

    def scores(self, query: Query) -> np.ndarray:
        """Ask every source: shape (sources, n, offers), NaN where it cannot say."""
        return np.stack([scorer.score(query) for scorer in self.scorers])

    def terms(
        self, query: Query, columns: np.ndarray | None = None, share: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the terms of the hybrid: (sources + 4, n, offers), or of `columns`, (n, c).

        Parameters
        ----------
        share : ndarray of float, shape (sources + 4, n), optional
            As in `read`.
        """
        readings = self.read(query, share)
        if columns is None:
            scores = np.stack([reading.table() for reading in readings])
            return self.hybrid.terms(scores, met_of(query))
        pairs = pairs_of(columns)
        scores = np.stack([reading.at(*pairs) for reading in readings])
        found = self.hybrid.of(pairs[1]).terms(scores[:, :, None], met_of(query)[pairs[0]])
        return found.reshape(len(found), *columns.shape)

    def rough(self, query: Query, weights: np.ndarray) -> np.ndarray:
        """Sum up the terms in single precision by weights: (w, sources + 4, n): (w, n, offers)."""
        start, met = np.zeros(len(query)), met_of(query)
        readings = (self.read(query, weight) for weight in weights)
        return np.stack(
            [
                outline_of(self.hybrid, reading, weight, start, met).whole()
                for reading, weight in zip(readings, weights, strict=True)
            ]
        )

    def blend(self, query: Query) -> Blend:
        """Blend the sources for every offer."""
        return self.hybrid.blend(self.scores(query), query)


def information(recommender: Recommender) -> np.ndarray:
    """Say how much the answer to each question moves the ranking of likely offers.

    Returns
    -------
    ndarray of float, shape (questions,)
        Variance, over offers weighted by their rates, of the relative gap between "yes" and "no".
    """
    ridge, base = recommender.profile, recommender.popularity.base
    first = len(ridge.mean) - len(recommender.encoders.survey.questions)
    alone = np.diag(ridge.gram)[first:] + ridge.penalty[first:]
    gap = ridge.cross[first:] / alone[:, None] / ridge.rate
    likely = np.exp(base - base.max())
    centre = (gap * likely).sum(axis=1, keepdims=True) / likely.sum()
    return np.asarray(((gap - centre) ** 2 * likely).sum(axis=1) / likely.sum())
