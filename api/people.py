"""From a customer id to what is known of the customer, and to a list."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pandas as pd

from api.house import Model
from api.schemas import ListedOffer, OfferList, SegmentName
from data.schema import OFFER_ID
from data.store import CustomerState, Store
from recommender.base import Query
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.lists import Wish
from recommender.service import Service


@dataclass(frozen=True)
class Person:
    """A customer as a request finds them."""

    customer_id: str
    known: bool
    query: Query
    answers: dict[str, str]


@dataclass(frozen=True)
class Asked:
    """What a request wishes of a list."""

    n: int = 10
    category: str | None = None
    exclude: tuple[str, ...] = ()
    explain: bool = True


def find_person(
    model: Model,
    service: Service,
    store: Store,
    customer_id: str,
    at: pd.Timestamp,
    told: CustomerState | None = None,
) -> Person:
    """Read a customer's state and build the query.

    What the bundle was trained on is in its own row; the database adds what was recorded since.

    Parameters
    ----------
    told : CustomerState, optional
        Profile and answers that stand above the recorded ones, for this time only.

    Raises
    ------
    SQLAlchemyError
        The database does not answer.
    """
    in_bundle = customer_id in model.bundle.customer_ids
    state = store.customer_state(customer_id, model.since if in_bundle else None)
    if told is not None:
        profile, answers = state.profile | told.profile, state.answers | told.answers
        state = replace(state, profile=profile, answers=answers)
    return person_of(model, service, customer_id, state, at)


def person_of(
    model: Model,
    service: Service,
    customer_id: str,
    state: CustomerState,
    at: pd.Timestamp,
) -> Person:
    """Build the query of a customer whose state is at hand."""
    # A customer whose trained-on history was corrected is read afresh.
    whole = state.whole and state.known
    return Person(
        customer_id=customer_id,
        known=customer_id in model.bundle.customer_ids or state.known,
        query=service.query(customer_id, facts_of(state), at, whole=whole),
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
    model: Model,
    service: Service,
    person: Person,
    asked: Asked,
    at: pd.Timestamp,
    *,
    request_id: str,
) -> OfferList:
    """Make a list for a customer, with its reasons."""
    wish = Wish(at=at, n=asked.n, category=asked.category, exclude=asked.exclude)
    listing = service.recommend(person.query, wish)[0]
    none: list[list[str]] = [[]] * len(listing.offers)
    why = service.explainer.reasons(person.query, listing.offers) if asked.explain else none
    offers = []
    for rank, (one, reasons) in enumerate(zip(listing.offers, why, strict=True), 1):
        offer_id, title, category = service.shown(one.row)
        offers.append(
            ListedOffer(
                rank=rank,
                offer_id=offer_id,
                title=title,
                category=category,
                score=one.score,
                source=one.source,
                contributions=one.contributions if asked.explain else {},
                reasons=reasons,
            )
        )
    return OfferList(
        request_id=request_id,
        decision_id=uuid.uuid4().hex,
        model_version=model.bundle.version,
        generated_at=datetime.now(UTC),
        customer_id=person.customer_id,
        known=person.known,
        segment=segment_of(model.bundle, person.query),
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
