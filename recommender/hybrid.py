"""The hybrid: one sum over sources whose weights depend on how much is known of the customer.

Each source has a weight at the four corners of what can be known of the customer (nothing, history
only, purchases only, both), popularity one for new and one for known offers; in between the weights
are interpolated, so that a cold customer becomes a warm one, and a new offer a known one, without a
step. To what is expected of a new offer its readiness is added, a part of popularity that has a
weight of its own. Contributions add up to the score exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from recommender.base import Query, Source
from recommender.corners import CORNERS, corner_shares
from recommender.starts import Start

NEW, KNOWN = "popularity of new offers", "popularity of known offers"
TREND = "popularity gained of late"
READY = "readiness of new offers"
# Weights believed before any data, per term: nothing known, history, purchases, both. Of a new
# offer popularity is but a guess from what people buy, which content knows better. Those of lifts
# are shares of a log-odds, the others are per standard deviation.
PRIOR: Mapping[str, tuple[float, float, float, float]] = {
    Source.COLLABORATIVE: (0.0, 0.5, 0.0, 0.4),
    Source.CONTENT: (0.0, 0.4, 1.0, 0.8),
    Source.SEGMENT: (0.6, 0.3, 0.3, 0.2),
    Source.DEMOGRAPHIC: (0.4, 0.2, 0.2, 0.1),
    Source.SURVEY: (0.6, 0.4, 0.4, 0.3),
    KNOWN: (0.8, 0.6, 0.5, 0.4),
    NEW: (0.8, 0.6, 0.0, 0.0),
    TREND: (0.0, 0.0, 0.0, 0.0),
    READY: (0.3, 0.3, 0.3, 0.3),
}
OF_NEW = (NEW, READY)  # terms that tell new offers apart, the same for every customer
LIFTS = (Source.SEGMENT, Source.DEMOGRAPHIC, Source.SURVEY)
# Of trend at most what turns the rate of all the past into that of late. It is for those who come
# back: a newcomer has not had yet what everybody takes.
MOST = np.array([(0.0, 1.0) * 2 if term == TREND else (np.inf,) * 4 for term in PRIOR])
HALF_KNOWN = 5.0  # redemptions after which an offer is as much known as new


@dataclass(frozen=True)
class Blend:
    """Scores of n customers for every offer, and what they are made of.

    Attributes
    ----------
    score : ndarray of float, shape (n, offers)
        A log-odds where calibrated, else relative.
    contributions : ndarray of float, shape (sources, n, offers)
        With `intercept` they add up to `score`.
    silent : ndarray of bool, shape (sources, n, offers)
        Where a source cannot say anything.
    intercept : ndarray of float, shape (n,)
        What each customer starts from.
    """

    score: np.ndarray
    contributions: np.ndarray
    silent: np.ndarray
    intercept: np.ndarray

    def leading(self, people: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the source that speaks most, and can speak, for pairs of customer and offer.

        Parameters
        ----------
        people, rows : ndarray of int
            Of shapes that broadcast; the result has theirs.
        """
        parts = np.where(self.silent[:, people, rows], -np.inf, self.contributions[:, people, rows])
        return np.asarray(parts.argmax(axis=0))


