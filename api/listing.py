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

import pandas as pd
from fastapi.concurrency import run_in_threadpool
from pydantic_core import to_json
from sqlalchemy.exc import SQLAlchemyError

from api.breaker import Resting
from api.errors import NO_RECOMMENDER, ApiError
from api.house import Behind, House
from api.lists import Made, make_lists
from api.people import Wished, people_of, read_states
from api.served import Model
from api.shelf import Ready, Stamp
from data.states import CustomerState
from recommender.service import Service

NOTHING_TOLD = CustomerState(known=False, whole=False)


@dataclass(frozen=True)
class Answer:
    """A list as JSON, in one word what it is made from, and whether the database was away."""

    body: bytes
    strategy: str
    degraded: bool = False


async def answer(house: House, wished: Wished, request_id: str) -> Answer:
    """List the next best offers of a customer.

    Raises
    ------
    ApiError
        The model recommends nothing.
    """
    if not house.store.is_near:
        return await _answer_afar(house, wished, request_id)
    try:
        # One indexed read and, at most, some arrays: too short to be worth a thread.
        return answer_here(house, wished, request_id, at_once=True)
    except Behind:
        return await run_in_threadpool(answer_here, house, wished, request_id)


def answer_here(house: House, wished: Wished, request_id: str, *, at_once: bool = False) -> Answer:
    """Do as `answer` does, in this thread.

    Raises
    ------
    Behind
        The model has to be made first, and the answer is wished for `at_once`.
    """
    try:
        house.breaker.check()
        read = _read_one(house, wished, at_once=at_once)
    except (Resting, SQLAlchemyError) as error:
        return _alone(house, [wished], request_id, error)[0]
    return _finished(house, [wished], read, request_id)[0]


async def _answer_afar(house: House, wished: Wished, request_id: str) -> Answer:
    """Do as `answer` does where the database is distant: nothing of the service waits for it."""
    try:
        house.breaker.check()
        read = await house.afar.run(_read_one, house, wished)
    except (Resting, SQLAlchemyError, TimeoutError) as error:
        return (await run_in_threadpool(_alone, house, [wished], request_id, error))[0]
    if read.missing:
        return (await run_in_threadpool(_finished, house, [wished], read, request_id))[0]
    return _finished(house, [wished], read, request_id)[0]


async def answers(house: House, wished: Sequence[Wished], request_id: str) -> list[Answer]:
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
        if house.store.is_near:
            read = await run_in_threadpool(_read_many, house, wished)
        else:
            read = await house.afar.run(_read_many, house, wished)
    except (Resting, SQLAlchemyError, TimeoutError) as error:
        return await run_in_threadpool(_alone, house, wished, request_id, error)
    return await run_in_threadpool(_finished, house, wished, read, request_id, keep=False)


@dataclass(frozen=True)
class _Read:
    """What the database said of wishes: lists that still hold, and states for those to be made.

    Attributes
    ----------
    stamps : list of tuple
        What each list depends on.
    ready : list of Ready or None
    missing : list of Wished
        Those of which there is none.
    states : list of (customer_id, CustomerState)
        Of the missing.
    """

    model: Model
    at: pd.Timestamp
    stamps: list[Stamp]
    ready: list[Ready | None]
    missing: list[Wished]
    states: list[tuple[str, CustomerState]]


def _read_one(house: House, wished: Wished, *, at_once: bool = False) -> _Read:
    mine, everybody = house.store.revisions(wished.customer_id)
    return _read(house, [wished], [mine], house.current(everybody, at_once=at_once))


def _read_many(house: House, wished: Sequence[Wished]) -> _Read:
    names = list(dict.fromkeys(one.customer_id for one in wished))
    mine, everybody = house.store.revisions_of_many(names)
    model = house.current(everybody)
    return _read(house, wished, [mine[one.customer_id] for one in wished], model)


def _read(house: House, wished: Sequence[Wished], revisions: list[int], model: Model) -> _Read:
    at = house.now()
    rest = (model.number, model.epoch(at))
    stamps: list[Stamp] = [(revision, *rest) for revision in revisions]
    ready = [
        house.shelf.get((one.customer_id, one.asked), stamp) if one.told is None else None
        for one, stamp in zip(wished, stamps, strict=True)
    ]
    missing = [one for one, there in zip(wished, ready, strict=True) if there is None]
    states = read_states(house, model, missing) if missing else []
    house.breaker.close()
    return _Read(model, at, stamps, ready, missing, states)


def _finished(
    house: House, wished: Sequence[Wished], read: _Read, request_id: str, *, keep: bool = True
) -> list[Answer]:
    """Make what is missing, without the database, and keep it if it is worth that."""
    service = serving(read.model)
    made: list[Made] = []
    if read.missing:
        people = people_of(read.model, service, read.states, read.at)
        asked = [one.asked for one in read.missing]
        made = make_lists(read.model, service, people, asked, read.at)
    fresh, found = iter(made), []
    for one, stamp, there in zip(wished, read.stamps, read.ready, strict=True):
        ready = there
        if ready is None:
            new = next(fresh)
            ready = Ready(stamp, _written(new), new["strategy"])
            if keep and one.told is None:
                house.shelf.put((one.customer_id, one.asked), ready)
        found.append(Answer(_stamped(ready.body, request_id), ready.strategy))
    return found


def serving(model: Model) -> Service:
    """Return the verb of serving, or say that this model recommends nothing."""
    if model.service is None:
        raise ApiError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            NO_RECOMMENDER,
            "This model was trained without offers, interactions or transactions.",
        )
    return model.service


def _alone(house: House, wished: Sequence[Wished], request_id: str, why: Exception) -> list[Answer]:
    """Make the lists that the model alone can make."""
    if not isinstance(why, Resting):
        house.breaker.trip(why)
    model, at = house.model, house.now()
    service = serving(model)
    states = [(one.customer_id, one.told or NOTHING_TOLD) for one in wished]
    people = people_of(model, service, states, at)
    lists = make_lists(model, service, people, [one.asked for one in wished], at)
    return [
        Answer(_stamped(_written({**made, "degraded": True}), request_id), made["strategy"], True)
        for made in lists
    ]


def _written(made: Made) -> bytes:
    """Write a list as JSON without the opening brace."""
    return to_json(made, inf_nan_mode="null")[1:]


def _stamped(body: bytes, request_id: str) -> bytes:
    """Give a list its own request, decision and moment: ids of safe characters only."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")  # as elsewhere
    decision = f"{getrandbits(128):032x}"  # a name, not a secret
    own = f'{{"request_id":"{request_id}","decision_id":"{decision}","generated_at":"{now}",'
    return own.encode() + body
