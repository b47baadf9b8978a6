"""Trend: which offers are taken more of late than they were, each by the chances it had.

A rate over all of the past is what popularity knows; films, fashions and seasons come and go.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset, microseconds
from data.schema import CLICK, OCCURRED_AT, OFFER_ID
from recommender.features.history import fading
from recommender.fitting.chances import lifetimes

STRENGTH = 2.0  # recent redemptions that "as ever" counts for


def trend_of(dataset: Dataset, at: pd.Timestamp) -> np.ndarray:
    """Compare what was taken lately with what the whole past lets expect.

    Time is counted in what all customers took while the offer was valid, so that neither a season
    that is good for all offers nor a late beginning is a trend.

    Parameters
    ----------
    dataset : Dataset
        Rows before `at`.

    Returns
    -------
    ndarray of float, shape (offers,)
        Log of taken per expected; zero where nothing was taken.
    """
    offers, moment = dataset.offer_ids, at.value // 1000
    events = dataset.takings(dataset.positive_type() or CLICK)
    when = microseconds(events[OCCURRED_AT]).fillna(moment).to_numpy(dtype=np.float64)
    rows, weight = offers.rows(events[OFFER_ID]), fading(when, moment)
    order = np.argsort(when, kind="stable")
    clock = np.concatenate([[0.0], weight[order].cumsum()])
    begin, end = lifetimes(dataset, events)
    first = np.searchsorted(when[order], begin)
    last = np.maximum(np.searchsorted(when[order], end), first)
    recent_share = (clock[last] - clock[first]) / np.maximum(last - first, 1)
    n = len(offers)
    recent = np.bincount(rows, weight, minlength=n)
    expected = np.bincount(rows, minlength=n) * recent_share
    return np.asarray(np.log((recent + STRENGTH) / (expected + STRENGTH)))
