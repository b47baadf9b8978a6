"""The answer to "what next": from the shelf where it still holds, else made and put there.

A list depends on the model, on what was recorded of the customer and of everybody, and on the
moment only as far as offers begin and end; the two revisions that the database keeps say whether
something was recorded, by whichever worker. So a list from the shelf is the one that would be made
now. Where the database is away the list is made from the model alone and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from random import getrandbits

from pydantic_core import to_json
from sqlalchemy.exc import SQLAlchemyError

from api.errors import ApiError
from api.house import House, Model
from api.lists import Made, make_lists
from api.people import Asked, Wished, find_people, people_of
from api.shelf import Ready
from data.states import CustomerState
from recommender.service import Service

NOTHING_TOLD = CustomerState(known=False, whole=False)


@dataclass(frozen=True)
class Answer:
    """A list as JSON, in one word what it is made from, and whether the database was away."""

    body: bytes
    strategy: str
    degraded: bool = False


def answer(house: House, customer_id: str, asked: Asked, request_id: str) -> Answer:
    """List the next best offers of a customer.

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
        ready = house.shelf.get(key, stamp)
        if ready is None:
            people = find_people(model, service, house.store, [Wished(*key)], at)
            made = make_lists(model, service, people, [asked], at)[0]
            ready = Ready(stamp, _written(made), made["strategy"])
            house.shelf.put(key, ready)
        return Answer(_stamped(ready.body, request_id), ready.strategy)
    except SQLAlchemyError as error:
        house.breaker.trip(error)
        return _degraded(house, [Wished(customer_id, asked)], request_id)[0]


def answers(house: House, wished: Sequence[Wished], request_id: str) -> list[Answer]:
    """List the next best offers of many customers, each as `answer` does.

    Lists that have to be made are made together. They do not go on the shelf: a run through all
    customers would push out what single requests come back for.

    Raises
    ------
    ApiError
        The model recommends nothing.
    """
    if not wished:
        return []
    try:
        house.breaker.check()
        mine, everybody = house.store.revisions_of_many(
            list({one.customer_id: None for one in wished})
        )
        model = house.current(everybody)
        service, at = serving(model), house.now()
        rest = (model.number, model.epoch(at))
        found = [
            house.shelf.get((one.customer_id, one.asked), (mine[one.customer_id], *rest))
            if one.told is None
            else None
            for one in wished
        ]
        missing = [one for one, ready in zip(wished, found, strict=True) if ready is None]
        made: list[Made] = []
        if missing:
            people = find_people(model, service, house.store, missing, at)
            made = make_lists(model, service, people, [one.asked for one in missing], at)
    except SQLAlchemyError as error:
        house.breaker.trip(error)
        return _degraded(house, wished, request_id)
    fresh = iter(made)
    return [
        _answer(next(fresh), request_id)
        if ready is None
        else Answer(_stamped(ready.body, request_id), ready.strategy)
        for ready in found
    ]


def serving(model: Model) -> Service:
    """Return the verb of serving, or say that this model recommends nothing."""
    if model.service is None:
        raise ApiError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "NO_RECOMMENDER",
            "This model was trained without offers, interactions or transactions.",
        )
    return model.service


def _degraded(house: House, wished: Sequence[Wished], request_id: str) -> list[Answer]:
    """Make the lists that the model alone can make."""
    model, at = house.model, house.now()
    service = serving(model)
    states = [(one.customer_id, one.told or NOTHING_TOLD) for one in wished]
    people = people_of(model, service, states, at)
    lists = make_lists(model, service, people, [one.asked for one in wished], at)
    return [_answer({**made, "degraded": True}, request_id) for made in lists]


def _answer(made: Made, request_id: str) -> Answer:
    return Answer(_stamped(_written(made), request_id), made["strategy"], "degraded" in made)


def _written(made: Made) -> bytes:
    """Write a list as JSON without the opening brace."""
    return to_json(made, inf_nan_mode="null")[1:]


def _stamped(body: bytes, request_id: str) -> bytes:
    """Give a list its own request, decision and moment: ids of safe characters only."""
    now = datetime.now(UTC).isoformat()
    decision = f"{getrandbits(128):032x}"  # a name, not a secret
    own = f'{{"request_id":"{request_id}","decision_id":"{decision}","generated_at":"{now}",'
    return own.encode() + body
