"""The recommender as a value: six sources, how facts reach them, how they blend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.base import Query, Scorer
from recommender.collaborative import CollaborativeScorer
from recommender.content import ContentScorer
from recommender.facts import Encoders
from recommender.hybrid import Blend, Hybrid
from recommender.popularity import RateScorer


@dataclass(frozen=True)
class Recommender:
    """Everything that scoring needs; plain arrays all the way down."""

    encoders: Encoders
    collaborative: CollaborativeScorer
    content: ContentScorer
    segment: RateScorer
    demographic: RateScorer
    survey: RateScorer
    popularity: RateScorer
    hybrid: Hybrid

    @property
    def scorers(self) -> tuple[Scorer, ...]:
        """The sources in the order of the hybrid's arrays."""
        return (
            self.collaborative,
            self.content,
            self.segment,
            self.demographic,
            self.survey,
            self.popularity,
        )

    @property
    def n_offers(self) -> int:
        """How many offers there are."""
        return len(self.encoders.offer_ids)

    def scores(self, query: Query) -> np.ndarray:
        """Ask every source: shape (sources, n, offers), NaN where it cannot say."""
        return np.stack([scorer.score(query) for scorer in self.scorers])

    def blend(self, query: Query) -> Blend:
        """Blend the sources for every offer."""
        return self.hybrid.blend(self.scores(query), query)
