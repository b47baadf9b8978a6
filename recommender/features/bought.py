"""What was bought of what offers are for, where hardly anything was done with offers themselves.

A shop whose products are its offers may have purchases and nothing else. Then to buy the one item
that an offer is for, or to buy at its merchant, counts as to redeem it: what was bought before and
by whom else says what each is offered next. An offer on several items is left out: who buys one of
them may not want it. Offers that come and go are promotions: to have bought what they are on is not
to have taken them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

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
from recommender.features.key_building import build_keys
from recommender.features.keys import KeySpace
from recommender.features.lines import having, stated_by, visits_of
from recommender.features.refunds import is_nothing

FEWEST, ENOUGH, SHARE = 20, 1000, 0.05  # redemptions and clicks, also as a part of purchases
MOST_PART = 0.5  # of the offers that have to be for one thing, and lasting
ALIKE = 3  # offers for one thing: of more of them to buy it says which is meant no longer
LONG = pd.Timedelta(days=365)


def with_bought(dataset: Dataset, most: int = ENOUGH) -> Dataset:
    """Let purchases count as redemptions where hardly anything was redeemed or clicked.

    Parameters
    ----------
    dataset : Dataset
        Returned as it is where enough was redeemed or clicked, where most offers are for several
        things or come and go, and where nothing that an offer is for was bought.
    most : int
        Redemptions and clicks from which on these are enough, however much was bought. They are
        from a twentieth of the purchases on as well, but not if they are fewer than twenty.
    """
    log = dataset.interactions
    if dataset.transactions.empty or dataset.offers.empty or dataset.positive_type() == BOUGHT:
        return dataset
    done = int(log[EVENT_TYPE].isin((REDEMPTION, CLICK)).sum())
    if done >= most:
        return dataset
    keys = build_keys(dataset)
    counting = counting_offers(dataset, keys)
    if counting.mean() <= MOST_PART:
        return dataset
    found = add_bought(dataset, keys, dataset.offer_ids.ids, things_of(keys, counting))
    bought = len(found.interactions) - len(log)
    return found if bought and done < max(FEWEST, SHARE * bought) else dataset


def known_before(dataset: Dataset, at: pd.Timestamp) -> Dataset:
    """Return a dataset as it was known just before a moment, where to buy may count as to redeem.

    What was given back later had been bought by then.
    """
    past = dataset.before(at)
    told = dataset.interactions[EVENT_TYPE] == BOUGHT
    if past is dataset or not told.any() or not (dataset.transactions[AMOUNT] < 0).any():
        return past
    log = past.interactions
    own = replace(past, interactions=log[log[EVENT_TYPE] != BOUGHT])
    keys = build_keys(own)
    things = things_of(keys, counting_offers(own, keys))
    return add_bought(own, keys, own.offer_ids.ids, things)


def counting_offers(dataset: Dataset, keys: KeySpace) -> np.ndarray:
    """Mark offers that are taken by buying what they are for: shape (offers,).

    They are for one thing, as few others are, and were there all the time.

    Parameters
    ----------
    keys : KeySpace
        Of the offers of the dataset.
    """
    table = dataset.offers.set_index(OFFER_ID).reindex(dataset.offer_ids.ids)
    when = dataset.transactions[OCCURRED_AT]
    begun = table["valid_from"].isna() | (table["valid_from"] <= when.min())
    running = table["valid_until"].isna() | (table["valid_until"] > when.max() + LONG)
    lasting = (begun & running).to_numpy(dtype=np.float64)
    own = sp.csr_matrix(keys.own.astype(bool) @ sp.diags_array(lasting))
    own.eliminate_zeros()
    few = (np.diff(own.indptr) <= ALIKE).astype(np.float64)
    return np.asarray(few @ own > 0)


def add_bought(
    dataset: Dataset, keys: KeySpace, offer_ids: np.ndarray, things: sp.csr_matrix
) -> Dataset:
    """Add what was bought to the interactions, once for each offer and transaction.

    What was given back, so that nothing was spent on it, was not bought.

    Parameters
    ----------
    offer_ids : ndarray of str, shape (offers,)
        The offers of the keys.
    things : csr_matrix, shape (keys, offers)
        See `things_of`.
    """
    log, lines = dataset.interactions, dataset.transactions
    item = pd.Index(keys.item_ids).get_indexer(pd.Index(lines[ITEM_ID]))
    stated = stated_by(lines, np.flatnonzero(item < 0), keys)
    line, key = having(item, stated, keys.item_keys, things, np.ones(len(lines), dtype=bool))
    width = np.diff(things.indptr)[key]
    first = np.repeat(things.indptr[key] - np.r_[0, np.cumsum(width)[:-1]], width)
    offer = things.indices[first + np.arange(width.sum())]
    line = np.repeat(line, width)
    owner = dataset.customer_ids.rows(lines[CUSTOMER_ID])
    amount = lines[AMOUNT].to_numpy(dtype=np.float64)[line]
    told = pd.DataFrame(
        {"owner": owner[line], "offer": offer, "visit": visits_of(lines, owner)[line]}
    )
    money = pd.DataFrame({"spent": amount, "back": np.maximum(-amount, 0.0)})
    sums = money.groupby([told["owner"], told["offer"]]).transform("sum")
    spent, back = (sums[name].to_numpy() for name in ("spent", "back"))
    kept = (amount >= 0) & ((back == 0) | ((spent > 0) & ~is_nothing(spent, back)))
    kept[kept] = ~told.loc[kept, ["visit", "offer"]].duplicated().to_numpy()
    rows = lines.iloc[line[kept]]
    bought = pd.DataFrame(
        {
            CUSTOMER_ID: rows[CUSTOMER_ID].to_numpy(),
            OFFER_ID: offer_ids[offer[kept]],
            EVENT_TYPE: BOUGHT,
            OCCURRED_AT: rows[OCCURRED_AT].array,
        }
    )
    events = complete(bought, INTERACTIONS)[[name for name in INTERACTIONS.names if name in log]]
    return replace(dataset, interactions=pd.concat([log, events], ignore_index=True))


def things_of(keys: KeySpace, counting: np.ndarray) -> sp.csr_matrix:
    """Return what those offers are for that are taken by buying it: shape (keys, offers)."""
    things = sp.csr_matrix(keys.own @ sp.diags_array(counting.astype(np.float64)))
    things.eliminate_zeros()
    return things
