"""What became of what was shown: how often each pair was shown, and how often that led to one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset, microseconds
from data.schema import CUSTOMER_ID, OCCURRED_AT, OFFER_ID

PAIR = [CUSTOMER_ID, OFFER_ID]
SHOWN_SHARE = 0.5


def outcomes_of(
    dataset: Dataset, showings: pd.DataFrame, weight: np.ndarray, redeemed: pd.DataFrame
) -> pd.DataFrame:
    """Count showings and what they led to, by pair of customer and offer.

    A redemption is that of a showing before it which led to none yet; what can be redeemed once
    only is so once.

    Parameters
    ----------
    dataset : Dataset
        Whose customers and offers these are.
    showings, redeemed : DataFrame
        Interactions of one stretch of time.
    weight : ndarray of float, shape (showings,)
        How much each showing counts.

    Returns
    -------
    DataFrame
        customer_id, offer_id, how often it was shown, `n`, and how often `taken`.
    """
    people, offers = dataset.customer_ids, dataset.offer_ids
    both = pd.concat([showings, redeemed])
    shown = np.arange(len(both)) < len(showings)
    pair = people.rows(both[CUSTOMER_ID]) * len(offers) + offers.rows(both[OFFER_ID])
    when = microseconds(both[OCCURRED_AT]).to_numpy(dtype=np.float64, na_value=np.nan)
    names, first = np.unique(pair, return_index=True)
    place = np.searchsorted(names, pair)
    order = np.lexsort((~shown, when, place))
    start = np.searchsorted(place[order], np.arange(len(names)))
    # Showings that led to nothing yet, as if more redemptions than showings left a debt.
    running = np.cumsum(np.where(shown, 1, -1)[order])
    before = np.r_[0, running][start]
    debt = np.maximum(before - np.minimum.reduceat(running, start), 0) if len(names) else before
    redemptions = np.bincount(place[~shown], minlength=len(names))
    most = np.where(dataset.repeatable[names % len(offers)], np.inf, 1.0) if len(names) else 0.0
    found = both.iloc[first][PAIR].assign(
        n=np.bincount(place[shown], weights=weight, minlength=len(names)),
        taken=np.minimum(redemptions - debt, most),
    )
    was_shown = np.bincount(place[shown], minlength=len(names)) > 0
    kept: pd.DataFrame = found[was_shown].reset_index(drop=True)
    return kept


def is_logged(taken: pd.DataFrame, shown: pd.DataFrame) -> bool:
    """Tell whether most pairs that were taken are among those shown."""
    hit = pd.MultiIndex.from_frame(taken[PAIR]).isin(pd.MultiIndex.from_frame(shown[PAIR]))
    return float(hit.mean()) >= SHOWN_SHARE
