"""Customers, offers and odd customers of every name, also where a part of the house is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.house import House
from api.served import serve
from data.dataset import Dataset
from data.store import Store
from recommender.bundle import Bundle
from recommender.storage import erasure
from segmentation.kinds import KINDS

KNOWN = "c0000004"


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("name", ["ünïcode", "a/b", "../../etc/passwd", "<b>", "'; --", "a b?#&"])
def test_a_customer_of_any_name_is_put_told_and_erased(
    world_client: TestClient, world_home: House, name: str
) -> None:
    path = f"/customers/{quote(name, safe='')}"
    body = {"profile": {"age": 30, "spending_score": 80}, "answers": {"category:travel": "yes"}}
    first = world_client.put(path, json=body)
    assert (first.status_code, first.json()["customer_id"]) == (201, name)
    assert first.json()["segment"]["reasons"]
    receipt = world_client.delete(path).json()
    assert receipt["rows"]["customers"] == 1
    assert name not in str(receipt.values())
    assert code_of(world_client.get(path)) == (404, "NO_CUSTOMER")
    assert world_home.store.find_everywhere(name) == {}


def test_whoever_stands_in_an_older_model_only_is_erased_from_it(
    world_client: TestClient, world_home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = str(world_home.bundle.customers.ids[7])

    def full(*_: object) -> None:
        raise OSError(28, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "write_whole", full)
        answer = world_client.delete(f"/customers/{name}")
    assert code_of(answer) == (503, "STORAGE_AWAY")
    assert answer.headers["retry-after"]
    receipt = world_client.delete(f"/customers/{name}").json()
    assert list(receipt["models"].values()) == [True]
    assert name not in world_home.bundle.customer_ids


def test_reasons_tell_what_speaks_for_a_segment_and_what_would_change_it(
    world_client: TestClient,
) -> None:
    segment = world_client.get(f"/customers/{KNOWN}").json()["segment"]
    *speaking, move = segment["reasons"]
    assert all(" on average " in reason for reason in speaking)
    assert move.startswith("With ")
    others = {one["name"] for one in world_client.get("/segments").json()} - {segment["name"]}
    assert any(move.endswith(f"would be {name}.") for name in others)


def test_a_model_alone_tells_its_customers_and_offers(
    small_bundle: Bundle, small_dataset: Dataset, tmp_path: Path
) -> None:
    items = small_dataset.offer_items.groupby("offer_id")["item_id"].agg(sorted).to_dict()
    store = Store.open(f"sqlite:///{tmp_path / 'empty.db'}")
    with TestClient(create_app(House(small_bundle, serve(small_bundle, None), store))) as client:
        told = client.get(f"/customers/{KNOWN}").json()
        assert told["profile"] == {}
        assert told["segment"]["reasons"]
        offers = client.get("/offers?limit=200").json()["offers"]
        assert [one["offer_id"] for one in offers] == sorted(small_bundle.offers["offer_id"])
        assert {one["offer_id"]: one["items"] for one in offers if one["items"]} == items
        assert client.get(f"/offers/{offers[0]['offer_id']}").json() == offers[0]


def test_an_offer_of_the_model_alone_may_end_in_the_year_9999(
    small_bundle: Bundle, tmp_path: Path
) -> None:
    offers = small_bundle.offers.copy()
    name = str(offers["offer_id"].iloc[0])
    offers.loc[0, "valid_until"] = pd.Timestamp("9999-12-31", tz="UTC").as_unit("us")
    bundle = replace(small_bundle, offers=offers)
    store = Store.open(f"sqlite:///{tmp_path / 'empty.db'}")
    home = House(bundle, serve(bundle, None), store)
    with TestClient(create_app(home), raise_server_exceptions=False) as client:
        answer = client.put(f"/offers/{name}", json={"title": "X"})
        assert (answer.status_code, answer.json()["title"]) == (200, "X")
        assert answer.json()["valid_until"] == "9999-12-31T00:00:00Z"
        assert answer.json() == client.get(f"/offers/{name}").json()


def test_odd_customers_by_kind_add_up(world_client: TestClient) -> None:
    told = {
        kind: world_client.get("/anomalies", params={"kind": kind, "limit": 200}).json()
        for kind in KINDS
    }
    for kind, page in told.items():
        assert {one["kind"] for one in page["anomalies"]} <= {kind}
    everybody = world_client.get("/anomalies?limit=1").json()
    assert sum(page["total"] for page in told.values()) == everybody["total"] > 1
    assert everybody["anomalies"][0]["customer_id"] not in everybody["next"]


@pytest.mark.parametrize("after", ["x", "1~2", "~~", "0x1p99999~1", "²~1", "nan~0", "0x.p1~1"])
def test_a_cursor_that_was_not_given_out_is_refused(world_client: TestClient, after: str) -> None:
    answer = world_client.get("/anomalies", params={"after": after})
    assert code_of(answer) == (422, "UNKNOWN_CURSOR")


def test_tags_of_an_offer_may_come_as_in_the_tables(world_client: TestClient) -> None:
    made = world_client.put("/offers/tagged", json={"tags": "city|weekend|", "items": ["b", "a"]})
    assert (made.json()["tags"], made.json()["items"]) == (["city", "weekend"], ["a", "b"])


def test_null_empties_whatever_an_offer_states(world_client: TestClient) -> None:
    stated: dict[str, Any] = {
        "title": "a", "category": "b", "tags": ["c"], "merchant": "d", "kind": "e", "discount": 0.1,
        "reward": 1, "cost": 2, "margin": 3, "min_spend": 4, "valid_from": "2025-01-01T00:00:00Z",
        "valid_until": "2026-01-01T00:00:00Z", "repeatable": True, "max_redemptions": 5,
        "items": ["f"],
    }  # fmt: skip
    made = world_client.put("/offers/emptied", json=stated).json()
    assert stated.items() <= made.items()
    answer = world_client.put("/offers/emptied", json=dict.fromkeys(stated))
    assert answer.status_code == 200
    empty = {"tags": [], "items": [], "repeatable": False}
    assert answer.json() == made | dict.fromkeys(stated) | empty
    assert answer.json() == world_client.get("/offers/emptied").json()


def test_an_offer_that_was_loaded_after_training_takes_events(
    world_client: TestClient, world_home: House
) -> None:
    loaded = pd.DataFrame({"offer_id": ["loaded"], "title": ["Loaded"]}, dtype="str")
    world_home.store.load(Dataset.of({"offers": loaded}))
    event = {"customer_id": "a", "offer_id": "loaded", "event_type": "click"}
    answer = world_client.post("/events", json={"events": [event, {**event, "offer_id": "none"}]})
    assert answer.json()["accepted"] == 1
    assert [one["code"] for one in answer.json()["rejected"]] == ["UNKNOWN_OFFER"]


def test_a_bad_update_changes_nothing(world_client: TestClient) -> None:
    early = {"profile": {"signup_at": "2199-01-01T00:00:00Z"}}
    for body in (
        {"profile": {"age": 1e300}},
        early,
        {"answers": {"who": "yes"}},
        {"extra": 1},
        "x",
    ):
        answer = world_client.put("/customers/nobody-yet", json=body)
        assert code_of(answer) == (422, "VALIDATION_FAILED")
    assert world_client.get("/customers/nobody-yet").status_code == 404
