"""What happened after a moment, laid out so that any model can be judged by it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from data.dataset import Dataset, valid_at
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, ITEM_ID, OCCURRED_AT, OFFER_ID, REDEMPTION
from recommender.base import HYBRID, Source
from recommender.batch import query_customers
from recommender.bundle import Bundle
from recommender.past.fold import Fold
from recommender.past.layout import in_chunks, most_lists
from recommender.service import Service
from recommender.serving.arrivals import with_arrivals


@dataclass(frozen=True)
class HeldOut:
    """Customers who took something after a moment.

    Attributes
    ----------
    at : Timestamp
        The moment.
    given : Dataset
        What was known of them, the customers table in the order of the rows.
    offers : ndarray of str, shape (c,)
        The offers on offer, sorted.
    taken, candidate : ndarray of bool, shape (n, c)
        What a customer took, and what could be listed: not what was redeemed before for once only.
    """

    at: pd.Timestamp
    given: Dataset
    offers: np.ndarray
    taken: np.ndarray
    candidate: np.ndarray


def hold_out(fold: Fold, seed: int = 0) -> HeldOut:
    """Lay out a fold for the customers who took something that could have been listed."""
    past = fold.past
    table = past.offers.sort_values(OFFER_ID)
    table = table[valid_at(table, fold.at)]
    offers = IdMap(table[OFFER_ID])
    pair = [CUSTOMER_ID, OFFER_ID]
    once = table.loc[~table["repeatable"].fillna(False).astype(bool), OFFER_ID]
    gone = past.events(REDEMPTION)[pair]
    gone = gone[gone[OFFER_ID].isin(once)]
    taken = fold.taken.loc[offers.known(fold.taken[OFFER_ID]), pair]
    again = pd.MultiIndex.from_frame(taken).isin(pd.MultiIndex.from_frame(gone))
    taken = taken[~again]
    names = IdMap(taken[CUSTOMER_ID]).ids
    most = most_lists(len(offers))
    if len(names) > most:
        chosen = np.random.default_rng(seed).choice(len(names), most, replace=False)
        names = names[np.sort(chosen)]
    people = IdMap(names)

    def marks(frame: pd.DataFrame) -> np.ndarray:
        here = frame[people.known(frame[CUSTOMER_ID])]
        found = np.zeros((len(people), len(offers)), dtype=bool)
        found[people.rows(here[CUSTOMER_ID]), offers.rows(here[OFFER_ID])] = True
        return found

    wanted = pd.Index(people.ids, dtype="str", name=CUSTOMER_ID)
    customers = past.customers.set_index(CUSTOMER_ID).reindex(wanted).reset_index()
    return HeldOut(
        at=fold.at,
        given=replace(past, customers=customers[list(past.customers.columns)]),
        offers=offers.ids,
        taken=marks(taken),
        candidate=~marks(gone),
    )


def scores(bundle: Bundle, held: HeldOut, policy: str = HYBRID) -> np.ndarray:
    """Score the offers for the customers: shape (n, c), finite.

    Of the customers that a model knows it knows what it was trained with, as when it serves; of
    others what was known at the moment. Offers that came after it it is told of, as when it serves.

    Raises
    ------
    BundleError
        The model recommends nothing.
    """
    bundle = with_arrivals(bundle, _came_later(bundle, held))
    recommender = Service(bundle).recommender
    _, query = query_customers(bundle, held.given, held.at)
    columns = IdMap(recommender.encoders.offer_ids).rows(held.offers)
    found = np.empty(held.taken.shape)
    for rows in in_chunks(query):
        part = query.take(rows)
        score = (
            recommender.popularity.score(part)
            if policy == Source.POPULARITY
            else recommender.blend(part).score
        )
        found[rows] = score[:, columns]
    return found


def _came_later(bundle: Bundle, held: HeldOut) -> list[dict[str, Any]]:
    """Return the offers to score that a model was trained without, with their items."""
    known = set() if bundle.recommender is None else set(bundle.recommender.encoders.offer_rows)
    fresh = sorted(set(held.offers.tolist()) - known)
    if not fresh:
        return []
    links = held.given.offer_items
    items = links[links[OFFER_ID].isin(fresh)].groupby(OFFER_ID)[ITEM_ID].agg(list)
    table = held.given.offers[held.given.offers[OFFER_ID].isin(fresh)]
    return [
        {**{str(name): value for name, value in row.items()}, "items": items.get(offer, [])}
        for offer, row in zip(table[OFFER_ID], table.to_dict("records"), strict=True)
    ]


def deal_out(dataset: Dataset, seed: int, *, until: pd.Timestamp) -> Dataset:
    """Give what customers did before a moment to other customers.

    What they answered and who they are as well: answers and behaviour teach each other (see
    `recommender.survey`), so that either alone would still tell who takes what.
    """
    dealt = {}
    random = np.random.default_rng(seed)
    for name in ("transactions", "interactions", "customers", "survey_answers"):
        frame: pd.DataFrame = getattr(dataset, name)
        rows = np.ones(len(frame), dtype=bool)
        if OCCURRED_AT in frame:
            rows = np.array(frame[OCCURRED_AT] < until, dtype=bool)
        owner = frame[CUSTOMER_ID].copy()
        people = random.permutation(np.sort(owner[rows].unique()))
        owner[rows] = owner[rows].map(dict(zip(people, np.roll(people, 1), strict=True)))
        dealt[name] = frame.assign(**{CUSTOMER_ID: owner.astype("str")})
    return replace(dataset, **dealt)
