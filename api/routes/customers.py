"""`/customers/{id}`: a customer's state, an update of it, and erasure."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Response

from api.dependencies import HouseDependency
from api.errors import ApiError
from api.house import House, Model
from api.moments import from_microseconds
from api.people import facts_of
from api.routes.anomalies import verdict_of
from api.schemas import CustomerId, SegmentName
from api.schemas_people import Customer, CustomerUpdate, ErasureReceipt, PlacedSegment
from data.schema import EVENT_TYPES
from data.store import CustomerState
from recommender.facts import features_of
from segmentation.features import FEATURES
from segmentation.moves import why_placed
from segmentation.segments import SegmentModel

router = APIRouter(tags=["customers"])

Id = Annotated[CustomerId, Path(description="May hold any characters.", examples=["c0000042"])]


@router.get("/customers/{customer_id:path}")
def get_customer(home: HouseDependency, customer_id: Id) -> Customer:
    """Tell what is known of a customer, their segment with its reasons, and what is odd."""
    model = home.model
    state = home.store.customer_state(customer_id)
    if not state.known and customer_id not in model.bundle.customer_ids:
        raise ApiError(HTTPStatus.NOT_FOUND, "NO_CUSTOMER", "There is no such customer.")
    return _customer(home, model, customer_id, state)


@router.put(
    "/customers/{customer_id:path}",
    responses={201: {"model": Customer, "description": "The customer is new."}},
)
def put_customer(
    response: Response, home: HouseDependency, customer_id: Id, body: CustomerUpdate
) -> Customer:
    """Add or update a customer: what is given is recorded, the rest stays as it is."""
    model = home.model
    new = home.store.put_customer(
        customer_id, body.profile.model_dump(exclude_none=True), dict(body.answers)
    )
    if new and customer_id not in model.bundle.customer_ids:
        response.status_code = HTTPStatus.CREATED
    return _customer(home, model, customer_id, home.store.customer_state(customer_id))


@router.delete("/customers/{customer_id:path}")
def erase_customer(home: HouseDependency, customer_id: Id) -> ErasureReceipt:
    """Erase a person from the database, every stored model and memory; a stranger is no error."""
    return ErasureReceipt(**home.erase(customer_id).as_dict())


def _customer(home: House, model: Model, customer_id: str, state: CustomerState) -> Customer:
    """Put together what is known; `state` is all of it."""
    bundle = model.bundle
    features = _features(home, model, customer_id, state)
    profile = dict(state.profile)
    if (joined := profile.get("signup_at")) is not None:
        profile["signup_at"] = from_microseconds(joined)
    types = Counter(row["event_type"] for row in state.interactions)
    segments = bundle.segments
    return Customer(
        customer_id=customer_id,
        in_model=customer_id in bundle.customer_ids,
        profile=profile,
        answers=state.answers,
        features={
            name: float(value) if np.isfinite(value) else None
            for name, value in zip(FEATURES, features, strict=True)
        },
        segment=None if segments is None else _placed(segments, features),
        events={kind: types[kind] for kind in EVENT_TYPES},
        transactions=len({row["transaction_id"] for row in state.transactions}),
        anomaly=verdict_of(bundle, customer_id),
    )


def _features(home: House, model: Model, customer_id: str, state: CustomerState) -> np.ndarray:
    """Bring the features up to date, as lists are made from them: see `api.people.find_person`."""
    bundle = model.bundle
    row = bundle.customer_ids.row(customer_id)
    if row is None:
        return features_of(facts_of(state), home.now())
    later = home.store.customer_state(customer_id, model.since)
    if later.whole and later.known:
        return features_of(facts_of(later), home.now())
    known = bundle.customers.features[row]
    return features_of(facts_of(later), home.now(), known, bundle.moment)


def _placed(model: SegmentModel, features: np.ndarray) -> PlacedSegment | None:
    values = features[[FEATURES.index(name) for name in model.features]]
    placed = model.assign(values)
    own, other = int(placed.segment[0]), int(placed.runner_up[0])
    if own == model.n_segments:
        return None
    return PlacedSegment(
        id=own,
        name=model.names[own],
        confidence=float(placed.confidence[0]),
        runner_up=None if own == other else SegmentName(id=other, name=model.names[other]),
        reasons=list(why_placed(model, values)),
    )
