"""The hybrid: one sum over sources whose weights depend on how much is known of the customer.

Each source has a weight at the four corners of what can be known of the customer (nothing, history
only, purchases only, both), popularity one for new and one for known offers; in between the weights
are interpolated, so that a cold customer becomes a warm one, and a new offer a known one, without a
step. To what is expected of a new offer its readiness is added, a part of popularity that has a
weight of its own. Contributions add up to the score exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recommender.base import Query, Source
from recommender.features.corners import CORNERS, corner_shares, met_of, stranger_of
from recommender.scoring.starts import Start
from recommender.scoring.terms import PRIOR, scale_of

OF_OFFERS = ("known", "trend", "ready", "unmet", "steep")  # what the hybrid itself has of offers


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
    weight : ndarray of float, shape (sources + 4, 4)
        Weights of the terms of `PRIOR` at the corners; none negative. The last source, popularity,
        has five: for known offers, for new ones, its trend, readiness for new ones, and what one
        that nobody met loses.
    known : ndarray of float, shape (offers,)
        How known each offer is, from zero for a new one to one.
    trend : ndarray of float, shape (offers,)
        What its popularity gained of late, on the scale of popularity; see
        `recommender.fitting.trend`.
    ready : ndarray of float, shape (offers,)
        How readily what is behind each offer is bought with a coupon; see
        `recommender.features.readiness`.
    unmet : ndarray of float, shape (offers,)
        One for an offer that nobody met and that states no begin: it may be new, or unwanted.
    steep : ndarray of float, shape (offers,)
        How far the log-odds of each offer's rate are above what popularity scores, on its scale.
    start : Start
        What each customer starts from; zero where not calibrated.
    slope : float
        From the relative score to the log-odds of redemption; 1 where not calibrated.
    calibrated : bool
        Whether scores are log-odds of a redemption if shown.
    stranger : float
        What the slope of a stranger is multiplied by (see `recommender.features.corners`).
    """

    sources: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    known: np.ndarray
    trend: np.ndarray
    ready: np.ndarray
    unmet: np.ndarray
    steep: np.ndarray
    start: Start
    slope: float = 1.0
    calibrated: bool = False
    stranger: float = 1.0

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
            **{name: getattr(self, name)[columns, None] for name in OF_OFFERS},
        )

    def rescaled(self, collaborative: np.ndarray, content: np.ndarray) -> Hybrid:
        """Take the scales of two sources anew, from scores of a sample of customers."""
        centre, scale = self.centre.copy(), self.scale.copy()
        for source, scores in ((Source.COLLABORATIVE, collaborative), (Source.CONTENT, content)):
            row = self.sources.index(source)
            centre[row], scale[row] = scale_of(scores)
        return replace(self, centre=centre, scale=scale)

    def blend(self, scores: np.ndarray, query: Query) -> Blend:
        """Blend the sources' scores, shape (sources, n, offers), NaN where one cannot say."""
        return self._blend(scores, self.shares(query), self.start.of(query), met_of(query))

    def blend_pairs(
        self, scores: np.ndarray, query: Query, rows: np.ndarray, columns: np.ndarray
    ) -> Blend:
        """Blend scores of pairs of customer and offer, shape (sources, pairs, 1)."""
        start, met = self.start.of(query)[rows], met_of(query)[rows]
        return self.of(columns)._blend(scores, self.shares(query)[:, rows], start, met)

    def _blend(
        self, scores: np.ndarray, weight: np.ndarray, start: np.ndarray, met: np.ndarray
    ) -> Blend:
        parts = self.standardise(scores, met)
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
        """Return what each term counts for each customer: shape (sources + 4, n)."""
        slope = self.slope * (1.0 + (self.stranger - 1.0) * stranger_of(query))
        return np.asarray(slope * (self.weight @ corner_shares(query).T))

    def terms(self, scores: np.ndarray, met: np.ndarray) -> np.ndarray:
        """Return what the weights multiply: shape (sources + 4, n, offers)."""
        parts = self.standardise(scores, met)
        return np.stack([*parts[:-1], *self.popular(parts[-1])])

    def popular(self, rate: np.ndarray) -> tuple[np.ndarray, ...]:
        """Split popularity, standardised, into its terms, in the order of `PRIOR`."""
        return (
            rate * self.known,
            rate * (1 - self.known),
            np.broadcast_to(self.trend, rate.shape),
            np.broadcast_to(self.ready * (1 - self.known), rate.shape),
            np.broadcast_to(-self.unmet, rate.shape),
        )

    def standardise(self, scores: np.ndarray, met: np.ndarray) -> np.ndarray:
        """Put the sources on one scale; where one cannot say it stays at the average, zero.

        Sources that go by traits share popularity's scale and count by what they add to it: a
        segment in which everything is as usual adds nothing. Survey, which goes by the profile as
        well, counts by what the answers add to that. The profile's are log-odds: the more a
        customer has been met, shape (n,), the more they are held against those of popularity; of
        strangers, against its score, so that both together make the log-odds of the profile.
        """
        z = np.asarray(scores - self.centre[:, None, None])
        z /= self.scale[:, None, None]
        popularity, demographic, survey = (
            z[self.sources.index(name)]
            for name in (Source.POPULARITY, Source.DEMOGRAPHIC, Source.SURVEY)
        )
        usual = popularity + met[:, None] * self.steep
        survey -= np.where(np.isnan(demographic), usual, demographic)
        demographic -= usual
        z[self.sources.index(Source.SEGMENT)] -= popularity
        np.copyto(z, 0.0, where=np.isnan(z))
        return z
