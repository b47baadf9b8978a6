"""Lists made ahead: the same as those asked for, of everybody, and only while nobody asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from api.breaker import Breaker
from api.house import House
from api.listing import answer_here
from api.people import Asked, Wished
from api.warming import Warming
from data.states import CustomerState
from data.store import Store
from recommender.bundle import Bundle
from recommender.service import Service


@pytest.fixture
def home(small_bundle: Bundle, small_store: Store) -> Iterator[House]:
    made = House(small_bundle, Service(small_bundle), small_store, at=small_bundle.moment)
    yield made
    made.close()


def work(warming: Warming, seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
    async def some_time() -> None:
        task = asyncio.create_task(warming.run())
        end = time.monotonic() + seconds
        while time.monotonic() < end and not enough():
            await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(some_time())


def test_lists_are_there_before_anybody_asks(home: House) -> None:
    warming = Warming(home, most=5)
    while len(home.shelf) < 5:
        work(warming, 0.5)
    name = str(home.bundle.customers.ids[0])
    ready = home.shelf.get((name, Asked()), stamp_of(home, name))
    assert ready is not None
    assert ready.body in answer_here(home, Wished(name, Asked()), "r").body
    assert len(home.shelf) == 5


def stamp_of(home: House, name: str) -> tuple[object, ...]:
    mine, _ = home.store.revisions(name)
    return mine, home.model.number, home.model.epoch(home.now())


def test_nothing_is_made_ahead_where_that_is_not_wished_for(home: House) -> None:
    work(Warming(home, most=0), 0.2)
    assert len(home.shelf) == 0


def test_a_service_that_is_asked_does_nothing_else(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.warming.REST", 3600.0)
    warming = Warming(home, most=5)
    warming.note()
    work(warming, 0.3)
    assert len(home.shelf) == 0


def test_a_database_that_is_away_for_a_moment_does_not_end_it(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.breaker = Breaker(rest_seconds=0.05)
    read, asked = home.store.customer_state, []

    def read_or_fail(*given: Any) -> CustomerState:
        asked.append(given)
        if len(asked) == 3:
            raise OperationalError("select", None, ConnectionError())
        return read(*given)

    monkeypatch.setattr(home.store, "customer_state", read_or_fail)
    work(Warming(home, most=5), 10.0, enough=lambda: len(home.shelf) == 5)
    assert len(home.shelf) == 5
    assert len(asked) == 6  # what was made before is not made again
