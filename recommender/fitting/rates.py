"""How often offers are redeemed per chance to redeem them, and what to expect of new ones.

Rates are shrunk (empirical Bayes) to what is expected of offers like it: what people spend on the
items behind the offer, and how offers do that have attributes in common. How far is learnt from
how much offers differ: gamma-Poisson models (Clayton & Kaldor 1987), fitted group by group, and a
negative binomial regression for what overlaps. Where nobody logged what was shown, groups of offers
that come and go differ by whom they were offered to, and nothing is learnt of them: on campaigns of
which each reaches other households that would cost popularity a tenth. Offers without dates are
open to everybody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln, xlogy

from recommender.features.attributes import Attributes
from recommender.fitting.overdispersed import SPREAD, fit_effects
from recommender.fitting.showings import Showings
from recommender.popularity import LEAST_SPEND

USUAL_STRENGTH = 2.0  # redemptions that an expectation counts for, before offers tell
STRENGTHS = np.geomspace(0.05, 50.0, 31)
ROUNDS = 4
LEAST = 1e-12  # of what is expected


@dataclass(frozen=True)
class Chances:
    """What redemption rates are estimated from.

    Attributes
    ----------
    events : csr_matrix, shape (customers, offers)
        Redemptions (or clicks where nothing is redeemed).
    shown : csr_matrix, shape (customers, offers), or None
        Impressions while the offer was open to the customer, by how readily the customer answers
        and as far as their time has passed, where what was shown is logged; else everyone could
        redeem at any time.
    present : ndarray of bool, shape (customers,)
        Who was a customer by the moment; others passed nothing over.
    live : ndarray of float, shape (offers,)
        Share of the history in which each offer was valid.
    dated, met : ndarray of bool, shape (offers,)
        Whether each states when it is valid, and whether anybody met it.
    spend : ndarray of float, shape (offers,)
        Money that a customer spends on what each offer is for, on average, in units.
    placed : ndarray of bool, shape (offers,)
        Offers of which it is known what they are for; of others the spend says nothing.
    attributes : csr_matrix, shape (offers, attributes)
    columns : Attributes
        What they are.
    showings : Showings or None
        The impressions by time, where what was shown is logged.
    """

    events: sp.csr_matrix
    shown: sp.csr_matrix | None
    present: np.ndarray
    live: np.ndarray
    dated: np.ndarray
    met: np.ndarray
    spend: np.ndarray
    placed: np.ndarray
    attributes: sp.csr_matrix
    columns: Attributes
    showings: Showings | None = None

    def log_spend(self) -> np.ndarray:
        """Return the log of the mean spend on what is behind each offer: shape (offers,)."""
        log_spend = np.log(self.spend + LEAST_SPEND)
        log_spend[~self.placed] = log_spend[self.placed].mean() if self.placed.any() else 0.0
        return np.asarray(log_spend)

    def unmet(self) -> np.ndarray:
        """Mark offers of which nothing says that they were there: shape (offers,).

        What states no dates and nobody met may have come today. Where showing is logged nothing
        else counts.
        """
        unmet = ~(self.dated | self.met) if self.shown is None else np.zeros(len(self.live))
        return unmet.astype(np.float64)

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return each offer's redemptions and how often it could have been redeemed."""
        events = np.asarray(self.events.sum(axis=0)).ravel()
        if self.shown is None:
            exposed = self.present.sum() * self.live * (self.dated | self.met)
            # Who takes something again and again has had a chance each time: else whatever is taken
            # more than once a customer would be taken by all alike.
            again = events > np.asarray((self.events > 0).sum(axis=0)).ravel()
            exposed *= (events[again] / np.maximum(exposed[again], 1.0)).max(initial=1.0)
        else:
            exposed = np.asarray(self.shown.sum(axis=0)).ravel()
        return events, np.maximum(exposed, events)


@dataclass(frozen=True)
class Rates:
    """Everyone's log rates and what they are shrunk to: level + slope · log spend + effects.

    Attributes
    ----------
    log_rate : ndarray of float, shape (offers,)
    level, slope : float
    unplaced : float
        Log spend that stands for an offer of which it is not known what it is for.
    effect : ndarray of float, shape (attributes,)
        What having an attribute adds.
    """

    log_rate: np.ndarray
    level: float
    slope: float
    unplaced: float
    effect: np.ndarray


