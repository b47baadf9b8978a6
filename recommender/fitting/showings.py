"""Showings by time: how much chance each offer had lately, as trend and its pace reckon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.features.history import fading

STRETCHES = 1000  # that time is cut into: a log may hold many showings of each


@dataclass(frozen=True)
class Showings:
    """The chances that showings were, gathered by offer and stretch of time.

    Attributes
    ----------
    offer : ndarray of int, shape (n,)
        Rows of the offers.
    when : ndarray of float, shape (n,)
        Microseconds since 1970, the middle of the stretch.
    chance : ndarray of float, shape (n,)
        As readily as places are looked at, and as far as their time has passed.
    n_offers : int
    """

    offer: np.ndarray
    when: np.ndarray
    chance: np.ndarray
    n_offers: int

    @classmethod
    def gather(
        cls, offer: np.ndarray, when: np.ndarray, chance: np.ndarray, n_offers: int
    ) -> Showings:
        """Add showings up, one by one as given."""
        first, last = (when.min(), when.max()) if len(when) else (0.0, 0.0)
        step = max((last - first) / STRETCHES, 1.0)
        stretch = np.minimum((when - first) // step, STRETCHES - 1).astype(np.int64)
        cells, place = np.unique(offer * STRETCHES + stretch, return_inverse=True)
        middle = first + (cells % STRETCHES + 0.5) * step
        return cls(cells // STRETCHES, middle, np.bincount(place, chance), n_offers)

    def between(self, start: float, stop: float) -> np.ndarray:
        """Return the chances of a time: shape (offers,)."""
        return self._sum(self.chance * ((self.when >= start) & (self.when < stop)))

    def lately(self, moment: float, half_life: float) -> np.ndarray:
        """Return the chances before a moment, the older the less: shape (offers,)."""
        faded = self.chance * fading(self.when, moment, half_life)
        return self._sum(faded * (self.when < moment))

    def _sum(self, weight: np.ndarray) -> np.ndarray:
        return np.bincount(self.offer, weight, minlength=self.n_offers)
