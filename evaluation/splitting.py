"""Splits by time: what was known at a moment, and what was redeemed after it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from data.dataset import Dataset, positive_among, valid_at
from data.errors import DataError
from data.schema import CLICK, CUSTOMER_ID, EVENT_TYPE, OCCURRED_AT, OFFER_ID, REDEMPTION
from data.words import counted, form
from evaluation.protocol import FEWEST, Protocol, test_window
from recommender.features.bought import known_before, with_bought
from recommender.past.at_random import bought_with, draw_at_random
from recommender.past.moments import SHORTEST


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
    """Mark pairs of the truth redeemed before of offers that are not repeatable: shape (pairs,).

    Parameters
    ----------
    kind : str
        The event that counts; see `uses_up`.
    """
    once = train.offers.loc[~train.offers["repeatable"].fillna(False).astype(bool), OFFER_ID]
    before = train.events(uses_up(kind))[[CUSTOMER_ID, OFFER_ID]]
    done = pd.MultiIndex.from_frame(before[before[OFFER_ID].isin(once)])
    return np.asarray(pd.MultiIndex.from_frame(truth[[CUSTOMER_ID, OFFER_ID]]).isin(done))


def uses_up(kind: str) -> str:
    """Return the event after which an offer that is not repeatable is never listed again.

    Where clicks count that is a redemption all the same: who only clicked may still redeem.
    """
    return REDEMPTION if kind == CLICK else kind


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
