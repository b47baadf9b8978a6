"""The hybrid: one sum over sources whose weights depend on how much is known of the customer.

Each source has a weight at the four corners of what can be known of the customer (nothing, history
only, purchases only, both), popularity one for new and one for known offers; in between the weights
are interpolated, so that a cold customer becomes a warm one, and a new offer a known one, without a
step. Contributions add up to the score exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.base import Query, Reading, Source
from recommender.parts import Product, Side

CORNERS = ("nothing known", "history", "purchases", "both")
NEW, KNOWN = "popularity of new offers", "popularity of known offers"
# Weights believed before any data, per term: nothing known, history, purchases, both. Of a new
# offer popularity is but a guess from what people buy, which content knows better.
PRIOR: Mapping[str, tuple[float, float, float, float]] = {
    Source.COLLABORATIVE: (0.0, 0.5, 0.0, 0.4),
    Source.CONTENT: (0.0, 0.4, 1.0, 0.8),
    Source.SEGMENT: (0.6, 0.3, 0.3, 0.2),
    Source.DEMOGRAPHIC: (0.4, 0.2, 0.2, 0.1),
    Source.SURVEY: (0.6, 0.4, 0.4, 0.3),
    KNOWN: (0.8, 0.6, 0.5, 0.4),
    NEW: (0.8, 0.6, 0.0, 0.0),
}
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
    intercept : float
        What everybody starts from.
    """

    score: np.ndarray
    contributions: np.ndarray
    silent: np.ndarray
    intercept: float

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
    weight : ndarray of float, shape (sources + 1, 4)
        Weights of the terms of `PRIOR` at the corners; none negative. The last source, popularity,
        has two terms: one for known offers and one for new ones.
    known : ndarray of float, shape (offers,)
        How known each offer is, from zero for a new one to one.
    slope, intercept : float
        From the relative score to the log-odds of redemption; 1 and 0 where not calibrated.
    calibrated : bool
        Whether scores are log-odds of a redemption if shown.
    """

    sources: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    known: np.ndarray
    slope: float = 1.0
    intercept: float = 0.0
    calibrated: bool = False

    def named_weights(self) -> dict[str, dict[str, float]]:
        """Return the weights by term and by what is known of the customer."""
        return {
            term: dict(zip(CORNERS, np.round(row, 4).tolist(), strict=True))
            for term, row in zip(PRIOR, self.weight, strict=True)
        }

    def of(self, columns: np.ndarray) -> Hybrid:
        """Return the hybrid of pairs, which scores the one offer of each: shape (pairs, 1)."""
        return replace(self, known=self.known[columns, None])

    def blend(self, scores: np.ndarray, query: Query) -> Blend:
        """Blend the sources' scores, shape (sources, n, offers), NaN where one cannot say."""
        return self._blend(scores, self._shares(query))

    def blend_pairs(
        self, scores: np.ndarray, query: Query, rows: np.ndarray, columns: np.ndarray
    ) -> Blend:
        """Blend scores of pairs of customer and offer, shape (sources, pairs, 1)."""
        return self.of(columns)._blend(scores, self._shares(query)[:, rows])

    def _blend(self, scores: np.ndarray, weight: np.ndarray) -> Blend:
        parts = self.standardise(scores)
        for part, share in zip(parts[:-1], weight, strict=False):
            part *= share[:, None]
        known, new = weight[-2:, :, None]
        parts[-1] *= known * self.known + new * (1 - self.known)
        return Blend(
            score=self.intercept + parts.sum(axis=0),
            contributions=parts,
            silent=np.isnan(scores),
            intercept=self.intercept,
        )

    def _shares(self, query: Query) -> np.ndarray:
        """Return what each term counts for each customer: shape (sources + 1, n)."""
        return np.asarray(self.slope * (self.weight @ corner_shares(query).T))

    def outline(self, readings: Sequence[Reading], query: Query, novelty: float) -> Outline:
        """Prepare rough scores of all offers.

        Parameters
        ----------
        novelty : float
            Share of popularity's contribution that is left out.
        """
        weight, popular = self._shares(query), len(self.sources) - 1
        weight[popular:] *= 1.0 - novelty
        return self.outline_of(readings, weight, self.intercept)

    def outline_of(
        self, readings: Sequence[Reading], weight: np.ndarray, intercept: float = 0.0
    ) -> Outline:
        """Prepare rough sums of the terms by weights, shape (sources + 1, n)."""
        count, offers = self._counts(readings, weight), np.arange(len(self.known))
        usual = readings[-1].at(np.zeros_like(offers), offers)
        usual = (usual - self.centre[-1]) / self.scale[-1]
        rates = np.array([*self._popular(usual), usual, np.ones(len(offers))])
        popular = weight[len(self.sources) - 1 :]
        left = np.vstack([popular, count[-1], np.full(weight.shape[1], intercept)])
        parts = [
            (reading, own / scale, float(centre))
            for reading, own, centre, scale in zip(
                readings[:-1], count, self.centre, self.scale, strict=False
            )
            if own.any()
        ]
        return Outline(Product(left.T, Side(rates.T)), parts)

    def _counts(self, readings: Sequence[Reading], weight: np.ndarray) -> np.ndarray:
        """Return what each source's own score counts, `standardise` undone: shape (sources, n)."""
        speaks = {name: one.speaking for name, one in zip(self.sources, readings, strict=True)}
        own = {
            name: share * speaks[name] for name, share in zip(self.sources, weight, strict=False)
        }
        profile, told = own[Source.DEMOGRAPHIC], own[Source.SURVEY]
        own[Source.POPULARITY] = -(own[Source.SEGMENT] + profile)
        own[Source.POPULARITY] -= told * ~speaks[Source.DEMOGRAPHIC]
        own[Source.DEMOGRAPHIC] = profile - told * speaks[Source.DEMOGRAPHIC]
        return np.array([own[name] for name in self.sources])

    def terms(self, scores: np.ndarray) -> np.ndarray:
        """Return what the weights multiply: shape (sources + 1, n, offers)."""
        parts = self.standardise(scores)
        return np.stack([*parts[:-1], *self._popular(parts[-1])])

    def _popular(self, rate: np.ndarray) -> tuple[np.ndarray, ...]:
        """Split popularity, standardised, into its terms: of known offers and of new ones."""
        return rate * self.known, rate * (1 - self.known)

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


