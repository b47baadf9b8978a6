"""The answer to "what next": from the shelf where it still holds, else made and put there.

A list depends on the model, on what was recorded of the customer and of everybody, and on the
moment only as far as offers begin and end; the two revisions that the database keeps say whether
something was recorded, by whichever worker. So a list from the shelf is the one that would be made
now. Where the database is away the list is made from the model alone and says so.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from sqlalchemy.exc import SQLAlchemyError

from api.errors import ApiError
from api.house import House, Model
from api.people import Asked, find_person, make_list, person_of
from api.schemas import DegradedList, OfferList
from api.shelf import Ready, Stamp
from data.store import CustomerState
from recommender.service import Service

OWN = {"request_id", "decision_id", "generated_at"}
NOTHING_TOLD = CustomerState(known=False, whole=False)


@dataclass(frozen=True)
class Answer:
    """A list as JSON, in one word what it is made from, and whether the database was away."""

    body: bytes
    strategy: str
    degraded: bool = False


def answer(
    house: House,
    customer_id: str,
    asked: Asked,
    request_id: str,
    told: CustomerState | None = None,
) -> Answer:
    """List the next best offers of a customer.

    Parameters
    ----------
    told : CustomerState, optional
        Profile and answers that count for this list only.

    Raises
    ------
    ApiError
        The model recommends nothing.
    """
    try:
        house.breaker.check()
        mine, everybody = house.store.revisions(customer_id)
        model = house.current(everybody)
        service, at = serving(model), house.now()
        key = (customer_id, asked)
        stamp = (mine, model.number, model.epoch(at))
        ready = house.shelf.get(key, stamp) if told is None else None
        if ready is None:
            person = find_person(model, service, house.store, customer_id, at, told)
            ready = _ready(make_list(model, service, person, asked, at, request_id=""), stamp)
            if told is None:
                house.shelf.put(key, ready)
        return Answer(_stamped(ready, request_id), ready.strategy)
    except SQLAlchemyError as error:
        house.breaker.trip(error)
        ready = _degraded(house, customer_id, asked, told or NOTHING_TOLD)
        return Answer(_stamped(ready, request_id), ready.strategy, degraded=True)


def serving(model: Model) -> Service:
    """Return the verb of serving, or say that this model recommends nothing."""
    if model.service is None:
        raise ApiError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "NO_RECOMMENDER",
            "This model was trained without offers, interactions or transactions.",
        )
    return model.service


def _degraded(house: House, customer_id: str, asked: Asked, told: CustomerState) -> Ready:
    """Make the list that the model alone can make."""
    model = house.model
    service = serving(model)
    person = person_of(model, service, customer_id, told, house.now())
    found = make_list(model, service, person, asked, house.now(), request_id="")
    return _ready(DegradedList(**dict(found)), ())


def _ready(found: OfferList, stamp: Stamp) -> Ready:
    return Ready(stamp, found.model_dump_json(exclude=OWN)[1:].encode(), found.strategy)


def _stamped(ready: Ready, request_id: str) -> bytes:
    """Give a list its own request, decision and moment: ids of safe characters only."""
    now = datetime.now(UTC).isoformat()
    own = (
        f'{{"request_id":"{request_id}","decision_id":"{uuid.uuid4().hex}","generated_at":"{now}",'
    )
    return own.encode() + ready.body
