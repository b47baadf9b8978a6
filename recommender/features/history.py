"""What customers did with offers: event weights by type, older events counting less."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset, microseconds
from data.idmap import IdMap
from data.schema import (
    BOUGHT,
    CLICK,
    CUSTOMER_ID,
    EVENT_TYPE,
    IMPRESSION,
    OCCURRED_AT,
    OFFER_ID,
    REDEMPTION,
)
from recommender.base import CLICKED
from segmentation.features import DAY

# Who passes an offer by has hardly looked at it: an impression alone says nothing of liking.
EVENT_WEIGHT = {IMPRESSION: 0.0, CLICK: CLICKED, REDEMPTION: 1.0, BOUGHT: 1.0}
TAKEN = (REDEMPTION, BOUGHT)
HALF_LIFE = 30 * DAY  # microseconds in which an event comes to count half


def history_of(
    dataset: Dataset, customers: IdMap, offers: IdMap, moment: int
) -> tuple[sp.csr_matrix, sp.csr_matrix, sp.csr_matrix, sp.csr_matrix]:
    """Sum up the interactions of a dataset.

    Parameters
    ----------
    customers, offers : IdMap
        The rows and columns of the result; what was done with other offers is left out.
    moment : int
        The model's moment, microseconds since 1970.

    Returns
    -------
    history, redeemed, bought, shown : csr_matrix, shape (customers, offers)
        Weights, numbers of redemptions, how many of these were purchases, and numbers of showings
        of what can be taken again.
    """
    events = dataset.interactions
    code, names = pd.factorize(events[EVENT_TYPE])
    weight = np.array([*(EVENT_WEIGHT.get(name, 0.0) for name in names), 0.0])[code]
    used = weight > 0
    used[used] = offers.known(events.loc[used, OFFER_ID])
    counted = events[used]
    rows, columns = customers.rows(counted[CUSTOMER_ID]), offers.rows(counted[OFFER_ID])
    when = microseconds(counted[OCCURRED_AT]).fillna(moment).to_numpy(dtype=np.float64)
    shape = (len(customers), len(offers))
    value = weight[used] * fading(when, moment)

    def number(*kinds: str) -> sp.csr_matrix:
        done = np.append(names.isin(kinds), False)[code[used]]
        return sp.csr_matrix((np.ones(int(done.sum())), (rows[done], columns[done])), shape=shape)

    history = sp.csr_matrix((value, (rows, columns)), shape=shape)
    history.eliminate_zeros()  # what faded to nothing, in a century or so, is none
    return history, number(*TAKEN), number(BOUGHT), shown_of(dataset, customers, offers)


def shown_of(dataset: Dataset, customers: IdMap, offers: IdMap) -> sp.csr_matrix:
    """Count showings of what can be taken again: shape (customers, offers)."""
    again = dataset.offer_ids.ids[dataset.repeatable]
    shown = dataset.events(IMPRESSION)
    shown = shown[shown[OFFER_ID].isin(again) & offers.known(shown[OFFER_ID])]
    cells = customers.rows(shown[CUSTOMER_ID]), offers.rows(shown[OFFER_ID])
    return sp.csr_matrix((np.ones(len(shown)), cells), shape=(len(customers), len(offers)))


def history_of_one(
    events: Sequence[tuple[str, str, int | None]],
    offer_rows: dict[str, int],
    moment: int,
    repeatable: Set[str],
) -> tuple[dict[int, float], dict[int, float], dict[int, float], dict[int, float]]:
    """Sum up the interactions of one customer as `history_of` does, by row of the offer.

    Parameters
    ----------
    events : sequence of (offer_id, event_type, occurred_at)
        Times in microseconds since 1970; without one, now.
    repeatable : set of str
        The offers that can be redeemed again.
    """
    shown: dict[int, float] = {}
    for offer_id, event_type, _ in events:
        if event_type == IMPRESSION and offer_id in repeatable and offer_id in offer_rows:
            shown[offer_rows[offer_id]] = shown.get(offer_rows[offer_id], 0.0) + 1.0
    counted = [
        (offer_rows[offer_id], event_type, moment if occurred_at is None else occurred_at)
        for offer_id, event_type, occurred_at in events
        if offer_id in offer_rows and EVENT_WEIGHT[event_type]
    ]
    # All at once: somebody may have clicked many thousand times.
    faded = fading(np.array([when for _, _, when in counted], dtype=np.float64), moment)
    history: dict[int, float] = {}
    redeemed: dict[int, float] = {}
    bought: dict[int, float] = {}
    for (row, event_type, _), value in zip(counted, faded.tolist(), strict=True):
        history[row] = history.get(row, 0.0) + EVENT_WEIGHT[event_type] * value
        if event_type in TAKEN:
            redeemed[row] = redeemed.get(row, 0.0) + 1.0
        if event_type == BOUGHT:
            bought[row] = bought.get(row, 0.0) + 1.0
    return history, redeemed, bought, shown


def count_once(counts: sp.csr_matrix, repeatable: np.ndarray) -> sp.csr_matrix:
    """Count what can be taken once only at most once.

    Parameters
    ----------
    counts : csr_matrix, shape (n, offers)
    repeatable : ndarray of bool, shape (offers,)
    """
    counted = counts.copy()
    most = np.where(repeatable, np.inf, 1.0)
    counted.data = np.minimum(counted.data, most[counted.indices])
    return counted


def fading(when: np.ndarray, moment: float, half_life: float = HALF_LIFE) -> np.ndarray:
    """Return what events count: one at the model's moment and later, half a half-life before."""
    return np.asarray(0.5 ** (np.maximum(moment - when, 0.0) / half_life))
