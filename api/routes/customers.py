"""`/customers/{customer_id}`: what is known of a customer, put and erased."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import HouseDependency
from api.errors import ApiError
from api.house import House, Model
from api.people import facts_of
from api.routes.anomalies import Anomaly, anomaly_of
from api.schemas import ID_PATTERN, Answers, CustomerId, Profile, SegmentName, Strict
from data.store import CustomerState
from recommender.facts import features_of
from segmentation.features import FEATURES

log = logging.getLogger("api.customers")
router = APIRouter(tags=["customers"], prefix="/customers")

Named = Annotated[CustomerId, Path(max_length=128, pattern=ID_PATTERN, examples=["c0000042"])]


class Placed(SegmentName):
    """The segment a customer is in, how surely, and which one is next."""

    description: str
    confidence: float = Field(description="0.5 on the border to the next segment, 1 in the middle.")
    runner_up: SegmentName


class Customer(BaseModel):
    """Everything that is known of a customer."""

    customer_id: str
    profile: dict[str, Any]
    answers: dict[str, str]
    features: dict[str, float]
    segment: Placed | None
    interactions: int
    transactions: int
    anomaly: Anomaly | None


class CustomerFacts(Strict):
    """What a customer says of themselves; what is left out stays as it is."""

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


@router.get("/{customer_id:path}")
def read(home: HouseDependency, customer_id: Named) -> Customer:
    """Tell what is known of a customer; 404 where nothing is."""
    model = home.model
    state = home.store.customer_state(customer_id)
    if not state.known and customer_id not in model.bundle.customer_ids:
        raise _unknown()
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
    profile = body.profile.model_dump(exclude_none=True)
    new = home.store.put_customer(customer_id, profile, dict(body.answers))
    if new and customer_id not in model.bundle.customer_ids:
        response.status_code = HTTPStatus.CREATED
    return _customer(home, model, customer_id, home.store.customer_state(customer_id))


@router.delete("/{customer_id:path}")
def erase(home: HouseDependency, customer_id: Named) -> Erased:
    """Erase a customer from the database, every stored model and memory; the receipt names nobody.

    Other workers let go of the customer within a second or two. Erasing again does no harm.
    """
    try:
        receipt = home.erase(customer_id)
    except OSError as error:
        # Its message names files only, but those of a person are nobody's business either.
        log.error("models could not be rewritten: %s", type(error).__name__)
        raise ApiError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "MODELS_NOT_WRITABLE",
            "The database has let go of the customer, a stored model has not; erase again.",
        ) from None
    # What was found says whether there was anybody: an older model may hold whom nothing else does.
    if not any(receipt.rows.values()) and not any(receipt.models.values()):
        raise _unknown()
    return Erased(**receipt.as_dict())


def _unknown() -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, "NO_CUSTOMER", "Nothing is known of this customer.")


def _customer(house: House, model: Model, customer_id: str, state: CustomerState) -> Customer:
    features = _features(house, model, customer_id, state)
    return Customer(
        customer_id=customer_id,
        profile=state.profile,
        answers=state.answers,
        features={
            name: float(value)
            for name, value in zip(FEATURES, features, strict=True)
            if np.isfinite(value)
        },
        segment=_placed(model, features),
        interactions=len(state.interactions),
        transactions=len({row["transaction_id"] for row in state.transactions}),
        anomaly=anomaly_of(model.bundle.anomalies, customer_id),
    )


def _features(house: House, model: Model, customer_id: str, state: CustomerState) -> np.ndarray:
    """Return the six features as they are now: the model's, and what was recorded since."""
    bundle = model.bundle
    row = bundle.customer_ids.row(customer_id)
    if row is None:
        return features_of(facts_of(state), house.now())
    since = house.store.customer_state(customer_id, model.since)
    if since.whole and since.known:
        return features_of(facts_of(since), house.now())
    known = bundle.customers.features[row]
    return features_of(facts_of(since), house.now(), known, bundle.moment)


def _placed(model: Model, features: np.ndarray) -> Placed | None:
    segments = model.bundle.segments
    if segments is None:
        return None
    columns = [FEATURES.index(name) for name in segments.features]
    found = segments.assign(features[None, columns])
    row, next_row = int(found.segment[0]), int(found.runner_up[0])
    if row == segments.n_segments:
        return None
    return Placed(
        id=row,
        name=segments.names[row],
        description=segments.descriptions[row],
        confidence=float(found.confidence[0]),
        runner_up=SegmentName(id=next_row, name=segments.names[next_row]),
    )
