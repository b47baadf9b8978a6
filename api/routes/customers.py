"""`/customers/{customer_id}`: what is known of a customer, put and erased."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.bodies import Profile, Strict
from api.dependencies import HouseDependency
from api.errors import ApiError
from api.house import House
from api.moments import moment_of
from api.owned import answers_of, profile_of
from api.people import facts_of, states_at
from api.replies import SegmentName
from api.routes.anomalies import Anomaly, anomaly_of
from api.served import Model
from api.values import ID_PATTERN, Answers, CustomerId
from data.schema import EVENT_TYPES, LONGEST_ID
from data.states import CustomerState
from recommender.serving.visitors import Visitor, features_now
from segmentation.features import FEATURES
from segmentation.moves import why_placed

router = APIRouter(tags=["customers"], prefix="/customers")

Named = Annotated[
    CustomerId, Path(max_length=LONGEST_ID, pattern=ID_PATTERN, examples=["c0000042"])
]


class Placed(SegmentName):
    """The segment a customer is in, how surely, and which one is next."""

    description: str
    confidence: float = Field(description="0.5 on the border to the next segment, 1 in the middle.")
    runner_up: SegmentName | None = Field(description="The next segment; null if there is none.")
    reasons: list[str]


class Customer(BaseModel):
    """Everything that is known of a customer."""

    customer_id: str
    profile: dict[str, Any]
    answers: dict[str, str]
    features: dict[str, float]
    segment: Placed | None
    interactions: dict[str, int] = Field(description="Recorded ones by their type.")
    transactions: int
    anomaly: Anomaly | None


class CustomerFacts(Strict):
    """What a customer says of themselves; what is left out, or null, stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"profile": {"age": 41}, "answers": {"category:travel": "no"}}]
        },
    )

    profile: Profile = Profile()
    answers: Answers = Field(default_factory=dict)


class Erased(BaseModel):
    """That a person was erased, without saying who: the digest is SHA-256 of the id."""

    receipt_id: str
    customer_digest: str
    erased_at: str
    rows: dict[str, int]
    models: dict[str, bool]
    unread: dict[str, str] = Field(
        description="What was done to stored models of another format, which cannot be read."
    )
    left: list[str] = Field(
        description="Files beside the models in which the id stands still, such as somebody's copy."
    )


@router.get("/{customer_id:path}")
def read(home: HouseDependency, customer_id: Named) -> Customer:
    """Tell what is known of a customer; 404 where nothing is."""
    model = home.model
    state = states_at(home, {customer_id: None})[customer_id]
    if not state.known and customer_id not in model.bundle.customer_ids:
        detail = "Nothing is known of this customer."
        raise ApiError(HTTPStatus.NOT_FOUND, "NO_CUSTOMER", detail)
    return _customer(home, model, customer_id, state)


@router.put(
    "/{customer_id:path}",
    responses={201: {"model": Customer, "description": "The customer is new."}},
)
def put(
    home: HouseDependency, response: Response, customer_id: Named, body: CustomerFacts
) -> Customer:
    """Add a customer or update what is given."""
    model = home.model
    profile = profile_of(body.profile, model.bundle, "body", "profile")
    new = home.store.put_customer(
        customer_id, profile, answers_of(body.answers, model.bundle, "body", "answers")
    )
    if new and customer_id not in model.bundle.customer_ids:
        response.status_code = HTTPStatus.CREATED
    state = states_at(home, {customer_id: None})[customer_id]
    return _customer(home, model, customer_id, state)


@router.delete("/{customer_id:path}")
async def erase(home: HouseDependency, customer_id: Named) -> Erased:
    """Erase a customer from the database, every stored model and memory; the receipt names nobody.

    Other workers let go of the customer within a second or two. Who is not known here may stand in
    an older model, or be left of an erasure that failed half-way: everything is gone through.
    503 `MODELS_BUSY` says what is done already where something else writes models: ask again.
    """
    return Erased(**(await home.erasures.run(customer_id)).as_dict())


def _customer(house: House, model: Model, customer_id: str, state: CustomerState) -> Customer:
    features = _features(house, model, customer_id, state)
    profile = dict(state.profile)
    if "signup_at" in profile:
        profile["signup_at"] = moment_of(profile["signup_at"])
    types = Counter(row["event_type"] for row in state.interactions)
    return Customer(
        customer_id=customer_id,
        profile=profile,
        answers=state.answers,
        features={
            name: float(value)
            for name, value in zip(FEATURES, features, strict=True)
            if np.isfinite(value)
        },
        segment=_placed(model, features),
        interactions={kind: types[kind] for kind in EVENT_TYPES},
        transactions=len({row["transaction_id"] for row in state.transactions}),
        anomaly=anomaly_of(model.bundle.anomalies, customer_id),
    )


def _features(house: House, model: Model, customer_id: str, state: CustomerState) -> np.ndarray:
    """Return the six features as they are now: the model's, and what was recorded since."""
    if customer_id in model.bundle.customer_ids:
        state = states_at(house, {customer_id: model.since})[customer_id]
    visitor = Visitor(customer_id, facts_of(state), whole=state.whole and state.known)
    return features_now(model.bundle, visitor, house.now())


def _placed(model: Model, features: np.ndarray) -> Placed | None:
    segments = model.bundle.segments
    if segments is None:
        return None
    columns = [FEATURES.index(name) for name in segments.features]
    found = segments.assign(features[columns])
    row, next_row = int(found.segment[0]), int(found.runner_up[0])
    if row == segments.n_segments:
        return None
    return Placed(
        id=row,
        name=segments.names[row],
        description=segments.descriptions[row],
        confidence=float(found.confidence[0]),
        runner_up=None
        if row == next_row
        else SegmentName(id=next_row, name=segments.names[next_row]),
        reasons=list(why_placed(segments, features[columns])),
    )