@dataclass(frozen=True)
class Hybrid:
    """The fitted hybrid.

    Attributes
    ----------
    sources : tuple of str
        The sources, in the order of the arrays.
    centre, scale : ndarray of float, shape (sources,)
        A score s becomes (s - centre) / scale.
    weight : ndarray of float, shape (sources + 3, 4)
        Weights of the terms of `PRIOR` at the corners; none negative. The last source, popularity,
        has four terms: for known offers, for new ones, its trend, and readiness for new ones.
    known : ndarray of float, shape (offers,)
        How known each offer is, from zero for a new one to one.
    trend : ndarray of float, shape (offers,)
        What its popularity gained of late (see `recommender.trend`), on the scale of popularity.
    ready : ndarray of float, shape (offers,)
        How readily what is behind each offer is bought with a coupon (see `recommender.readiness`).
    start : Start
        What each customer starts from; zero where not calibrated.
    slope : float
        From the relative score to the log-odds of redemption; 1 where not calibrated.
    calibrated : bool
        Whether scores are log-odds of a redemption if shown.
    """

    sources: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    known: np.ndarray
    trend: np.ndarray
    ready: np.ndarray
    start: Start
    slope: float = 1.0
    calibrated: bool = False

    def named_weights(self) -> dict[str, dict[str, float]]:
        """Return the weights by term and by what is known of the customer."""
        return {
            term: dict(zip(CORNERS, np.round(row, 4).tolist(), strict=True))
            for term, row in zip(PRIOR, self.weight, strict=True)
        }

    def of(self, columns: np.ndarray) -> Hybrid:
        """Return the hybrid of pairs, which scores the one offer of each: shape (pairs, 1)."""
        return replace(
            self,
            **{name: getattr(self, name)[columns, None] for name in ("known", "trend", "ready")},
        )

    def blend(self, scores: np.ndarray, query: Query) -> Blend:
        """Blend the sources' scores, shape (sources, n, offers), NaN where one cannot say."""
        return self._blend(scores, self.shares(query), self.start.of(query))

    def blend_pairs(
        self, scores: np.ndarray, query: Query, rows: np.ndarray, columns: np.ndarray
    ) -> Blend:
        """Blend scores of pairs of customer and offer, shape (sources, pairs, 1)."""
        start = self.start.of(query)[rows]
        return self.of(columns)._blend(scores, self.shares(query)[:, rows], start)

    def _blend(self, scores: np.ndarray, weight: np.ndarray, start: np.ndarray) -> Blend:
        parts = self.standardise(scores)
        for part, share in zip(parts[:-1], weight, strict=False):
            part *= share[:, None]
        parts[-1] = sum(
            share[:, None] * term
            for share, term in zip(weight[len(parts) - 1 :], self.popular(parts[-1]), strict=True)
        )
        return Blend(
            score=start[:, None] + parts.sum(axis=0),
            contributions=parts,
            silent=np.isnan(scores),
            intercept=start,
        )

    def shares(self, query: Query) -> np.ndarray:
        """Return what each term counts for each customer: shape (sources + 3, n)."""
        return np.asarray(self.slope * (self.weight @ corner_shares(query).T))

    def terms(self, scores: np.ndarray) -> np.ndarray:
        """Return what the weights multiply: shape (sources + 3, n, offers)."""
        parts = self.standardise(scores)
        return np.stack([*parts[:-1], *self.popular(parts[-1])])

    def popular(self, rate: np.ndarray) -> tuple[np.ndarray, ...]:
        """Split popularity, standardised, into its terms, in the order of `PRIOR`."""
        return (
            rate * self.known,
            rate * (1 - self.known),
            np.broadcast_to(self.trend, rate.shape),
            np.broadcast_to(self.ready * (1 - self.known), rate.shape),
        )

    def standardise(self, scores: np.ndarray) -> np.ndarray:
        """Put the sources on one scale; where one cannot say it stays at the average, zero.

        Sources that go by traits share popularity's scale and count by what they add to it: a
        segment in which everything is as usual adds nothing. Survey, which goes by the profile as
        well, counts by what the answers add to that.
        """
        z = np.asarray(scores - self.centre[:, None, None])
        z /= self.scale[:, None, None]
        popularity, demographic, survey = (
            z[self.sources.index(name)]
            for name in (Source.POPULARITY, Source.DEMOGRAPHIC, Source.SURVEY)
        )
        survey -= np.where(np.isnan(demographic), popularity, demographic)
        for name in (Source.SEGMENT, Source.DEMOGRAPHIC):
            z[self.sources.index(name)] -= popularity
        np.copyto(z, 0.0, where=np.isnan(z))
        return z


def prior_hybrid(
    log_rate: np.ndarray,
    collaborative: np.ndarray,
    content: np.ndarray,
    redemptions: np.ndarray,
    trend: np.ndarray,
    ready: np.ndarray,
    responses: sp.csr_matrix,
) -> Hybrid:
    """Build the hybrid believed before any data.

    The four sources that are log rates share one scale, so that a lift means the same in each.

    Parameters
    ----------
    log_rate : ndarray of float, shape (offers,)
        Everyone's log rates.
    collaborative, content : ndarray of float, shape (n, offers)
        Scores of a sample of customers, for their scales.
    redemptions : ndarray of float, shape (offers,)
        Of all customers.
    trend : ndarray of float, shape (offers,)
        What the log rates gained of late.
    ready : ndarray of float, shape (offers,)
        The offers' readiness.
    responses : csr_matrix, shape (customers, 3)
        How customers answered what they were shown (see `Query`).
    """
    scale = {Source.COLLABORATIVE: _scale(collaborative), Source.CONTENT: _scale(content)}
    rates = _scale(log_rate)
    pairs = [scale.get(source, rates) for source in Source]
    return Hybrid(
        sources=tuple(str(source) for source in Source),
        centre=np.array([centre for centre, _ in pairs]),
        scale=np.array([spread for _, spread in pairs]),
        weight=np.array(list(PRIOR.values())) * units(rates[1])[:, None],
        known=redemptions / (redemptions + HALF_KNOWN),
        trend=trend / rates[1],
        ready=ready,
        start=Start.believed(responses),
    )


def units(spread: float) -> np.ndarray:
    """Return the weight at which each term counts fully: shape (terms,).

    That is for a lift what brings it back to a log-odds, for others one standard deviation.

    Parameters
    ----------
    spread : float
        Of the log rates, popularity's scale.
    """
    return np.array([spread if term in LIFTS else 1.0 for term in PRIOR])


def _scale(scores: np.ndarray) -> tuple[float, float]:
    finite = scores[np.isfinite(scores)]
    if not finite.size:
        return 0.0, 1.0
    spread = float(finite.std())
    return float(finite.mean()), spread if spread > 1e-9 else 1.0
