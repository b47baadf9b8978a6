"""Trend: which offers are taken more of late than they were, each by the chances it had.

A rate over all of the past is what popularity knows; films, fashions and seasons come and go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from data.dataset import Dataset, microseconds
from data.schema import CLICK, CUSTOMER_ID, OCCURRED_AT, OFFER_ID
from recommender.features.history import HALF_LIFE, fading
from recommender.fitting.chances import lifetimes
from recommender.fitting.showings import Showings

STRENGTH = 2.0  # recent redemptions that "as ever" counts for
LEAST = 1e-9  # chance: below, nothing was shown


@dataclass(frozen=True)
class Takings:
    """What was taken, oldest first.

    Attributes
    ----------
    offer, owner : ndarray of int, shape (events,)
        Rows of the offers, and a number for each customer.
    when : ndarray of float, shape (events,)
        Microseconds since 1970.
    begin, end : ndarray of float, shape (offers,)
        Since when and until when each offer was valid.
    shown : Showings or None
        The chances there were, where showing is logged.
    """

    offer: np.ndarray
    owner: np.ndarray
    when: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    shown: Showings | None = None

    @classmethod
    def of(cls, dataset: Dataset, moment: int, shown: Showings | None = None) -> Takings:
        """Lay out the redemptions (or clicks) of a dataset; without a time they are of now."""
        events = dataset.takings(dataset.positive_type() or CLICK)
        when = microseconds(events[OCCURRED_AT]).fillna(moment).to_numpy(dtype=np.float64)
        order = np.argsort(when, kind="stable")
        offer = dataset.offer_ids.rows(events[OFFER_ID])
        owner = dataset.customer_ids.rows(events[CUSTOMER_ID])
        return cls(offer[order], owner[order], when[order], *lifetimes(dataset, events), shown)

    def __len__(self) -> int:
        return len(self.when)

    def before(self, moment: float) -> Takings:
        """Return what was taken before a moment."""
        n = int(np.searchsorted(self.when, moment))
        return replace(self, offer=self.offer[:n], owner=self.owner[:n], when=self.when[:n])

    def count(self) -> np.ndarray:
        """Count how often each offer was taken."""
        return np.bincount(self.offer, minlength=len(self.begin))


def trend_of(takings: Takings, moment: float, half_life: float = HALF_LIFE) -> np.ndarray:
    """Compare what was taken lately with what the whole past lets expect.

    Time is counted in what all customers took while the offer was valid, so that neither a season
    that is good for all offers nor a late beginning is a trend. Where showing is logged it is
    counted in the showings of the offer: to be shown more often is none either.

    Parameters
    ----------
    takings : Takings
        Before the moment.
    moment : float
        Microseconds since 1970.
    half_life : float
        Microseconds in which what was taken comes to count half.

    Returns
    -------
    ndarray of float, shape (offers,)
        Log of taken per expected; zero where nothing was taken.
    """
    weight = fading(takings.when, moment, half_life)
    recent = np.bincount(takings.offer, weight, minlength=len(takings.begin))
    if takings.shown is None:
        expected = takings.count() * _recent_share(takings, weight)
    else:
        ever = takings.shown.lately(moment, np.inf)
        recent = np.where(ever > 0, recent, 0.0)
        lately = takings.shown.lately(moment, half_life)
        expected = takings.count() * lately / np.maximum(ever, LEAST)
        expected *= recent.sum() / max(float(expected.sum()), LEAST)
    return np.asarray(np.log((recent + STRENGTH) / (expected + STRENGTH)))


def _recent_share(takings: Takings, weight: np.ndarray) -> np.ndarray:
    """Return how much each taking counts lately, on average, while an offer was valid."""
    clock = np.concatenate([[0.0], weight.cumsum()])
    first = np.searchsorted(takings.when, takings.begin)
    last = np.maximum(np.searchsorted(takings.when, takings.end), first)
    return np.asarray((clock[last] - clock[first]) / np.maximum(last - first, 1))
