"""How much of what an impression leads to has happened by some time after it.

Redemptions come hours or weeks after the impression (delayed feedback: Chapelle 2014): one of
yesterday that led to nothing yet says less than one of last month. Of impressions that are old
enough all delays are known, and their distribution says what share of a chance has passed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.crediting import last_impressions
from data.dataset import Dataset, microseconds
from data.schema import CUSTOMER_ID, EVENT_TYPE, IMPRESSION, OCCURRED_AT, OFFER_ID, REDEMPTION

LONGEST = pd.Timedelta(days=30)  # a redemption later than that is not the impression's
MOST_ROWS = 200_000  # impressions that delays are told from
FEWEST = 50  # delays without which every impression counts in full


@dataclass(frozen=True)
class Delays:
    """From the last impression to the redemption.

    Attributes
    ----------
    known : ndarray of float, shape (n,)
        Delays in microseconds, ascending; with none, every impression counts in full.
    """

    known: np.ndarray

    def passed(self, impressions: pd.DataFrame, until: pd.Timestamp) -> np.ndarray:
        """Return the share of each impression's chance that had passed: shape (impressions,)."""
        if not len(self.known):
            return np.ones(len(impressions))
        age = until.value // 1000 - microseconds(impressions[OCCURRED_AT]).to_numpy(np.float64)
        return np.asarray(np.searchsorted(self.known, age, side="right") / len(self.known))


def fit_delays(dataset: Dataset, until: pd.Timestamp) -> Delays:
    """Find the delays of impressions that have had time enough before a moment.

    That is 30 days, or half of the time that is logged if this is shorter.

    Parameters
    ----------
    dataset : Dataset
        Rows after `until` are not read.
    """
    none = Delays(np.empty(0))
    log = dataset.interactions
    kind, past = log[EVENT_TYPE], log[OCCURRED_AT] < until
    log = log[[CUSTOMER_ID, OFFER_ID, OCCURRED_AT]]
    shown, taken = (log[past & (kind == one)] for one in (IMPRESSION, REDEMPTION))
    if shown.empty or len(taken) < FEWEST:
        return none
    enough = min((until - shown[OCCURRED_AT].min()) / 2, LONGEST)
    keep = -(-len(shown) // MOST_ROWS)
    people = dataset.customer_ids
    shown, taken = (rows[people.rows(rows[CUSTOMER_ID]) % keep == 0] for rows in (shown, taken))
    found = last_impressions(shown, taken, enough)
    old = found[found["shown_at"] <= until - enough]
    delay = (old[OCCURRED_AT] - old["shown_at"]) / pd.Timedelta(microseconds=1)
    return Delays(np.sort(delay.to_numpy(np.float64))) if len(delay) >= FEWEST else none
