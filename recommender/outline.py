"""The hybrid in outline: scores of all offers in single precision, and how far they may be off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.base import Query, Reading, Source
from recommender.features.corners import met_of
from recommender.hybrid import Hybrid
from recommender.scoring.parts import Product, Side


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


def outline(
    hybrid: Hybrid, readings: Sequence[Reading], query: Query, novelty: float = 0.0
) -> Outline:
    """Prepare rough scores of all offers.

    Parameters
    ----------
    novelty : float
        Share of popularity's contribution that is left out.
    """
    weight = hybrid.shares(query)
    weight[len(hybrid.sources) - 1 :] *= 1.0 - novelty
    return outline_of(hybrid, readings, weight, hybrid.start.of(query), met_of(query))


def outline_of(
    hybrid: Hybrid,
    readings: Sequence[Reading],
    weight: np.ndarray,
    start: np.ndarray,
    met: np.ndarray,
) -> Outline:
    """Prepare rough sums of the terms by weights, shape (sources + 4, n), from starts, (n,)."""
    count, lifted = _counts(hybrid.sources, readings, weight)
    offers = np.arange(len(hybrid.known))
    usual = readings[-1].at(np.zeros_like(offers), offers)
    usual = (usual - hybrid.centre[-1]) / hybrid.scale[-1]
    rates = np.array([*hybrid.popular(usual), usual, hybrid.steep, np.ones(len(offers))])
    popular = weight[len(hybrid.sources) - 1 :]
    left = np.vstack([popular, count[-1], -lifted * met, start])
    parts = [
        (reading, own / scale, float(centre))
        for reading, own, centre, scale in zip(
            readings[:-1], count, hybrid.centre, hybrid.scale, strict=False
        )
        if own.any()
    ]
    return Outline(Product(left.T, Side(rates.T)), parts)


def _counts(
    sources: Sequence[str], readings: Sequence[Reading], weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Undo `standardise`.

    Returns
    -------
    count : ndarray of float, shape (sources, n)
        What each source's own score counts.
    lifted : ndarray of float, shape (n,)
        What log-odds count that are held against everyone's.
    """
    speaks = {name: one.speaking for name, one in zip(sources, readings, strict=True)}
    own = {name: share * speaks[name] for name, share in zip(sources, weight, strict=False)}
    profile, told = own[Source.DEMOGRAPHIC], own[Source.SURVEY]
    lifted = profile + told * ~speaks[Source.DEMOGRAPHIC]
    own[Source.POPULARITY] = -(own[Source.SEGMENT] + lifted)
    own[Source.DEMOGRAPHIC] = profile - told * speaks[Source.DEMOGRAPHIC]
    return np.array([own[name] for name in sources]), lifted
