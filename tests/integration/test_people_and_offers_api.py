"""`/customers`, `/offers` and `/anomalies`: read, put, erased, paged; every kind of bad input."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.erasures import THREADS, WAITING
from api.house import House
from data.dataset import Dataset
from data.store import Store
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.storage.model_folder import load, save
from recommender.storage.one_writer import one_writer
from recommender.storage.searching import find_in_files


@pytest.fixture
def folder(small_bundle: Bundle, tmp_path: Path) -> Path:
    save(small_bundle, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def home(folder: Path, small_store: Store) -> House:
    bundle = load(folder)
    return House(bundle, Service(bundle), small_store, at=bundle.moment, folder=folder)


@pytest.fixture
def client(home: House) -> Iterator[TestClient]:
    with TestClient(create_app(home), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def known(small_bundle: Bundle) -> str:
    return str(small_bundle.customers.ids[3])


def test_a_customer_is_told_with_segment_and_doubt(
    client: TestClient, known: str, small_dataset: Dataset
) -> None:
    answer = client.get(f"/customers/{known}").json()
    listed = client.get(f"/recommend/{known}").json()
    assert answer["segment"]["name"] == listed["segment"]["name"]
    assert 0.5 <= answer["segment"]["confidence"] <= 1
    assert answer["segment"]["runner_up"]["id"] != answer["segment"]["id"]
    own = small_dataset.interactions[small_dataset.interactions["customer_id"] == known]
    assert {k: n for k, n in answer["interactions"].items() if n} == dict(
        own["event_type"].value_counts()
    )
    assert answer["segment"]["reasons"]
    lines = small_dataset.transactions[small_dataset.transactions["customer_id"] == known]
    assert answer["transactions"] == lines["transaction_id"].nunique()
    assert answer["features"]["number_of_transactions"] == answer["transactions"]


def test_an_anomaly_is_told_with_its_reasons(client: TestClient) -> None:
    page = client.get("/anomalies").json()
    first = page["anomalies"][0]
    assert first["reasons"]
    told = client.get(f"/customers/{first['customer_id']}").json()["anomaly"]
    assert told == {name: first[name] for name in ("kind", "score", "p_value", "reasons")}


def test_a_customer_is_put_and_updated(client: TestClient) -> None:
    path = f"/customers/{quote('Zoë/7 ☕', safe='')}"
    assert client.get(path).json()["code"] == "NO_CUSTOMER"
    made = client.put(path, json={"profile": {"age": 33, "city": "Ulm"}})
    assert (made.status_code, made.json()["customer_id"]) == (201, "Zoë/7 ☕")
    again = client.put(path, json={"answers": {"category:travel": "yes"}})
    assert again.status_code == 200
    assert again.json()["profile"] == {"age": 33, "city": "Ulm"}
    assert again.json() == client.get(path).json()
    assert client.get(f"/recommend/{quote('Zoë/7 ☕', safe='')}").json()["known"] is True


@pytest.mark.parametrize(
    "body",
    [
        {"profile": {"age": 121}},
        {"profile": {"shoe": 43}},
        {"answers": {"category:a": "maybe"}},
        [],
        7,
    ],
)
def test_a_bad_customer_is_refused(client: TestClient, body: Any) -> None:
    answer = client.put("/customers/new", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    assert client.get("/customers/new").status_code == 404


def test_an_erased_customer_is_nowhere(
    client: TestClient, known: str, folder: Path, tmp_path: Path
) -> None:
    before = client.get(f"/recommend/{known}").json()
    assert before["known"] is True
    receipt = client.delete(f"/customers/{known}")
    assert receipt.status_code == 200
    assert receipt.json()["rows"]["interactions"] > 0
    assert list(receipt.json()["models"].values()) == [True]
    assert known not in receipt.text
    after = client.get(f"/recommend/{known}").json()
    assert after["known"] is False
    assert after["strategy"] == "popularity"
    assert client.get(f"/customers/{known}").status_code == 404
    again = client.delete(f"/customers/{known}").json()  # whatever may be left is looked for again
    assert set(again["rows"].values()) | set(again["models"].values()) == {0}
    assert find_in_files(tmp_path, known) == []
    assert known not in {
        one["customer_id"] for one in client.get("/anomalies?limit=200").json()["anomalies"]
    }


def test_nothing_of_the_erased_stays_in_memory(home: House, client: TestClient, known: str) -> None:
    client.get(f"/recommend/{known}")
    customers = home.bundle.customers
    held = [weakref.ref(part) for part in (customers.ids, customers.features, home.bundle)]
    del customers
    client.delete(f"/customers/{known}")
    assert [one() for one in held] == [None] * len(held)
    assert len(home.shelf) == 0


def test_an_erasure_that_stopped_half_way_is_finished_by_the_next(
    client: TestClient, known: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("recommender.storage.erasure.write", no_space)
        answer = client.delete(f"/customers/{known}")
    assert (answer.status_code, answer.json()["code"]) == (503, "STORAGE_AWAY")
    assert answer.headers["retry-after"]
    again = client.delete(f"/customers/{known}").json()
    assert list(again["models"].values()) == [True]
    assert not any(again["rows"].values())
    assert find_in_files(tmp_path, known) == []


def test_an_erasure_waits_for_who_writes_models_and_nobody_waits_for_it(
    client: TestClient, known: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.house.WRITER_WAIT", 1.0)
    # Held as by a training that stores its model.
    with ThreadPoolExecutor(2) as pool, one_writer(folder):
        waiting = [pool.submit(client.delete, f"/customers/{name}") for name in (known, "x")]
        time.sleep(0.1)
        assert client.get("/health/live").status_code == 200
        assert client.get(f"/recommend/{known}").status_code == 200
        assert not any(one.done() for one in waiting)
        answers = [one.result() for one in waiting]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "MODELS_BUSY")
        assert answer.headers["retry-after"]
    again = client.delete(f"/customers/{known}").json()
    assert list(again["models"].values()) == [True]


def test_who_waits_to_be_erased_is_not_served_meanwhile_nor_after(
    client: TestClient, known: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.house.WRITER_WAIT", 1.0)
    assert client.get(f"/recommend/{known}").json()["known"] is True

    def nowhere() -> bool:
        listed = client.get(f"/recommend/{known}").json()
        return client.get(f"/customers/{known}").status_code == 404 and not listed["known"]

    with ThreadPoolExecutor(1) as pool, one_writer(folder):
        waiting = pool.submit(client.delete, f"/customers/{known}")
        end = time.monotonic() + 0.8
        while not nowhere() and time.monotonic() < end:
            time.sleep(0.02)
        assert not waiting.done()
        answer = waiting.result()
        assert (answer.status_code, answer.json()["code"]) == (503, "MODELS_BUSY")
        assert "out of the database" in answer.json()["detail"]
        assert "not out of the stored models" in answer.json()["detail"]
        assert nowhere()
    assert find_in_files(folder, known) != []
    assert client.delete(f"/customers/{known}").status_code == 200
    assert find_in_files(folder, known) == []


@pytest.mark.slow
def test_many_erasures_that_wait_keep_no_other_route_waiting(
    client: TestClient, home: House, known: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.house.WRITER_WAIT", 2.0)
    most = THREADS + WAITING
    begun = time.monotonic()
    with ThreadPoolExecutor(45) as pool, one_writer(folder):
        waiting = [pool.submit(client.delete, f"/customers/x{one}") for one in range(45)]
        refused = [one.result() for one in islice(as_completed(waiting), 45 - most)]
        for path in ("/segments", f"/customers/{known}", "/offers", "/health/live"):
            assert client.get(path).status_code == 200
        assert sum(not one.done() for one in waiting) == most
        for answer in refused:
            assert (answer.status_code, answer.json()["code"]) == (503, "MODELS_BUSY")
            assert "nothing of this one was done" in answer.json()["detail"]
            assert answer.headers["retry-after"]
        assert {one.result().status_code for one in waiting} == {503}
        # Who waited for a thread waits no longer for the folder than who got one at once.
        assert time.monotonic() - begun < 2 * 2.0
    assert [client.delete(f"/customers/x{one}").status_code for one in range(most + 1)] == [200] * (
        most + 1
    )


def test_who_is_in_an_older_model_alone_can_be_erased(
    home: House, client: TestClient, known: str, folder: Path, tmp_path: Path
) -> None:
    home.store.erase_customer(known)
    save(replace(home.bundle.without(known), created_at="2030-01-01T00:00:00+00:00"), folder)
    home.look()
    assert client.get(f"/customers/{known}").status_code == 404
    assert find_in_files(folder, known) != []
    assert any(client.delete(f"/customers/{known}").json()["models"].values())
    assert find_in_files(folder, known) == []


def test_a_new_offer_is_listed_on_the_next_request_and_can_be_redeemed(
    client: TestClient, known: str
) -> None:
    popular = client.get(f"/recommend/{known}").json()["offers"][0]["category"]
    body = {"title": "Brand new <b>", "category": popular, "tags": ["a", "b"], "items": ["i1"]}
    made = client.put("/offers/brand/new", json=body)
    assert made.status_code == 201
    assert made.json() == client.get("/offers/brand/new").json()
    assert made.json()["tags"] == ["a", "b"]
    assert made.json() in client.get("/offers?limit=200").json()["offers"]
    listed = client.get(f"/recommend/{known}?n=100").json()["offers"]
    assert "brand/new" in {one["offer_id"] for one in listed}
    event = {"customer_id": known, "offer_id": "brand/new", "event_type": "redemption"}
    assert client.post("/events", json={"events": [event]}).json()["accepted"] == 1
    listed = client.get(f"/recommend/{known}?n=100").json()["offers"]
    assert "brand/new" not in {one["offer_id"] for one in listed}


def test_an_offer_that_is_put_again_changes_at_once(client: TestClient, known: str) -> None:
    listed = client.get(f"/recommend/{known}").json()["offers"][0]["offer_id"]
    ended = {"title": "Over", "valid_until": "2000-01-01T00:00:00Z"}
    answer = client.put(f"/offers/{listed}", json=ended)
    assert answer.status_code == 200
    again = client.get(f"/recommend/{known}?n=100").json()["offers"]
    assert listed not in {one["offer_id"] for one in again}
    assert client.get(f"/offers/{listed}").json()["title"] == "Over"


def test_what_is_left_out_of_an_offer_stays_though_only_the_model_knows_it(
    client: TestClient, home: House, tmp_path: Path
) -> None:
    def told() -> Any:
        return client.get(f"/offers/{name}").json()

    held = {row["offer_id"]: row["items"] for row in home.store.offers()}
    name = max(held, key=lambda one: len(held[one]))
    loaded, asked = home.store, f"/recommend/nobody?n=100&category={told()['category']}"
    was, before = told(), client.get(asked).json()["offers"]
    home.store = Store.open(f"sqlite:///{tmp_path / 'nothing.db'}")  # the model was made elsewhere
    for _ in range(2):
        assert client.put(f"/offers/{name}", json={"title": was["title"]}).status_code == 200
        assert told() == was
        assert client.get(asked).json()["offers"] == before
        if home.store is not loaded:
            home.store.close()
        home.store = loaded
    answer = client.put(f"/offers/{name}", json={"title": "Changed", "category": None}).json()
    assert answer == told() == was | {"title": "Changed", "category": None}
    assert name not in {one["offer_id"] for one in client.get(asked).json()["offers"]}


def test_a_date_is_judged_beside_the_one_that_is_kept(client: TestClient) -> None:
    def put(**dates: str | None) -> Any:
        return client.put("/offers/dated", json=dates)

    def told() -> tuple[str | None, str | None]:
        answer = client.get("/offers/dated").json()
        return answer["valid_from"], answer["valid_until"]

    old = ("2025-01-01T00:00:00Z", "2025-03-01T00:00:00Z")
    assert put(valid_from="2025-01-01", valid_until="2025-03-01").status_code == 201
    refused = put(valid_from="2026-01-01")
    assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION_FAILED")
    (error,) = refused.json()["errors"]
    assert error["at"] == "body.valid_from"
    assert "stays at 2025-03-01T00:00:00+00:00" in error["problem"]
    assert "state valid_until as well, null for no end" in error["problem"]
    assert put(valid_from="2025-03-01").status_code == 422
    assert told() == old
    assert put(valid_from="2025-02-01").status_code == 200
    assert put(title="New").status_code == 200
    assert put(valid_from="2199-01-01", valid_until=None).status_code == 200
    refused = put(valid_until="2198-01-01")
    assert (refused.status_code, refused.json()["errors"][0]["at"]) == (422, "body.valid_until")
    assert "state valid_from as well, null for no beginning" in refused.json()["detail"]
    assert told() == ("2199-01-01T00:00:00Z", None)
    assert put(valid_until="2025-01-01").status_code == 200  # it is over before it began
    assert put(valid_from="2199-01-02").status_code == 422
    assert put(valid_from=None).status_code == 200
    assert told() == (None, "2025-01-01T00:00:00Z")


def test_a_date_is_judged_beside_the_one_that_the_model_alone_keeps(
    client: TestClient, home: House, tmp_path: Path
) -> None:
    ended = home.bundle.offers.dropna(subset=["valid_until"]).iloc[0]
    home.store = Store.open(f"sqlite:///{tmp_path / 'nothing.db'}")
    late = {"valid_from": ended["valid_until"].isoformat()}
    assert client.put(f"/offers/{ended['offer_id']}", json=late).status_code == 422
    assert home.store.offer(ended["offer_id"]) is None
    home.store.close()


def test_a_moment_is_of_our_time_as_seen_in_utc(client: TestClient) -> None:
    early = client.put("/offers/edge", json={"valid_from": "1900-01-01T00:00:00+14:00"})
    assert (early.status_code, early.json()["code"]) == (422, "VALIDATION_FAILED")
    edges = {
        "valid_from": "1899-12-31T23:00:00-14:00",
        "valid_until": "2200-12-31T23:59:59-14:00",
    }
    made = client.put("/offers/edge", json=edges)
    told = {name: made.json()[name] for name in edges}
    assert (made.status_code, told["valid_from"]) == (201, "1900-01-01T13:00:00Z")
    again = client.put("/offers/edge", json=told)
    assert (again.status_code, {name: again.json()[name] for name in edges}) == (200, told)


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-05:00"])
def test_an_offer_without_an_end_may_say_so_by_the_year_9999(
    client: TestClient, known: str, end: str
) -> None:
    popular = client.get(f"/recommend/{known}").json()["offers"][0]["category"]
    body = {"title": "For ever", "category": popular, "valid_until": end, "min_spend": 2e10}
    made = client.put("/offers/for/ever", json=body)
    assert (made.status_code, made.json()["valid_until"]) == (201, "9999-12-31T23:59:59Z")
    again = {name: made.json()[name] for name in body}
    assert client.put("/offers/for/ever", json=again).json() == made.json()
    listed = client.get(f"/recommend/{known}?n=100").json()["offers"]
    assert "for/ever" in {one["offer_id"] for one in listed}


@pytest.mark.parametrize(
    "body",
    [
        {"discount": 1.5},
        {"discount": float("nan")},
        {"valid_from": "2026-02-01T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z"},
        {"items": ["i"] * 1001},
        {"tags": ["a|b"]},
        {"colour": "red"},
        {"title": "x" * 201},
        {"reward": 1e300},
    ],
)
def test_a_bad_offer_is_refused(client: TestClient, body: dict[str, Any]) -> None:
    answer = client.put(
        "/offers/bad", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    assert client.get("/offers/bad").json()["code"] == "NO_OFFER"


@pytest.mark.parametrize(("path", "name"), [("/offers", "offer_id"), ("/anomalies", "customer_id")])
def test_pages_hold_everything_once(client: TestClient, path: str, name: str) -> None:
    field = path.removeprefix("/")
    whole = [one[name] for one in client.get(f"{path}?limit=200").json()[field]]
    seen: list[str] = []
    after = None
    while True:
        query = f"?limit=3&after={quote(after)}" if after else "?limit=3"
        page = client.get(path + query).json()
        seen += [one[name] for one in page[field]]
        after = page["next"]
        if after is None:
            break
    assert seen == whole
    assert len(set(seen)) == len(seen) > 3


def test_anomalies_of_one_kind_and_of_none_there_is(client: TestClient) -> None:
    for kind in ("possible fraud", "at risk"):
        page = client.get("/anomalies", params={"kind": kind}).json()
        assert {one["kind"] for one in page["anomalies"]} <= {kind}
    assert client.get("/anomalies?kind=magic").status_code == 422
    assert client.get("/anomalies?after=nobody").status_code == 422
    assert client.get("/anomalies?limit=201").status_code == 422


def test_a_page_goes_on_where_the_one_before_ended_though_its_last_was_erased(
    client: TestClient,
) -> None:
    whole = [one["customer_id"] for one in client.get("/anomalies?limit=200").json()["anomalies"]]
    first = client.get("/anomalies?limit=2").json()
    assert client.delete(f"/customers/{whole[1]}").status_code == 200
    rest = client.get("/anomalies", params={"limit": 200, "after": first["next"]}).json()
    assert [one["customer_id"] for one in rest["anomalies"]] == whole[2:]
    assert rest["next"] is None
