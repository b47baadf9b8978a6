"""To which impression a click or a redemption is credited: the last one of the pair before it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.schema import CUSTOMER_ID, OCCURRED_AT, OFFER_ID

PAIR = [CUSTOMER_ID, OFFER_ID]


def last_impressions(
    impressions: pd.DataFrame, events: pd.DataFrame, window: pd.Timedelta | None = None
) -> pd.DataFrame:
    """Find the last impression of the same customer and offer before each event.

    Parameters
    ----------
    impressions, events : DataFrame
        Interactions.
    window : Timedelta, optional
        How long before the event it may have been.

    Returns
    -------
    DataFrame
        The events by time: customer_id, offer_id, occurred_at, the `row` of the impression from 0
        and when it was, `shown_at`; both are missing where there is none.
    """
    columns = [*PAIR, OCCURRED_AT]
    shown = impressions[columns].assign(
        row=np.arange(len(impressions)), shown_at=impressions[OCCURRED_AT]
    )
    return pd.merge_asof(
        events[columns].sort_values(OCCURRED_AT, kind="stable"),
        shown.sort_values(OCCURRED_AT, kind="stable"),
        on=OCCURRED_AT,
        by=PAIR,
        tolerance=window,
    )


def credited(
    impressions: pd.DataFrame, events: pd.DataFrame, window: pd.Timedelta | None = None
) -> np.ndarray:
    """Mark the impressions that an event is credited to: shape (impressions,)."""
    rows = last_impressions(impressions, events, window)["row"].dropna().to_numpy(dtype=np.int64)
    mark = np.zeros(len(impressions), dtype=bool)
    mark[rows] = True
    if int(mark.sum()) == len(rows):
        return mark
    # Impressions of one moment, as in a log without times, are all the last: one for each event.
    alike = impressions.groupby([*PAIR, OCCURRED_AT], dropna=False)
    group, place = alike.ngroup().to_numpy(), alike.cumcount(ascending=False).to_numpy()
    count = np.bincount(group[rows], minlength=int(group.max()) + 1)
    return np.asarray(place < count[group])
