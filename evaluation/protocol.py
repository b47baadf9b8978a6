"""How to split: the moment, the test window, and what may be listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from data.dataset import Dataset, valid_at
from data.schema import CLICK, OCCURRED_AT, OFFER_ID
from recommender.past.moments import LONGEST, SHORTEST

TEST_SHARE = 1 / 6
FEWEST, MOST_STARTS = 20, 50  # redemptions that a window is judged by; begins that are tried


@dataclass(frozen=True)
class Protocol:
    """How to split.

    Attributes
    ----------
    at : Timestamp, optional
        The moment the lists are for; by default the last sixth of the history is test, unless
        hardly anything can be judged there (see `test_window`).
    until : Timestamp, optional
        End of the test window; by default, and at the latest, the end of the data.
    new_offers : bool
        Rank only the offers that begin at the moment; of an offer without a begin, its first
        interaction counts. Offers that begin later in the window: `evaluation.depth.folds`.
    """

    at: pd.Timestamp | None = None
    until: pd.Timestamp | None = None
    new_offers: bool = False


# Campaign 18 is the largest, with most of a year before it: history before its start, its coupons.
PROTOCOLS: Mapping[str, Protocol] = {
    "complete-journey": Protocol(
        at=pd.Timestamp("2017-10-30", tz="UTC"),
        until=pd.Timestamp("2017-12-25T05:00Z"),
        new_offers=True,
    ),
}


def test_window(
    dataset: Dataset, protocol: Protocol
) -> tuple[pd.Timestamp, pd.Timestamp, pd.Timedelta]:
    """Return the begin and the end of the test window, and how long the whole history is.

    Where nobody says when the window begins and hardly anything that was taken in it was on offer
    at its begin, as between campaigns, it begins in the later half of the history when offers did
    of which most was taken until the end.
    """
    times = pd.concat([dataset.interactions[OCCURRED_AT], dataset.transactions[OCCURRED_AT]])
    span = times.max() - times.min()
    # Of what comes after the data nothing is seen: a showing would age by it as if it were.
    until = dataset.moment_after()
    if protocol.until is not None:
        until = min(until, protocol.until)
    if protocol.at is not None:
        return protocol.at, until, span
    at = until - min(max(span * TEST_SHARE, SHORTEST), LONGEST)
    events = dataset.takings(dataset.positive_type() or CLICK)

    def judged(moment: pd.Timestamp) -> int:
        on_offer = dataset.offers.loc[valid_at(dataset.offers, moment), OFFER_ID]
        inside = (events[OCCURRED_AT] >= moment) & (events[OCCURRED_AT] < until)
        return int((inside & events[OFFER_ID].isin(on_offer)).sum())

    if judged(at) < FEWEST:
        starts = dataset.offers["valid_from"].value_counts()
        later = starts.index[(starts.index >= until - span / 2) & (starts.index < until)]
        best = max(later[:MOST_STARTS], key=lambda one: (judged(one), one), default=at)
        at = best if judged(best) >= FEWEST else at
    return at, until, span
