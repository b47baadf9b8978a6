"""What routes need, and the one way from a customer id to a list."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from typing import Annotated

import pandas as pd
from fastapi import Depends, Request

from api.errors import ApiError
from api.schemas import ListedOffer, OfferList, SegmentName
from data.schema import OFFER_ID
from data.store import CustomerState, Store
from recommender.base import Query
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.lists import Wish
from recommender.service import Service


@dataclass(frozen=True)
class House:
    """Everything a request reaches: wired once in `create_app`.

    Attributes
    ----------
    bundle : Bundle
        The model.
    service : Service or None
        None where the model recommends nothing.
    store : Store
        The facts.
    at : Timestamp or None
        The moment lists are for; the present if None.
    """

    bundle: Bundle
    service: Service | None
    store: Store
    at: pd.Timestamp | None = None

    @cached_property
    def offer_ids(self) -> frozenset[str]:
        """The offers there are."""
        return frozenset(self.bundle.offers[OFFER_ID])

    @cached_property
    def since(self) -> int:
        """Microseconds from which on recorded facts are new to the model.

        A model may have been trained for a later moment than it was made at.
        """
        made = (
            pd.Timestamp(self.bundle.created_at) if self.bundle.created_at else self.bundle.moment
        )
        return int(min(self.bundle.moment, made).value // 1000)

    def now(self) -> pd.Timestamp:
        """Return the moment lists are for."""
        return pd.Timestamp.now(tz="UTC") if self.at is None else self.at


@dataclass(frozen=True)
class Person:
    """A customer as a request finds them."""

    customer_id: str
    known: bool
    query: Query
    answers: dict[str, str]


def house(request: Request) -> House:
    """Return what the application was wired with."""
    found: House = request.app.state.house
    return found


HouseDependency = Annotated[House, Depends(house)]


def serving(home: HouseDependency) -> Service:
    """Return the service, or say that this model recommends nothing."""
    if home.service is None:
        raise ApiError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "NO_RECOMMENDER",
            "This model was trained without offers, interactions or transactions.",
        )
    return home.service


ServiceDependency = Annotated[Service, Depends(serving)]


def find_person(home: House, service: Service, customer_id: str) -> Person:
    """Read a customer's state and build the query.

    What the bundle was trained on is in its own row; the database adds what was recorded since.
    """
    in_bundle = customer_id in home.bundle.customer_ids
    state = home.store.customer_state(customer_id, home.since if in_bundle else None)
    # A customer whose trained-on history was corrected is read afresh.
    whole = state.whole and state.known
    return Person(
        customer_id=customer_id,
        known=in_bundle or state.known,
        query=service.query(customer_id, facts_of(state), home.now(), whole=whole),
        answers=state.answers,
    )


def facts_of(state: CustomerState) -> Facts:
    """Turn what the database holds into facts for scoring."""
    return Facts(
        profile=state.profile,
        answers=state.answers,
        interactions=[
            (row[OFFER_ID], row["event_type"], row["occurred_at"]) for row in state.interactions
        ],
        purchases=state.transactions,
    )


def make_list(
    home: House,
    service: Service,
    person: Person,
    *,
    request_id: str,
    n: int = 10,
    category: str | None = None,
    exclude: Collection[str] = (),
    explain: bool = True,
) -> OfferList:
    """Make a list for a customer, with its reasons."""
    wish = Wish(at=home.now(), n=n, category=category, exclude=exclude)
    listing = service.recommend(person.query, wish)[0]
    offers = []
    why = service.explainer.reasons(person.query, listing.offers) if explain else []
    for rank, one in enumerate(listing.offers, 1):
        offer_id, title, offer_category = service.shown(one.row)
        offers.append(
            ListedOffer(
                rank=rank,
                offer_id=offer_id,
                title=title,
                category=offer_category,
                score=one.score,
                source=one.source,
                contributions=one.contributions if explain else {},
                reasons=why[rank - 1] if explain else [],
            )
        )
    return OfferList(
        request_id=request_id,
        decision_id=uuid.uuid4().hex,
        model_version=home.bundle.version,
        generated_at=datetime.now(UTC),
        customer_id=person.customer_id,
        known=person.known,
        segment=segment_of(home.bundle, person.query),
        strategy=listing.strategy,
        calibrated=service.calibrated,
        offers=offers,
    )


def segment_of(bundle: Bundle, query: Query) -> SegmentName | None:
    """Name the segment of a single customer's query."""
    if bundle.segments is None or not query.segment.nnz:
        return None
    row = int(query.segment.indices[0])
    return SegmentName(id=row, name=bundle.segments.names[row])