def estimate_rates(chances: Chances) -> Rates:
    """Estimate everyone's log rates.

    New offers get what their items and attributes let expect.
    """
    log_spend = chances.log_spend()
    events, exposed = chances.counts()
    total, exposure = events.sum(), exposed.sum()
    # Without any redemption the spend itself is the best guess of interest.
    slope = 1.0 if chances.spend.any() and not total else 0.0
    has, columns = chances.attributes, chances.columns
    effect = np.zeros(has.shape[1])
    families = [] if chances.shown is None else columns.family[~columns.is_number].tolist()
    mean = float(np.log((total + 0.5) / (exposure + 1.0)))
    weight = np.maximum(exposed if exposure > 0 else np.ones_like(exposed), 1e-9)

    def expected() -> tuple[np.ndarray, float]:
        relative = slope * log_spend + has @ effect
        level = mean - float(np.log(np.average(np.exp(relative), weights=weight)))
        return np.exp(level + relative), level

    for _ in range(ROUNDS if total else 0):
        if chances.spend.any():
            slope = _poisson_slope(events, exposed * np.exp(has @ effect), log_spend)
        for name in dict.fromkeys(families):
            group = np.flatnonzero(columns.family == name)
            usual = exposed * expected()[0]
            effect[group] = _effects(has[:, group], events, usual, effect[group])
    if total:
        rest = np.flatnonzero(~np.isin(columns.family, families))
        usual = exposed * expected()[0]
        if chances.shown is None:
            usual = usual * ~chances.dated
        effect[rest] = fit_effects(
            has[:, rest], events, usual, _strength(events, usual), _spreads(has, columns)[rest]
        )
    rate, level = expected()
    told = total > 0 and chances.shown is not None
    strength = _strength(events, exposed * rate) if told else USUAL_STRENGTH
    placed = log_spend[chances.placed]
    return Rates(
        log_rate=np.log((events + strength) / (exposed + strength / rate)),
        level=level,
        slope=slope,
        unplaced=float(placed.mean()) if len(placed) else 0.0,
        effect=effect,
    )


def _spreads(has: sp.csr_matrix, columns: Attributes) -> np.ndarray:
    """Say how far each attribute may move an offer: all tags of one together as far as one."""
    spread = np.full(has.shape[1], SPREAD)
    for name in np.unique(columns.family):
        own = np.flatnonzero(columns.family == name)
        square = np.asarray(has[:, own].power(2).sum(axis=1)).ravel()
        stated = square > 0
        if stated.any():
            spread[own] /= np.sqrt(max(1.0, float(square[stated].mean())))
    return spread


def _effects(
    has: sp.csr_matrix, events: np.ndarray, usual: np.ndarray, before: np.ndarray
) -> np.ndarray:
    """Estimate what the attributes of one family add, as logs of gamma multipliers.

    Offers differ for reasons of their own: by how much more than chance (Pearson's dispersion),
    so much less do the redemptions of a group say of the group.
    """
    there = usual > LEAST
    spread = (events - usual)[there] ** 2 / usual[there]
    dispersion = max(1.0, float(spread.mean())) if there.any() else 1.0
    seen = has.T @ events / dispersion
    usual_of_group = (has.T @ usual) / np.exp(before) / dispersion
    strength = _strength(seen, usual_of_group)
    return np.asarray(np.log((seen + strength) / (usual_of_group + strength)))


def _strength(events: np.ndarray, usual: np.ndarray) -> float:
    """Find how many redemptions an expectation counts for, from how far offers depart from theirs.

    The likelihood of the counts with a gamma prior of mean one on each rate (negative binomial),
    held a little to what is usual.
    """
    there = usual > LEAST
    seen, mean = events[there], usual[there]
    likelihood = [
        float(
            (
                gammaln(seen + size)
                - gammaln(size)
                + xlogy(seen, mean / (mean + size))
                + size * np.log(size / (mean + size))
            ).sum()
        )
        - float(np.log(size / USUAL_STRENGTH)) ** 2 / 2
        for size in STRENGTHS
    ]
    return float(STRENGTHS[int(np.argmax(likelihood))])


def _poisson_slope(events: np.ndarray, exposed: np.ndarray, x: np.ndarray) -> float:
    """Fit log rate = a + b·x to counts over a grid of b, 0 to 2, with the best a in closed form."""
    grid = np.linspace(0.0, 2.0, 81)

    def expected(b: float) -> np.ndarray:
        shape = exposed * np.exp(b * (x - x.max()))
        return np.asarray(shape * events.sum() / max(float(shape.sum()), LEAST))

    likelihood = np.array([xlogy(events, mean).sum() - mean.sum() for mean in map(expected, grid)])
    # Offers differ for reasons of their own, so the counts are overdispersed (Pearson's estimate).
    mean = np.maximum(expected(float(grid[likelihood.argmax()])), 1e-9)
    dispersion = max(1.0, float(((events - mean) ** 2 / mean).mean()))
    return float(grid[(likelihood / dispersion - grid**2 / 2).argmax()])
