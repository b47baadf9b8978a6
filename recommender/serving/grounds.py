"""What reasons are told from, worked out once for all that is listed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recommender.base import Query, Source
from recommender.content import PRIOR
from recommender.model import Recommender
from recommender.scoring.traits import traits_of

WOULD, PLAINLY = list(PRIOR).index("would"), 1.0  # the latter in spreads within a customer


@dataclass(frozen=True)
class Ground:
    """What reasons are told from; titles also as numbers, equal ones alike."""

    recommender: Recommender
    titles: np.ndarray
    title_number: np.ndarray
    categories: np.ndarray

    @cached_property
    def taken(self) -> np.ndarray:
        """Which offers anybody had taken; clicked, where nothing was redeemed: shape (offers,)."""
        redeemed = self.recommender.hybrid.known > 0
        return np.asarray(redeemed if redeemed.any() else self.recommender.collaborative.trained)

    @cached_property
    def levels(self) -> list[int]:
        """The first purchase key of each level."""
        keys = self.recommender.content.keys
        return [keys.rows_of(level).start for level in keys.levels]

    @cached_property
    def attributes(self) -> list[tuple[str, np.ndarray]]:
        """The attributes of a profile by name, each with its columns."""
        return sorted(self.recommender.encoders.demographics.blocks.items())


class People:
    """What is known of some customers, worked out once for all of their lists."""

    def __init__(self, ground: Ground, query: Query) -> None:
        self.ground, self.query = ground, query

    @cached_property
    def by_profile(self) -> np.ndarray:
        """What each column of each customer's profile counts."""
        return self._counts(Source.DEMOGRAPHIC)

    @cached_property
    def by_answers(self) -> np.ndarray:
        """What each column counts where the answers do as well."""
        return self._counts(Source.SURVEY)

    @cached_property
    def foreseen(self) -> np.ndarray:
        """Whether those who buy alike plainly buy what an offer is for: shape (n, offers)."""
        content = self.ground.recommender.content
        if content.would.silent or not content.weight[WOULD]:
            return np.zeros((len(self.query), len(content.keys.offer_keys.indptr) - 1), dtype=bool)
        return np.asarray(content.would.values(self.query, content.keys) > PLAINLY)

    @cached_property
    def liked(self) -> np.ndarray:
        """By how much more than everybody they choose each attribute: shape (n, columns)."""
        return self.ground.recommender.content.liked(self.query)

    def _counts(self, source: Source) -> np.ndarray:
        recommender, encoders = self.ground.recommender, self.ground.recommender.encoders
        traits = traits_of(self.query, source, encoders.demographics, encoders.wallet)
        return np.asarray(recommender.profile.coefficients(traits))
