"""Lists as JSON values: what `api.replies.OfferList` declares, made for many customers at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from api.people import Asked, People
from api.served import Model
from recommender.base import Query
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.serving.lists import Listed, Wish

Made = dict[str, Any]  # a list without what every answer has of its own


def make_lists(
    model: Model, service: Service, people: People, asked: Sequence[Asked], at: pd.Timestamp
) -> list[Made]:
    """Make a list for each customer, with reasons where they are asked for."""
    made: list[Made] = [{}] * len(asked)
    alike: dict[Asked, list[int]] = {}
    for row, one in enumerate(asked):
        alike.setdefault(one, []).append(row)
    for one, rows in alike.items():
        query = people.query if len(alike) == 1 else people.query.take(np.array(rows))
        wish = Wish(at, one.n, category=one.category, exclude=one.exclude, explain=one.explain)
        listings = service.recommend(query, wish)
        lists = [listing.offers for listing in listings]
        why = service.explainer.reasons_of_many(query, lists) if one.explain else None
        for place, (row, listing) in enumerate(zip(rows, listings, strict=True)):
            made[row] = {
                "model_version": model.bundle.version,
                "customer_id": people.customer_ids[row],
                "known": people.known[row],
                "segment": segment_of(model.bundle, query, place),
                "strategy": listing.strategy,
                "calibrated": service.calibrated,
                "offers": _offers(service, listing.offers, None if why is None else why[place]),
            }
    return made


def segment_of(bundle: Bundle, query: Query, row: int = 0) -> dict[str, Any] | None:
    """Name the segment of a customer."""
    start, end = query.segment.indptr[row : row + 2]
    if bundle.segments is None or start == end:
        return None
    number = int(query.segment.indices[start])
    return {"id": number, "name": bundle.segments.names[number]}


def _offers(service: Service, listed: Sequence[Listed], why: list[list[str]] | None) -> list[Made]:
    offers = []
    for place, one in enumerate(listed):
        offer_id, title, category = service.shown(one.row)
        offers.append(
            {
                "rank": place + 1,
                "offer_id": offer_id,
                "title": title,
                "category": category,
                "score": one.score,
                "source": one.source,
                "contributions": one.contributions,
                "reasons": [] if why is None else why[place],
            }
        )
    return offers
