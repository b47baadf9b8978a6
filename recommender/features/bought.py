"""What was bought of what offers are for, where hardly anything was done with offers themselves.

A shop whose products are its offers may have purchases and nothing else. Then to buy the one item
that an offer is for, or to buy at its merchant, counts as to redeem it: what was bought before and
by whom else says what each is offered next. An offer on several items is left out: who buys one of
them may not want it. Offers that come and go are promotions: to have bought what they are on is not
to have taken them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from data.dataset import Dataset, complete
from data.schema import (
    AMOUNT,
    BOUGHT,
    CLICK,
    CUSTOMER_ID,
    EVENT_TYPE,
    INTERACTIONS,
    ITEM_ID,
    OCCURRED_AT,
    OFFER_ID,
    REDEMPTION,
)
from recommender.features.keys import KeySpace, build_keys
from recommender.features.purchases import having, stated_by, visits_of

ENOUGH = 200  # redemptions and clicks from which on these teach, and purchases no longer do
MOST_PART = 0.5  # of the offers that have to be for one thing, and lasting


def with_bought(dataset: Dataset, fewest: int = ENOUGH) -> Dataset:
    """Let purchases count as redemptions where fewer than some were redeemed or clicked.

    Parameters
    ----------
    dataset : Dataset
        Returned as it is where enough was redeemed or clicked, where most offers are for several
        things or state when they are valid, and where nothing that an offer is for was bought.
    fewest : int
        Redemptions and clicks.
    """
    log = dataset.interactions
    done = int(log[EVENT_TYPE].isin((REDEMPTION, CLICK, BOUGHT)).sum())
    if done >= fewest or dataset.transactions.empty or dataset.offers.empty:
        return dataset
    keys = build_keys(dataset)
    table = dataset.offers.set_index(OFFER_ID).reindex(dataset.offer_ids.ids)
    lasting = table[["valid_from", "valid_until"]].isna().all(axis=1).to_numpy()
    if (lasting & (np.diff(keys.own.tocsc().indptr) > 0)).mean() <= MOST_PART:
        return dataset
    found = add_bought(dataset, keys, dataset.offer_ids.ids)
    return found if len(found.interactions) > len(log) + done else dataset


def add_bought(dataset: Dataset, keys: KeySpace, offer_ids: np.ndarray) -> Dataset:
    """Add what was bought to the interactions, once for each offer and transaction.

    Parameters
    ----------
    offer_ids : ndarray of str, shape (offers,)
        The offers of the keys.
    """
    log, lines = dataset.interactions, dataset.transactions
    item = pd.Index(keys.item_ids).get_indexer(pd.Index(lines[ITEM_ID]))
    stated = stated_by(lines, np.flatnonzero(item < 0), keys)
    paid = lines[AMOUNT].to_numpy(dtype=np.float64) >= 0  # a refund is no purchase
    line, key = having(item, stated, keys.item_keys, keys.own, paid)
    width = np.diff(keys.own.indptr)[key]
    first = np.repeat(keys.own.indptr[key] - np.r_[0, np.cumsum(width)[:-1]], width)
    offer = keys.own.indices[first + np.arange(width.sum())]
    line = np.repeat(line, width)
    visit = visits_of(lines, dataset.customer_ids.rows(lines[CUSTOMER_ID]))[line]
    once = ~pd.DataFrame({"visit": visit, "offer": offer}).duplicated().to_numpy()
    told = lines.iloc[line[once]]
    bought = pd.DataFrame(
        {
            CUSTOMER_ID: told[CUSTOMER_ID].to_numpy(),
            OFFER_ID: offer_ids[offer[once]],
            EVENT_TYPE: BOUGHT,
            OCCURRED_AT: told[OCCURRED_AT].array,
        }
    )
    events = complete(bought, INTERACTIONS)[[name for name in INTERACTIONS.names if name in log]]
    return replace(dataset, interactions=pd.concat([log, events], ignore_index=True))


def bought_by(
    lines: Iterable[Mapping[str, Any]], keys: KeySpace, offer_ids: np.ndarray
) -> list[tuple[str, str, int | None]]:
    """List what one customer bought as (offer_id, event_type, occurred_at)."""
    seen: dict[tuple[str, int], int | None] = {}
    for number, line in enumerate(lines):
        if float(line[AMOUNT]) < 0:
            continue
        visit = line.get("transaction_id") or f"line {number}"
        for key in keys.keys_of(line):
            for offer in keys.own.indices[slice(*keys.own.indptr[key : key + 2])].tolist():
                seen.setdefault((visit, offer), line.get(OCCURRED_AT))
    return [(str(offer_ids[offer]), BOUGHT, when) for (_, offer), when in seen.items()]
