"""Popularity: how often an offer was redeemed per chance to redeem it.

Rates are shrunk (empirical Bayes) to what people spend on the items behind the offer, so that an
offer nobody has seen has a rate as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import xlogy

from recommender.base import Query, Source
from recommender.readiness import Readiness

OFFER_STRENGTH = 2.0  # redemptions that the expectation of an offer counts for
LEAST_SPEND = 0.01  # added to the mean spend, so that nothing bought is not minus infinity


@dataclass(frozen=True)
class Expectation:
    """The log rate expected of an offer that nobody had a chance to take: level + slope · x.

    Attributes
    ----------
    level, slope : float
        x is the log of the mean spend on what is behind the offer.
    unplaced : float
        x of an offer of which it is not known what it is for.
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
    key_money: np.ndarray
    item_money: np.ndarray
    readiness: Readiness

    def log_rate(self, money: float | None) -> float:
        """Expect the log rate of an offer; `money` is what is spent behind it, None if unknown."""
        log_spend = self.unplaced if money is None else float(np.log(money + LEAST_SPEND))
        return self.level + self.slope * log_spend


@dataclass(frozen=True)
class PopularityScorer:
    """Everyone's log rates, for everybody.

    Attributes
    ----------
    base : ndarray of float, shape (offers,)
    expectation : Expectation
        Of offers that come later.
    """

    base: np.ndarray
    expectation: Expectation

    @property
    def source(self) -> Source:
        """Where the score comes from."""
        return Source.POPULARITY

    def score(self, query: Query) -> np.ndarray:
        """Score every offer, the same for every customer."""
        return np.tile(self.base, (len(query), 1))


@dataclass(frozen=True)
class Chances:
    """What redemption rates are estimated from; all matrices have shape (customers, offers).

    Attributes
    ----------
    events : csr_matrix
        Redemptions (or clicks where nothing is redeemed).
    shown : csr_matrix or None
        Impressions, where what was shown is logged; else everyone could redeem at any time.
    live : ndarray of float, shape (offers,)
        Share of the history in which each offer was valid.
    spend : csr_matrix
        Money spent on the items behind the offers, in multiples of a typical amount.
    placed : ndarray of bool, shape (offers,)
        Offers of which it is known what they are for; of others the spend says nothing.
    """

    events: sp.csr_matrix
    shown: sp.csr_matrix | None
    live: np.ndarray
    spend: sp.csr_matrix
    placed: np.ndarray

    def log_spend(self) -> np.ndarray:
        """Return the log of the mean spend on what is behind each offer: shape (offers,)."""
        n = max(1, self.spend.shape[0])
        log_spend = np.log(np.asarray(self.spend.sum(axis=0)).ravel() / n + LEAST_SPEND)
        log_spend[~self.placed] = log_spend[self.placed].mean() if self.placed.any() else 0.0
        return np.asarray(log_spend)


@dataclass(frozen=True)
class Rates:
    """Everyone's log rates, shape (offers,), and the line that they are shrunk to."""

    log_rate: np.ndarray
    level: float
    slope: float
    unplaced: float


def estimate_rates(chances: Chances) -> Rates:
    """Estimate everyone's log rates.

    New offers get what the spend on their items lets expect.
    """
    log_spend = chances.log_spend()
    events = np.asarray(chances.events.sum(axis=0)).ravel()
    if chances.shown is None:
        exposed = chances.events.shape[0] * chances.live
    else:
        exposed = np.asarray(chances.shown.sum(axis=0)).ravel()
    exposed = np.maximum(exposed, events)
    slope = 0.0
    total, exposure = events.sum(), exposed.sum()
    if chances.spend.nnz:
        # Without any redemption the spend itself is the best guess of interest.
        slope = _poisson_slope(events, exposed, log_spend) if total > 0 else 1.0
    mean = np.log((total + 0.5) / (exposure + 1.0))
    weight = exposed if exposure > 0 else np.ones_like(exposed)
    centred = slope * log_spend
    shift = np.log(np.average(np.exp(centred), weights=np.maximum(weight, 1e-9)))
    expected = np.exp(mean + centred - shift)
    rate = (events + OFFER_STRENGTH) / (exposed + OFFER_STRENGTH / expected)
    placed = log_spend[chances.placed]
    return Rates(
        log_rate=np.log(rate),
        level=float(mean - shift),
        slope=slope,
        unplaced=float(placed.mean()) if len(placed) else 0.0,
    )


def _poisson_slope(events: np.ndarray, exposed: np.ndarray, x: np.ndarray) -> float:
    """Fit log rate = a + b·x to counts over a grid of b, 0 to 2, with the best a in closed form."""
    grid = np.linspace(0.0, 2.0, 81)

    def expected(b: float) -> np.ndarray:
        shape = exposed * np.exp(b * (x - x.max()))
        return np.asarray(shape * events.sum() / max(float(shape.sum()), 1e-12))

    likelihood = np.array([xlogy(events, mean).sum() - mean.sum() for mean in map(expected, grid)])
    # Offers differ for reasons of their own, so the counts are overdispersed (Pearson's estimate).
    mean = np.maximum(expected(float(grid[likelihood.argmax()])), 1e-9)
    dispersion = max(1.0, float(((events - mean) ** 2 / mean).mean()))
    return float(grid[(likelihood / dispersion - grid**2 / 2).argmax()])
