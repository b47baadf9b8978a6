"""How new is what is on offer at a moment.

Lists of offers that nobody knows yet are made from other knowledge than lists of old ones: what is
learnt at a moment holds for moments at which the offers are about as new.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data.dataset import Dataset, microseconds, valid_at
from data.schema import OCCURRED_AT, OFFER_ID

HALF_NEW = 20.0  # interactions, impressions among them, after which an offer is but half new


def newness_at(dataset: Dataset, moments: Sequence[pd.Timestamp]) -> np.ndarray:
    """Average over the offers valid at each moment how new they are: shape (moments,).

    An offer without any interaction before the moment counts one, a well known one zero; where none
    is valid there is nothing to say (NaN).

    Parameters
    ----------
    moments : sequence of Timestamp
        In any order.
    """
    offers, log = dataset.offer_ids, dataset.interactions
    table = dataset.offers.set_index(OFFER_ID).reindex(offers.ids)
    order = sorted(range(len(moments)), key=moments.__getitem__)
    ends = np.array([moments[place].value // 1000 for place in order], dtype=np.int64)
    when = microseconds(log[OCCURRED_AT]).to_numpy(dtype=np.float64, na_value=np.inf)
    # Interactions by the first of the moments that comes after them, the last for those after all.
    part = np.searchsorted(ends, when, side="right")
    shape = (len(moments) + 1, len(offers))
    cell = part * shape[1] + offers.rows(log[OFFER_ID])
    before = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape).cumsum(axis=0)
    found = np.full(len(moments), np.nan)
    for place, known in zip(order, before, strict=False):
        valid = valid_at(table, moments[place])
        if valid.any():
            found[place] = (HALF_NEW / (HALF_NEW + known[valid])).mean()
    return found
