"""Segments as serving sees them: arrays and names. No training library is imported here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Assignment:
    """Segments of n customers.

    Attributes
    ----------
    segment : ndarray of int, shape (n,)
        Segment number; the number of segments itself where nothing is known of the customer.
    confidence : ndarray of float, shape (n,)
        d₂ / (d₁ + d₂) of the distances to the nearest and the second nearest centroid: 0.5 is on
        the border, 1 on the centroid. NaN where nothing is known.
    runner_up : ndarray of int, shape (n,)
        The second nearest segment.
    """

    segment: np.ndarray
    confidence: np.ndarray
    runner_up: np.ndarray


@dataclass(frozen=True)
class SegmentModel:
    """Centroids with everything needed to place a customer among them.

    Attributes
    ----------
    features : tuple of str
        Names of the d features, in the order of every array here.
    logged : ndarray of bool, shape (d,)
        Features whose log(1 + x) is compared.
    mean, scale, weight : ndarray of float, shape (d,)
        A value x becomes √weight · (x - mean) / scale.
    centroids : ndarray of float, shape (k, d)
        In those units.
    names : tuple of str
        One name per segment.
    descriptions : tuple of str
        One sentence per segment.
    shares : ndarray of float, shape (k,)
        Share of the training customers.
    """

    features: tuple[str, ...]
    logged: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    centroids: np.ndarray
    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    shares: np.ndarray

    @property
    def n_segments(self) -> int:
        """How many segments there are."""
        return len(self.centroids)

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """Put raw feature values, shape (n, d), on the scale of the centroids; NaN stays NaN."""
        moved = np.where(self.logged, np.log1p(np.maximum(values, 0.0)), values)
        return np.asarray(np.sqrt(self.weight) * (moved - self.mean) / self.scale)

    def raw(self, standardised: np.ndarray) -> np.ndarray:
        """Undo `standardise`."""
        moved = standardised / np.sqrt(self.weight) * self.scale + self.mean
        # expm1 of a plain income would overflow.
        return np.asarray(np.where(self.logged, np.expm1(np.where(self.logged, moved, 0.0)), moved))

    def distances(self, values: np.ndarray) -> np.ndarray:
        """Return the distance to every centroid, shape (n, k).

        Parameters
        ----------
        values : ndarray of float, shape (n, d)
            Raw feature values; what is missing (NaN) does not take part.
        """
        z = self.standardise(np.atleast_2d(np.asarray(values, dtype=np.float64)))
        gap = z[:, None, :] - self.centroids[None]
        return np.asarray(np.sqrt((np.where(np.isfinite(gap), gap, 0.0) ** 2).sum(axis=2)))

    def assign(self, values: np.ndarray) -> Assignment:
        """Place customers by what is known of them.

        Parameters
        ----------
        values : ndarray of float, shape (n, d)
            Raw feature values; what is missing (NaN) does not take part in the distance.
        """
        distance = self.distances(values)
        order = np.argsort(distance, axis=1, kind="stable")
        first = order[:, 0]
        second = order[:, 1] if self.n_segments > 1 else first
        rows = np.arange(len(distance))
        near, far = distance[rows, first], distance[rows, second]
        with np.errstate(invalid="ignore"):
            confidence = np.where(near + far > 0, far / (near + far), 0.5)
        nothing = ~np.isfinite(np.atleast_2d(np.asarray(values, dtype=np.float64))).any(axis=1)
        if self.n_segments == 1:
            confidence = np.ones(len(distance))
        return Assignment(
            segment=np.where(nothing, self.n_segments, first),
            confidence=np.where(nothing, np.nan, confidence),
            runner_up=np.where(nothing, self.n_segments, second),
        )
