"""A distant database: whatever it does, the service answers, and nothing else waits for it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.afar import THREADS, Afar
from api.app import create_app
from api.house import House
from data.dataset import Dataset
from data.store import Store
from evaluation.suites.serving.postgres import Postgres
from recommender.bundle import Bundle
from recommender.service import Service

PATIENCE, HANGING = 0.4, 6.0
SOON = HANGING / 2  # what waits for the database takes longer, however busy the machine is


class Slow(Store):
    """A database that takes its time."""

    seconds = 0.0
    is_near = False

    def revisions(self, customer_id: str) -> tuple[int, int]:
        time.sleep(self.seconds)
        return super().revisions(customer_id)

    def revisions_of_many(self, customer_ids: Any) -> tuple[dict[str, int], int]:
        time.sleep(self.seconds)
        return super().revisions_of_many(customer_ids)


def house_of(store: Store, bundle: Bundle) -> House:
    home = House(bundle, Service(bundle), store, at=bundle.moment)
    home.afar = Afar(store, patience=PATIENCE)
    return home


@pytest.fixture
def slow(small_bundle: Bundle, small_record: Path, tmp_path: Path) -> Iterator[House]:
    store = Slow.open(f"sqlite:///{shutil.copy(small_record, tmp_path / 'facts.db')}")
    home = house_of(store, small_bundle)
    yield home
    home.close()


def timed(ask: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    answer = ask()
    return time.perf_counter() - begun, answer


def ask_while_it_hangs(client: TestClient, hang: Callable[[], None]) -> None:
    """Ask for lists when the database does not answer: each comes, and nothing waits with them."""
    assert "degraded" not in client.get("/recommend/c0000004").json()
    with ThreadPoolExecutor(3 * THREADS) as people:
        hang()
        waiting = [
            people.submit(timed, lambda n=number: client.get(f"/recommend/c00000{n + 10}"))  # type: ignore[misc]
            for number in range(3 * THREADS)
        ]
        time.sleep(0.05)
        lives = [timed(lambda: client.get("/health/live")) for _ in range(5)]
        answers = [one.result() for one in waiting]
    assert max(seconds for seconds, _ in lives) < SOON
    assert {answer.status_code for _, answer in answers} == {200}
    assert all(answer.json()["degraded"] for _, answer in answers)
    assert max(seconds for seconds, _ in answers) < HANGING
    told = {"requests": [{"customer_id": "c0000004"}, {"customer_id": "nobody"}]}
    many = client.post("/recommend", json=told).json()["results"]
    assert all(one["list"]["degraded"] for one in many)


def until_well(client: TestClient) -> None:
    """Go on asking, as people do, until lists are whole again."""
    end = time.monotonic() + 20
    while client.get("/recommend/c0000004").json().get("degraded"):
        assert time.monotonic() < end, "the service did not notice that the database is back"
        time.sleep(0.01)


@pytest.mark.slow
def test_nothing_waits_for_a_slow_database(slow: House) -> None:
    store: Any = slow.store
    with TestClient(create_app(slow)) as client:
        ask_while_it_hangs(client, lambda: setattr(store, "seconds", HANGING))
        store.seconds = 0.0
        until_well(client)


def test_a_busy_service_is_not_taken_for_a_database_that_is_away(
    slow: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api import listing

    make = listing.make_lists

    def slowly(*given: Any) -> Any:
        time.sleep(2 * PATIENCE)
        return make(*given)

    monkeypatch.setattr(listing, "make_lists", slowly)
    with TestClient(create_app(slow)) as client:
        assert "degraded" not in client.get("/recommend/c0000004").json()
        told = {"requests": [{"customer_id": "c0000004", "n": 3}]}
        (one,) = client.post("/recommend", json=told).json()["results"]
        assert "degraded" not in one["list"]


@pytest.mark.slow
@pytest.mark.database
def test_nothing_waits_for_a_frozen_server(
    postgres: Postgres, small_bundle: Bundle, small_dataset: Dataset
) -> None:
    store = Store.open(postgres.new_database())
    store.load(small_dataset)
    home = house_of(store, small_bundle)
    with TestClient(create_app(home)) as client:
        try:
            ask_while_it_hangs(client, postgres.freeze)
        finally:
            postgres.thaw()
        until_well(client)


@pytest.mark.slow
@pytest.mark.database
def test_a_server_that_restarts_is_found_again_by_every_thread(
    postgres: Postgres, small_bundle: Bundle, small_dataset: Dataset
) -> None:
    store = Store.open(postgres.new_database())
    store.load(small_dataset)
    home = house_of(store, small_bundle)
    with TestClient(create_app(home)) as client:
        for number in range(3 * THREADS):
            assert "degraded" not in client.get(f"/recommend/c00000{number + 10}").json()
        postgres.stop()
        assert client.get("/recommend/c0000004").json()["degraded"]
        event = {"customer_id": "c0000004", "offer_id": "o0001", "event_type": "click"}
        refused = client.post("/events", json={"events": [event]})
        assert (refused.status_code, refused.json()["code"]) == (503, "DATABASE_AWAY")
        assert refused.headers["retry-after"]
        postgres.start()
        until_well(client)
        for number in range(3 * THREADS):
            assert "degraded" not in client.get(f"/recommend/c00000{number + 10}").json()
        assert client.post("/events", json={"events": [event]}).status_code == 202
