"""What people of the synthetic world truly do with an offer: see it, click it, redeem it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.synthetic.catalogue import FAVOURITES
from data.synthetic.offers import Offers
from data.synthetic.parameters import CATEGORIES
from data.synthetic.people import People
from data.synthetic.shopping import HABIT, LINES_PER_BASKET

MONTH = 30.0  # days: how far ahead "would have bought it anyway" looks
EXAMINED_DECAY = 0.45
CLICK_BASE, PERSUADED_BASE = -3.4, -2.4
RARELY = 0.02  # purchases a month below which it hardly matters how few they are
# What having redeemed in the period before adds, on the log-odds scale.
HABIT_OF_REDEEMING = 4.0


def examined(position: np.ndarray) -> np.ndarray:
    """Return the chance that a place of a slate is looked at; 1 is the top."""
    return np.asarray(1.0 / (1.0 + EXAMINED_DECAY * (position - 1)))


@dataclass(frozen=True)
class Liking:
    """True probabilities for pairs of a customer and an offer, by their rows.

    A click needs the place to be looked at, then depends on the pair alone. A redemption needs a
    click; then whoever would have bought the offer's items within a month anyway redeems, and of
    the others those who are persuaded. Having redeemed in the 30 days before makes persuasion
    easier.
    """

    people: People
    offers: Offers

    def purchases(self, who: np.ndarray, offer: np.ndarray) -> np.ndarray:
        """Return how many lines of an offer's items are bought in a month without any offer."""
        people, offers = self.people, self.offers
        category = offers.category[offer]
        usual = people.favourites[who, category]
        first = offers.first[offer]
        inside = (usual >= first[:, None]) & (usual < (first + offers.size[offer])[:, None])
        share = (1 - HABIT) * offers.share[offer] + HABIT * inside.sum(axis=1) / FAVOURITES
        lines = MONTH * people.pace[who] * LINES_PER_BASKET
        return np.asarray(lines * people.taste[who, category] * share)

    def click(self, who: np.ndarray, offer: np.ndarray) -> np.ndarray:
        """Return the probability of a click on an offer that is looked at."""
        return sigmoid(CLICK_BASE + self._want(who, offer) + self.people.coupon[who])

    def anyway(self, who: np.ndarray, offer: np.ndarray) -> np.ndarray:
        """Return the probability of buying an offer's items within a month without it."""
        return np.asarray(-np.expm1(-self.purchases(who, offer)))

    def persuaded(
        self, who: np.ndarray, offer: np.ndarray, redeemed_lately: np.ndarray
    ) -> np.ndarray:
        """Return the probability that a click makes somebody buy who would not have bought."""
        liking = self._want(who, offer) + self.people.coupon[who]
        chance = sigmoid(PERSUADED_BASE + liking + HABIT_OF_REDEEMING * redeemed_lately)
        return np.asarray(chance * self.offers.honoured[offer])

    def redemption(
        self, who: np.ndarray, offer: np.ndarray, redeemed_lately: np.ndarray
    ) -> np.ndarray:
        """Return the probability of a redemption after a click."""
        anyway = self.anyway(who, offer)
        persuaded = (1 - anyway) * self.persuaded(who, offer, redeemed_lately)
        return np.asarray(anyway * self.offers.honoured[offer] + persuaded)

    def _want(self, who: np.ndarray, offer: np.ndarray) -> np.ndarray:
        people, offers = self.people, self.offers
        taste = np.log(people.taste[who, offers.category[offer]] * len(CATEGORIES) + 0.05)
        bought = np.log1p(self.purchases(who, offer) / RARELY)
        liked = people.kind_liking[who, offers.kind[offer]]
        return np.asarray(0.6 * taste + 0.8 * bought + liked + offers.quality[offer])


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return the logistic function."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)))
