"""Popularity as serving sees it: everyone's rates, and what to expect of a later offer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recommender.base import Query, Source
from recommender.features.readiness import Readiness
from recommender.scoring.mixing import Mix, Says
from recommender.scoring.parts import Table

SUREST = 0.95  # rate beyond which log-odds do not rise
LEAST_SPEND = 0.01  # added to the mean spend, so that nothing bought is not minus infinity


@dataclass(frozen=True)
class Expectation:
    """The log rate expected of an offer that nobody had a chance to take.

    It is level + slope · x and what the offer's attributes add.

    Attributes
    ----------
    level, slope : float
        x is the log of the mean spend on what is behind the offer.
    unplaced : float
        x of an offer of which it is not known what it is for.
    effect : ndarray of float, shape (attributes,)
        What each attribute adds, in the order of the content's attributes.
    key_money : ndarray of float, shape (keys,)
        Mean spend of a customer on each purchase key, in multiples of a typical amount.
    item_money : ndarray of float, shape (items,)
        The same on each item of the key space, with or without a key of its own.
    readiness : Readiness
        By purchase key.
    """

    level: float
    slope: float
    unplaced: float
    effect: np.ndarray
    key_money: np.ndarray
    item_money: np.ndarray
    readiness: Readiness

    def log_rate(self, money: float | None) -> float:
        """Expect a log rate, attributes apart, from what is spent behind the offer, if known."""
        log_spend = self.unplaced if money is None else float(np.log(money + LEAST_SPEND))
        return self.level + self.slope * log_spend


@dataclass(frozen=True)
class PopularityScorer:
    """Everyone's rates, for everybody.

    Attributes
    ----------
    base : ndarray of float, shape (offers,)
        Log rates.
    expectation : Expectation
        Of offers that come later.
    rated : bool
        Whether rates are chances if shown: then scores are their log-odds, not their logarithms,
        which tell apart what half of the people take from what two thirds do.
    """

    base: np.ndarray
    expectation: Expectation
    rated: bool = False

    @property
    def source(self) -> Source:
        """Where the score comes from."""
        return Source.POPULARITY

    @cached_property
    def level(self) -> np.ndarray:
        """What each offer scores: shape (offers,)."""
        return self.odds if self.rated else self.base

    @cached_property
    def odds(self) -> np.ndarray:
        """Log-odds of the rates: shape (offers,)."""
        return np.asarray(self.base - np.log1p(-np.minimum(np.exp(self.base), SUREST)))

    def score(self, query: Query) -> np.ndarray:
        """Score every offer, the same for every customer."""
        return self.read(query).table()

    def read(self, query: Query) -> Mix:
        """Prepare scores of offers."""
        rates = Table(np.broadcast_to(self.level, (len(query), len(self.base))))
        everybody = np.ones(len(query), dtype=bool), np.ones(len(self.level), dtype=bool)
        return Mix(((1.0, rates),), Says((everybody,)))
