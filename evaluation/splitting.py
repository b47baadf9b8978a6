"""Splits by time: what was known at a moment, and what was redeemed after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from data.dataset import Dataset, positive_among, valid_at
from data.errors import DataError
from data.schema import CLICK, CUSTOMER_ID, EVENT_TYPE, OCCURRED_AT, OFFER_ID
from data.words import counted, form
from recommender.features.bought import known_before, with_bought
from recommender.past.at_random import bought_with, draw_at_random

TEST_SHARE = 1 / 6
SHORTEST, LONGEST = pd.Timedelta(days=7), pd.Timedelta(days=60)
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


@dataclass(frozen=True)
class Split:
    """A split dataset.

    Attributes
    ----------
    train : Dataset
        What was known.
    at, until : Timestamp
        The moment of the lists and the end of the test window.
    candidates : frozenset of str
        Offers that may be listed.
    truth : DataFrame
        customer_id and offer_id of what is relevant.
    relevant : str
        The event that counts: redemption, or click where nothing is redeemed, or purchase where
        hardly anything is (see `with_purchases`).
    cold : frozenset of str
        Evaluated customers without any transaction or interaction before the moment.
    set_aside : dict of str to int
        What was redeemed in the window but could not be listed, by reason.
    by_time : bool
        False where time gives no cut and interactions were held out at random.
    leaky : str
        Why figures on this split are better than what would be served; empty where they are not.
    held : DataFrame, optional
        The interactions that were held out at random; none where time gives a cut, or where what
        was shown in vain was not held out alike.
    """

    train: Dataset
    at: pd.Timestamp
    until: pd.Timestamp
    candidates: frozenset[str]
    truth: pd.DataFrame
    relevant: str
    cold: frozenset[str]
    set_aside: dict[str, int] = field(default_factory=dict)
    by_time: bool = True
    leaky: str = ""
    held: pd.DataFrame | None = None

    @property
    def customers(self) -> list[str]:
        """The evaluated customers, sorted."""
        return sorted(self.truth[CUSTOMER_ID].unique())

    def later(self, dataset: Dataset) -> pd.DataFrame:
        """Return the interactions that the model is judged by: after the moment, or held out."""
        log = dataset.interactions
        if self.by_time:
            return log[(log[OCCURRED_AT] >= self.at) & (log[OCCURRED_AT] < self.until)]
        return log.iloc[:0] if self.held is None else self.held


def split_dataset(dataset: Dataset, protocol: Protocol, seed: int = 0) -> Split:
    """Split a dataset by time, or at random where time gives no cut.

    Raises
    ------
    DataError
        Nothing can be evaluated: no offers, or nothing redeemed or clicked in the window.
    """
    if dataset.offers.empty or dataset.positive_type() is None:
        raise DataError(
            "There are no offers with redemptions, clicks or purchases to evaluate on.",
            "Bring offers and interactions (or, of offers on one item or merchant each, "
            "transactions), or evaluate segments with python -m segmentation.",
        )
    at, until, span = test_window(dataset, protocol)
    log = dataset.interactions
    past = log[OCCURRED_AT] < at
    if protocol.at is None and (span < 2 * SHORTEST or not past.any() or past.all()):
        return _random_split(dataset, until, seed)
    window = log[~past & (log[OCCURRED_AT] < until)]
    # Where nothing is redeemed in the window, clicks are what counts.
    kind = positive_among(window) or CLICK
    window = window[window[EVENT_TYPE] == kind]
    train = known_before(dataset, at)
    mask = valid_at(dataset.offers, at)
    if protocol.new_offers:
        mask &= ~(begins(dataset) < at).to_numpy(dtype=bool)
    candidates = frozenset(dataset.offers.loc[mask, OFFER_ID])
    truth = window[[CUSTOMER_ID, OFFER_ID]].drop_duplicates()
    listed = truth[OFFER_ID].isin(candidates)
    truth_listed = truth[listed]
    again = already_redeemed(train, truth_listed, kind)
    set_aside = {
        "not on offer at the moment": int((~listed).sum()),
        "redeemed before and not repeatable": int(again.sum()),
    }
    truth = truth_listed[~again].reset_index(drop=True)
    if truth.empty:
        raise DataError(
            f"Nothing was redeemed, clicked or bought between {at.isoformat()} and "
            f"{until.isoformat()} that was on offer at the start and still open to the customer.",
            "Choose another --at or a longer --days.",
        )
    return Split(
        train, at, until, candidates, truth, kind, cold_customers(train, truth),
        {why: n for why, n in set_aside.items() if n},
    )  # fmt: skip


def with_purchases(dataset: Dataset) -> Dataset:
    """Let purchases be what counts where hardly anything was redeemed or clicked.

    Fewer than any window is judged by; else the dataset is returned as it is.

    What is bought may be bought again, whatever may be redeemed again.
    """
    told = with_bought(dataset, FEWEST)
    if told is dataset:
        return dataset
    return replace(told, offers=told.offers.assign(repeatable=True))


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


def begins(dataset: Dataset) -> pd.Series[pd.Timestamp]:
    """Say when each offer begins: `valid_from`, else its first interaction, else missing."""
    first = dataset.interactions.groupby(OFFER_ID)[OCCURRED_AT].min()
    return dataset.offers["valid_from"].fillna(dataset.offers[OFFER_ID].map(first))


def cold_customers(train: Dataset, truth: pd.DataFrame) -> frozenset[str]:
    """Return the customers of the truth who have no transaction or interaction in train."""
    active = pd.concat([train.transactions[CUSTOMER_ID], train.interactions[CUSTOMER_ID]])
    evaluated = truth[CUSTOMER_ID].drop_duplicates()
    return frozenset(evaluated[~evaluated.isin(active.unique())])


def already_redeemed(train: Dataset, truth: pd.DataFrame, kind: str) -> np.ndarray:
    """Mark pairs of the truth redeemed before of offers that are not repeatable: shape (pairs,)."""
    once = train.offers.loc[~train.offers["repeatable"].fillna(False).astype(bool), OFFER_ID]
    before = train.events(kind)[[CUSTOMER_ID, OFFER_ID]]
    done = pd.MultiIndex.from_frame(before[before[OFFER_ID].isin(once)])
    return np.asarray(pd.MultiIndex.from_frame(truth[[CUSTOMER_ID, OFFER_ID]]).isin(done))


def _random_split(dataset: Dataset, until: pd.Timestamp, seed: int) -> Split:
    kind = dataset.positive_type() or CLICK
    drawn, logged = draw_at_random(dataset, kind, seed)
    log = dataset.interactions
    held = log[drawn]
    truth = held.loc[held[EVENT_TYPE] == kind, [CUSTOMER_ID, OFFER_ID]].drop_duplicates()
    truth = truth.reset_index(drop=True)
    if truth.empty:
        pairs = len(dataset.events(kind)[[CUSTOMER_ID, OFFER_ID]].drop_duplicates())
        raise DataError(
            f"{counted(pairs, 'pair')} of customer and offer {form(pairs, 'is', 'are')} too few to "
            "hold some out.",
            "Bring more interactions.",
        )
    lines = dataset.transactions
    train = replace(
        dataset, interactions=log[~drawn], transactions=lines[~bought_with(dataset, drawn)]
    )
    candidates = frozenset(dataset.offers[OFFER_ID])
    return Split(
        train, until, until, candidates, truth, kind, cold_customers(train, truth),
        by_time=False,
        leaky="pairs are held out at random: the model has seen what came after them",
        held=held if logged else None,
    )  # fmt: skip
