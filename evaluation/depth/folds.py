"""More ways to split: rolling windows, customers nobody has seen, new offers, and one that leaks.

Each gives a `Split` or protocols for one, so that whatever measures a split measures these as well.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from data.dataset import Dataset, valid_at
from data.errors import DataError
from data.schema import CLICK, CUSTOMER_ID, EVENT_TYPE, OCCURRED_AT, OFFER_ID
from data.words import counted
from evaluation.protocol import Protocol, test_window
from evaluation.splitting import Split, already_redeemed, begins, cold_customers, split_dataset
from recommender.past.at_random import HELD_OUT
from recommender.past.moments import SHORTEST

FOLDS = 3


def rolling_protocols(
    dataset: Dataset, protocol: Protocol | None = None, folds: int = FOLDS
) -> list[Protocol]:
    """Lay windows of the protocol's length one before the other, the last one the protocol's own.

    Each window is judged by a model of all that came before it (rolling origin: Tashman 2000).

    Returns
    -------
    list of Protocol
        Oldest first; fewer where less history than one window would be left before the first, none
        where time gives no cut. A window in which nothing on offer was redeemed still makes
        `split_dataset` raise.
    """
    protocol = protocol or Protocol()
    at, until, span = test_window(dataset, protocol)
    first = _first_row(dataset)
    if pd.isna(first) or (protocol.at is None and span < 2 * SHORTEST):
        return []
    length = until - at
    begin = [at - number * length for number in range(folds)]
    return [
        replace(protocol, at=one, until=one + length)
        for one in reversed(begin)
        if one - first >= length
    ]


def held_out_customers(
    dataset: Dataset, protocol: Protocol | None = None, share: float = HELD_OUT, seed: int = 0
) -> Split:
    """Hide all that a random share of the customers did and bought: strong generalisation.

    Their profiles and answers stay, and they are the only ones evaluated, all of them cold
    (Marlin 2003; Liang et al. 2018). What they redeemed before the moment is not relevant, as in
    the plain split, though a service that does not know of it may list it.

    Raises
    ------
    DataError
        None of the share redeemed anything in the window.
    """
    split = split_dataset(dataset, protocol or Protocol(), seed)
    everybody = dataset.customer_ids.ids
    hidden = everybody[np.random.default_rng(seed).random(len(everybody)) < share]
    truth = split.truth[split.truth[CUSTOMER_ID].isin(hidden)].reset_index(drop=True)
    if truth.empty:
        raise DataError(
            f"None of the {counted(len(hidden), 'customer')} held out has a {split.relevant} in "
            "the window.",
            "Hold out a larger share, or choose a longer --days.",
        )

    def of_others(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[~frame[CUSTOMER_ID].isin(hidden)]

    train = replace(
        split.train,
        transactions=of_others(split.train.transactions),
        interactions=of_others(split.train.interactions),
    )
    return replace(split, train=train, truth=truth, cold=frozenset(truth[CUSTOMER_ID]))


def new_offer_split(dataset: Dataset, protocol: Protocol | None = None, seed: int = 0) -> Split:
    """Rank only offers that begin in the test window, as if all of them began with it.

    `Protocol.new_offers` ranks those that begin at the very moment; where offers come one by one,
    nothing begins there. Here each begins at the moment and nobody has seen any: what is known of
    them is their row of the offers table.

    Raises
    ------
    DataError
        Nothing is known before the window, or no offer of it was redeemed.
    """
    at, until, _ = test_window(dataset, protocol or Protocol())
    if not (dataset.interactions[OCCURRED_AT] < at).any():
        raise DataError(f"No interaction is known before {at.isoformat()}.", "Choose a later --at.")
    begin = begins(dataset)
    seen = dataset.offers[OFFER_ID].isin(dataset.before(at).interactions[OFFER_ID])
    new = (begin >= at) & (begin < until) & ~seen
    offers = dataset.offers.assign(valid_from=dataset.offers["valid_from"].mask(new, at))
    # Whoever was seen before the moment is not new, whatever the table says.
    offers.loc[seen & ~(begin < at), "valid_from"] = _first_row(dataset)
    shifted = replace(dataset, offers=offers)
    return split_dataset(shifted, Protocol(at, until, new_offers=True), seed)


def leave_last_out(dataset: Dataset, n: int = 1) -> Split:
    """Hold out each customer's last n redemptions of offers that are valid at the end.

    For comparison with published figures only: see `Split.leaky`. What the customer did from the
    first of these on is hidden, and what led to them. Customers with no more than n are not
    evaluated.

    Raises
    ------
    DataError
        Nothing can be held out, or time does not tell what was last.
    """
    kind = dataset.positive_type() or CLICK
    at = dataset.moment_after()
    candidates = frozenset(dataset.offers.loc[valid_at(dataset.offers, at), OFFER_ID])
    events = dataset.events(kind)
    pair = [CUSTOMER_ID, OFFER_ID]
    last = events.sort_values([CUSTOMER_ID, OCCURRED_AT], kind="stable")
    last = last[last[OFFER_ID].isin(candidates)].drop_duplicates(pair, keep="last")
    by_customer = last.groupby(CUSTOMER_ID)
    place = by_customer.cumcount(ascending=False)
    held = last[(place < n) & (by_customer[OFFER_ID].transform("size") > n)]
    if held.empty or events[OCCURRED_AT].nunique() < 2:
        raise DataError(
            f"No customer has more than {counted(n, 'event')} of type {kind} in an order of time, "
            "of offers that are valid at the end.",
            "Bring more interactions.",
        )
    cut = held.groupby(CUSTOMER_ID)[OCCURRED_AT].min()

    def known(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[~(frame[OCCURRED_AT] >= frame[CUSTOMER_ID].map(cut))]

    log = known(dataset.interactions)
    led = pd.MultiIndex.from_frame(log[pair]).isin(pd.MultiIndex.from_frame(held[pair]))
    train = replace(
        dataset,
        interactions=log[~led | (log[EVENT_TYPE] == kind).to_numpy()],
        transactions=known(dataset.transactions),
    )
    truth = held[pair]
    again = already_redeemed(train, truth, kind)
    truth = truth[~again].reset_index(drop=True)
    if truth.empty:
        raise DataError(
            "All that was last had been redeemed before and is not repeatable.",
            "Bring more interactions.",
        )
    return Split(
        train=train,
        at=at,
        until=at,
        candidates=candidates,
        truth=truth,
        relevant=kind,
        cold=cold_customers(train, truth),
        set_aside={"redeemed before and not repeatable": int(again.sum())} if again.any() else {},
        leaky="each customer's last is held out, whatever its date: the model has seen what others "
        "did afterwards (Ji et al. 2023), so the figures are for comparison only",
    )


def _first_row(dataset: Dataset) -> pd.Timestamp:
    times = pd.concat([dataset.interactions[OCCURRED_AT], dataset.transactions[OCCURRED_AT]])
    return pd.Timestamp(times.min())
