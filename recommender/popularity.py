"""Popularity among everyone, a segment, demographic groups or people who answered alike.

One scorer, several group keys. A rate is how often an offer was redeemed per chance to redeem it,
shrunk (empirical Bayes) to what is expected: a group's rate to everyone's, everyone's to what
people spend on the items behind the offer, so that an offer nobody has seen has a rate as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.special import xlogy

from recommender.base import Query, Source

OFFER_STRENGTH = 2.0  # redemptions that the expectation of an offer counts for
GROUP_STRENGTH = 5.0  # redemptions that everyone's rate counts for in a group
MOST_LIFT = 3.0  # log; an answer that repeats what was done would else lift without bound
MEMBERSHIP = {
    Source.SEGMENT: "segment",
    Source.DEMOGRAPHIC: "demographic",
    Source.SURVEY: "answers",
}


@dataclass(frozen=True)
class RateScorer:
    """Everyone's log rate, plus the lifts of the groups a customer is in.

    Groups overlap, so that n lifts count as √n of their mean; a lift that stands alone counts
    whole.

    Attributes
    ----------
    name : str
        The source this scorer stands for.
    base : ndarray of float, shape (offers,)
        Everyone's log rate.
    lift : ndarray of float, shape (groups, offers)
        Log rate in each group less everyone's; no rows for plain popularity.
    alone : ndarray of bool, shape (groups, offers)
        Lifts of which a customer has at most one per offer, such as that of the answer about its
        category.
    """

    name: str
    base: np.ndarray
    lift: np.ndarray
    alone: np.ndarray

    @property
    def source(self) -> Source:
        """Where the score comes from."""
        return Source(self.name)

    def score(self, query: Query) -> np.ndarray:
        """Score every offer; NaN for a customer who is in none of the groups."""
        if self.source is Source.POPULARITY:
            return np.tile(self.base, (len(query), 1))
        member: sp.csr_matrix = getattr(query, MEMBERSHIP[self.source])
        groups = np.diff(member.indptr)
        lift = (member @ self._shared) / np.sqrt(np.maximum(groups, 1))[:, None]
        lift = lift + member @ self._whole
        return np.where(groups[:, None] > 0, self.base + lift, np.nan)

    @cached_property
    def _shared(self) -> np.ndarray:
        return np.where(self.alone, 0.0, self.lift)

    @cached_property
    def _whole(self) -> np.ndarray:
        return np.where(self.alone, self.lift, 0.0)


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

    def of(self, member: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sum by group: redemptions, chances and log mean spend, each of shape (groups, offers)."""
        groups = sp.csr_matrix(member.T)
        size = np.asarray(groups.sum(axis=1)).reshape(-1, 1)
        events = np.asarray((groups @ self.events).todense())
        if self.shown is None:
            chances = size * self.live[None, :]
        else:
            chances = np.asarray((groups @ self.shown).todense())
        spend = np.asarray((groups @ self.spend).todense()) / np.maximum(size, 1.0)
        log_spend = np.log(spend + 0.01)
        if not self.placed.all():
            usual = log_spend[:, self.placed] if self.placed.any() else np.zeros((len(spend), 1))
            log_spend[:, ~self.placed] = usual.mean(axis=1, keepdims=True)
        return events, np.maximum(chances, events), log_spend


@dataclass(frozen=True)
class Rates:
    """Everyone's rates and what is needed to estimate a group's."""

    log_rate: np.ndarray
    log_spend: np.ndarray
    slope: float
    chances: Chances

    def lift(self, member: sp.csr_matrix, relation: np.ndarray | None = None) -> np.ndarray:
        """Estimate log rates of groups less everyone's: shape (groups, offers).

        Parameters
        ----------
        member : csr_matrix, shape (customers, groups)
            One where a customer is in a group.
        relation : ndarray of int, shape (groups, offers), optional
            Pairs of the same number above zero are expected to be lifted alike, also for an offer
            that nobody of the group has seen: those who answered that a category is for them, say,
            and the offers of that category.
        """
        events, chances, log_spend = self.chances.of(member)
        # A group that buys more of what is behind an offer is expected to redeem it more.
        expected = self.slope * np.clip(log_spend - self.log_spend, -2.0, 2.0)
        size = np.asarray(member.sum(axis=0)).reshape(-1, 1)
        trust = size / (size + 50.0)
        expected = np.exp(self.log_rate + trust * expected)
        for number in range(1, 0 if relation is None else int(relation.max(initial=0)) + 1):
            alike = relation == number
            usual = (chances[alike] * expected[alike]).sum()
            expected[alike] *= (events[alike].sum() + GROUP_STRENGTH) / (usual + GROUP_STRENGTH)
        rate = (events + GROUP_STRENGTH) / (chances + GROUP_STRENGTH / expected)
        return np.asarray(np.clip(np.log(rate) - self.log_rate, -MOST_LIFT, MOST_LIFT))


def estimate_rates(chances: Chances) -> Rates:
    """Estimate everyone's rates; new offers get what the spend on their items lets expect."""
    everyone = sp.csr_matrix(np.ones((chances.events.shape[0], 1)))
    events, exposed, log_spend = (part[0] for part in chances.of(everyone))
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
    return Rates(np.log(rate), log_spend, slope, chances)


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
