"""The house: another model takes over between two requests, offers that were put are listed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from api import house as of_house
from api.app import create_app
from api.house import House
from data.store import Store
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.storage import erasure
from recommender.storage.model_folder import VERSIONS, load, save
from recommender.storage.versions import make_current


@pytest.fixture
def folder(small_bundle: Bundle, tmp_path: Path) -> Path:
    save(small_bundle, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def home(folder: Path, small_store: Store) -> Iterator[House]:
    bundle = load(folder)
    made = House(bundle, Service(bundle), small_store, at=bundle.moment, folder=folder)
    yield made
    made.close()


@pytest.fixture
def client(home: House) -> Iterator[TestClient]:
    with TestClient(create_app(home), raise_server_exceptions=False) as made:
        yield made


def other_version(bundle: Bundle, folder: Path) -> str:
    """Store a model that differs, without making it the current one."""
    current = load(folder).version
    version = save(replace(bundle, seed=bundle.seed + 1), folder).version
    make_current(folder, current)
    return version


def own(answer: dict[str, Any]) -> dict[str, Any]:
    """Leave out what every answer has of its own."""
    return {
        name: value
        for name, value in answer.items()
        if name not in ("request_id", "decision_id", "generated_at")
    }


def test_a_published_model_takes_over(
    home: House, client: TestClient, folder: Path, small_bundle: Bundle
) -> None:
    first = client.get("/recommend/c0000004").json()
    version = other_version(small_bundle, folder)
    assert not home.look()
    make_current(folder, version)
    assert home.look()
    assert client.get("/recommend/c0000004").json()["model_version"] == version
    assert first["model_version"] != version
    assert not home.look()


def test_a_damaged_model_is_refused_and_the_old_one_stays(
    home: House, client: TestClient, folder: Path, small_bundle: Bundle,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    before = client.get("/recommend/c0000004").json()
    version = other_version(small_bundle, folder)
    (folder / VERSIONS / version / "core.npz").write_bytes(b"not a model")
    make_current(folder, version)
    with caplog.at_level(logging.ERROR):
        assert not home.look()
        assert not home.look()
    assert len(caplog.records) == 1
    assert own(client.get("/recommend/c0000004").json()) == own(before)


@contextmanager
def held(
    patch: pytest.MonkeyPatch, owner: Any, name: str, work: Callable[[], Any]
) -> Iterator[None]:
    """Do some work in a thread, and hold it where it calls a function, while the body runs."""
    real, there, go = getattr(owner, name), threading.Event(), threading.Event()

    def holding(*given: Any) -> Any:
        if threading.current_thread() is thread:
            there.set()
            assert go.wait(10)
        return real(*given)

    thread = threading.Thread(target=work)
    patch.setattr(owner, name, holding)
    thread.start()
    assert there.wait(10)
    try:
        yield
    finally:
        go.set()
        thread.join()
        patch.setattr(owner, name, real)


def put_an_offer(home: House) -> int:
    """Put an offer and return the revision of what concerns everybody."""
    home.store.put_offer("brand-new", {"title": "New"}, [], int(home.bundle.moment.value // 1000))
    return home.store.revisions("")[1]


def test_an_offer_that_is_put_while_a_model_takes_over_does_not_bring_back_the_one_before(
    home: House, folder: Path, small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.current(home.store.revisions("")[1])
    version = other_version(small_bundle, folder)
    make_current(folder, version)
    with ThreadPoolExecutor(1) as asking:
        with held(monkeypatch, of_house, "serve", home.look):
            asked = asking.submit(home.current, put_an_offer(home))
            time.sleep(0.1)
        assert asked.result().bundle.version == version
    assert home.bundle.version == version
    assert "brand-new" in home.offer_ids


def test_an_erased_person_does_not_come_back_with_whoever_asked_meanwhile(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.current(home.store.revisions("")[1])
    who = str(home.bundle.customers.ids[3])
    with ThreadPoolExecutor(1) as asking:
        with held(monkeypatch, of_house, "serve", lambda: home.erase(who)):
            asked = asking.submit(home.current, put_an_offer(home))
            time.sleep(0.1)
        assert who not in asked.result().bundle.customer_ids
    assert who not in home.bundle.customer_ids


def test_a_model_that_was_read_before_an_erasure_is_read_again(
    home: House, folder: Path, small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = str(home.bundle.customers.ids[3])
    version = other_version(small_bundle, folder)
    make_current(folder, version)

    def read(place: Path) -> Bundle:
        bundle = load(place)
        if who in bundle.customer_ids:
            home.erase(who)
        return bundle

    monkeypatch.setattr(of_house, "load", read)
    assert home.look()
    assert home.bundle.version == version
    assert who not in home.bundle.customer_ids


def test_a_model_that_is_published_during_an_erasure_is_served(
    home: House, folder: Path, small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = other_version(small_bundle, folder)
    real = of_house.erased

    def slowly(*given: Any) -> Any:
        receipt = real(*given)
        make_current(folder, version)
        return receipt

    monkeypatch.setattr(of_house, "erased", slowly)
    home.erase("nobody")
    assert home.look()
    assert home.bundle.version == version


def test_a_model_that_is_published_while_the_house_is_built_is_served(
    folder: Path, small_store: Store, small_bundle: Bundle
) -> None:
    bundle = load(folder)
    version = other_version(small_bundle, folder)
    make_current(folder, version)
    home = House(bundle, Service(bundle), small_store, at=bundle.moment, folder=folder)
    assert home.look()
    assert home.bundle.version == version


def test_two_people_erased_at_once_are_both_gone(
    home: House, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [str(name) for name in home.bundle.customers.ids[:2]]
    both = threading.Barrier(2)

    def read(*given: Any) -> Bundle:
        bundle = load(*given)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.2)  # whoever else erases has read the model by now
        return bundle

    monkeypatch.setattr(erasure, "load", read)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(home.erase, people))
    home.look()
    for bundle in (load(folder), home.bundle):
        assert not [name for name in people if name in bundle.customer_ids]


def test_the_newest_of_everything_stays_though_somebody_asks_by_an_older_revision(
    home: House,
) -> None:
    before = home.store.revisions("")[1]
    newest = home.current(put_an_offer(home))
    assert home.current(before) is newest
    assert home.model is newest


def test_a_model_that_is_published_while_the_database_is_away_is_served_later(
    home: House, folder: Path, small_bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    home.current(home.store.revisions("")[1])
    looked: list[bool] = []

    def away(*_: object) -> None:
        looked.append(True)
        raise OperationalError("select 'a secret'", None, ConnectionError())

    def until(there: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not there():
            assert time.monotonic() < end
            time.sleep(0.01)

    monkeypatch.setattr("api.watching.LOOK_SECONDS", 0.01)
    version = other_version(small_bundle, folder)
    with monkeypatch.context() as patch:
        patch.setattr(home.store, "offers", away)
        patch.setattr(home.store, "ping", away)
        make_current(folder, version)
        watching = home.watch()
        until(lambda: len(looked) >= 3)
    until(lambda: home.bundle.version == version)
    assert watching.is_alive()
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert told == ["model folder: OperationalError; looking again"]


def test_a_list_is_made_once_and_answers_have_ids_of_their_own(
    home: House, client: TestClient
) -> None:
    one, two = (client.get("/recommend/c0000004").json() for _ in range(2))
    assert own(one) == own(two)
    assert one["decision_id"] != two["decision_id"]
    assert len(home.shelf) == 1
    client.get("/recommend/c0000004?n=3")
    assert len(home.shelf) == 2


def test_what_another_worker_recorded_is_in_the_next_list(
    home: House, client: TestClient, folder: Path
) -> None:
    bundle = load(folder)
    store = Store.open(home.store._engine.url.render_as_string())
    elsewhere = House(bundle, Service(bundle), store, at=bundle.moment)
    with TestClient(create_app(elsewhere)) as other:
        first = client.get("/recommend/c0000004").json()
        taken = first["offers"][0]["offer_id"]
        event = {"customer_id": "c0000004", "offer_id": taken, "event_type": "click"}
        assert other.post("/events", json={"events": [event]}).json()["accepted"] == 1
        second = client.get("/recommend/c0000004").json()
    assert own(second) != own(first)


def test_an_offer_that_is_put_is_listed_on_the_next_request(
    home: House, client: TestClient, small_bundle: Bundle
) -> None:
    offers = small_bundle.offers
    popular = client.get("/recommend/c0000004").json()["offers"][0]
    before = {one["offer_id"] for one in client.get("/recommend/c0000004?n=100").json()["offers"]}
    now = int(small_bundle.moment.value // 1000)
    home.store.put_offer(
        "brand-new", {"title": "Brand new", "category": popular["category"]}, [], now
    )
    after = client.get("/recommend/c0000004?n=100").json()["offers"]
    assert {one["offer_id"] for one in after} == before | {"brand-new"}
    assert "brand-new" not in set(offers["offer_id"])
    assert {one["title"] for one in after if one["offer_id"] == "brand-new"} == {"Brand new"}


def test_an_offer_with_a_comma_that_another_worker_put_is_left_out_of_the_first_list(
    home: House, client: TestClient
) -> None:
    shown = client.get("/recommend/c0000004").json()["offers"][:2]
    now = int(home.bundle.moment.value // 1000)
    home.store.put_offer("com,ma", {"category": shown[0]["category"]}, [], now)
    assert "com,ma" not in home.offer_ids
    names = [one["offer_id"] for one in shown]
    wish: dict[str, Any] = {"n": 100, "exclude": ["com,ma", ", ".join(names)]}
    listed = client.get("/recommend/c0000004", params=wish).json()["offers"]
    assert "com,ma" in home.offer_ids
    assert not {"com,ma", *names}.intersection(one["offer_id"] for one in listed)


class Away:
    """A store that does not answer."""

    is_near = True

    def __init__(self) -> None:
        self.asked = 0

    def revisions(self, customer_id: str) -> tuple[int, int]:
        self.asked += 1
        raise OperationalError("select", None, ConnectionError())

    def revisions_of_many(self, customer_ids: list[str]) -> tuple[dict[str, int], int]:
        raise OperationalError("select", None, ConnectionError())

    def keys(self) -> tuple[object, ...]:
        return ()  # they were read before it went away

    def close(self) -> None:
        """Nothing to close."""


def test_lists_come_while_the_database_is_away_and_say_so(small_bundle: Bundle) -> None:
    away: Any = Away()
    home = House(small_bundle, Service(small_bundle), away, at=small_bundle.moment)
    with TestClient(create_app(home), raise_server_exceptions=False) as client:
        answers = [client.get("/recommend/c0000004") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.json()["degraded"] is True for answer in answers)
    assert all(len(answer.json()["offers"]) == 10 for answer in answers)
    assert away.asked == 1  # a database that is away is left alone for a moment
    assert len(home.shelf) == 0


def test_many_lists_come_while_the_database_is_away(small_bundle: Bundle) -> None:
    away: Any = Away()
    home = House(small_bundle, Service(small_bundle), away, at=small_bundle.moment)
    told = [{"customer_id": "c0000004"}, {"customer_id": "x", "answers": {"category:home": "yes"}}]
    with TestClient(create_app(home), raise_server_exceptions=False) as client:
        results = client.post("/recommend", json={"requests": told}).json()["results"]
    assert [one["list"]["degraded"] for one in results] == [True, True]
    assert results[0]["list"]["known"]
    assert results[1]["list"]["strategy"] != "popularity"


def test_many_lists_at_once_are_judged_one_by_one(client: TestClient) -> None:
    requests = [
        {"customer_id": "c0000004", "n": 3},
        {"customer_id": "nobody", "profile": {"age": 27}, "explain": False},
        {"customer_id": "c0000004", "n": 0},
        {"n": 3},
    ]
    answer = client.post("/recommend", json={"requests": requests})
    assert answer.status_code == 200
    one, two, three, four = answer.json()["results"]
    alone = client.get("/recommend/c0000004?n=3").json()
    assert own(one["list"]) == own(alone)
    assert (one["status"], two["status"], three["status"], four["status"]) == (200, 200, 422, 422)
    assert two["list"]["strategy"] != "popularity"
    assert two["list"]["known"] is False
    assert all(offer["reasons"] == [] for offer in two["list"]["offers"])
    assert three["code"] == "VALIDATION_FAILED"
    assert three["detail"].startswith("n:")


def test_many_lists_are_those_of_single_requests(home: House, client: TestClient) -> None:
    names = [str(name) for name in home.bundle.customers.ids[:40]]
    event = {"customer_id": names[5], "offer_id": home.bundle.offers["offer_id"][0]}
    client.post("/events", json={"events": [{**event, "event_type": "redemption"}]})
    line = {"customer_id": names[6], "amount": 250.0, "category": "travel"}
    client.post("/transactions", json={"transactions": [line]})
    client.put(f"/customers/{names[7]}", json={"profile": {"age": 77}})
    requests = [{"customer_id": name, "n": 4} for name in (*names, "nobody", names[5])]
    requests[3] |= {"category": "travel"}
    requests[4] |= {"exclude": [event["offer_id"]]}
    made = len(home.shelf)
    results = client.post("/recommend", json={"requests": requests}).json()["results"]
    # A run through everybody does not push out what single requests come back for.
    assert len(home.shelf) == made
    assert {one["status"] for one in results} == {200}
    for request, result in zip(requests, results, strict=True):
        name = request.pop("customer_id")
        alone = own(client.get(f"/recommend/{name}", params=request).json())
        many = own(result["list"])
        for one, two in zip(many.pop("offers"), alone.pop("offers"), strict=True):
            # Sums of a matrix product may differ in their last digit from those of a row.
            assert one.pop("score") == pytest.approx(two.pop("score"), rel=1e-12)
            assert one.pop("contributions") == pytest.approx(two.pop("contributions"), rel=1e-9)
            assert one == two
        assert many == alone


def test_no_lists_at_once_are_no_mistake(client: TestClient) -> None:
    assert client.post("/recommend", json={"requests": []}).json() == {"results": []}


def test_too_many_lists_at_once_are_refused(client: TestClient) -> None:
    requests = [{"customer_id": "c0000004"}] * 257
    assert client.post("/recommend", json={"requests": requests}).status_code == 422


def test_what_is_told_for_one_list_is_not_kept(home: House, client: TestClient) -> None:
    told = {"customer_id": "nobody", "profile": {"age": 27}}
    client.post("/recommend", json={"requests": [told]})
    assert client.get("/recommend/nobody").json()["strategy"] == "popularity"
    assert home.store.find_everywhere("nobody") == {}