@dataclass(frozen=True)
class Outline:
    """Scores of all offers in single precision, made some customers at a time.

    Attributes
    ----------
    rates : Product
        What is made of everyone's rates.
    parts : list of (Reading, ndarray of float, shape (n,), float)
        The other sources, what each counts for each customer, and where it is centred.
    """

    rates: Product
    parts: list[tuple[Reading, np.ndarray, float]]

    def make(self, rows: slice, room: np.ndarray) -> np.ndarray:
        """Score all offers for some customers: shape (m, offers), in `room`.

        Parameters
        ----------
        room : ndarray of float32, shape (3, m, offers)
            To be written to.
        """
        total = room[0]
        np.matmul(self.rates.left[rows].astype(np.float32), self.rates.right.single, out=total)
        for reading, share, centre in self.parts:
            reading.add_to(total, rows, share[rows], centre, room[1:])
        return np.asarray(total)

    def whole(self) -> np.ndarray:
        """Score all offers for all customers: shape (n, offers)."""
        n, offers = len(self.rates.left), self.rates.right.single.shape[1]
        return self.make(slice(0, n), np.empty((3, n, offers), dtype=np.float32))

    def slip(self) -> np.ndarray:
        """Bound how far any score is off: shape (n,)."""
        most = self.rates.slip()
        for reading, share, centre in self.parts:
            most += np.abs(share) * reading.slip(centre)
        return np.asarray(most)


def corner_shares(query: Query) -> np.ndarray:
    """Say how near each customer is to the four corners: shape (n, 4), rows add up to one."""
    history, purchases = query.evidence().T
    return np.column_stack(
        [
            (1 - history) * (1 - purchases),
            history * (1 - purchases),
            (1 - history) * purchases,
            history * purchases,
        ]
    )


def prior_hybrid(
    log_rate: np.ndarray, collaborative: np.ndarray, content: np.ndarray, redemptions: np.ndarray
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
    """
    scale = {Source.COLLABORATIVE: _scale(collaborative), Source.CONTENT: _scale(content)}
    rates = _scale(log_rate)
    pairs = [scale.get(source, rates) for source in Source]
    return Hybrid(
        sources=tuple(str(source) for source in Source),
        centre=np.array([centre for centre, _ in pairs]),
        scale=np.array([spread for _, spread in pairs]),
        weight=np.array(list(PRIOR.values())),
        known=redemptions / (redemptions + HALF_KNOWN),
    )


def _scale(scores: np.ndarray) -> tuple[float, float]:
    finite = scores[np.isfinite(scores)]
    if not finite.size:
        return 0.0, 1.0
    spread = float(finite.std())
    return float(finite.mean()), spread if spread > 1e-9 else 1.0
