"""Customers, offers and odd customers over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.house import House, serve
from data.store import Store
from recommender.bundle import Bundle
from segmentation.kinds import KINDS

KNOWN = "c0000004"


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_customer_is_told_with_segment_reasons_and_counts(
    world_client: TestClient, small_world: dict[str, pd.DataFrame]
) -> None:
    told = world_client.get(f"/customers/{KNOWN}").json()
    assert told["in_model"] is True
    listed = world_client.get(f"/recommend/{KNOWN}").json()
    assert {name: told["segment"][name] for name in ("id", "name")} == listed["segment"]
    assert 0.5 <= told["segment"]["confidence"] <= 1
    assert told["segment"]["reasons"]
    mine = small_world["interactions"].query("customer_id == @KNOWN")["event_type"].value_counts()
    assert told["events"] == {
        name: int(mine.get(name, 0)) for name in ("impression", "click", "redemption")
    }
    lines = small_world["transactions"].query("customer_id == @KNOWN")
    assert told["transactions"] == lines["transaction_id"].nunique()
    assert told["profile"]["age"] == told["features"]["age"]


def test_a_stranger_is_not_found(world_client: TestClient) -> None:
    assert code_of(world_client.get("/customers/nobody")) == (404, "NO_CUSTOMER")


@pytest.mark.parametrize("name", ["ünïcode", "a/b", "../../etc/passwd", "<b>", "'; --", "a b?#&"])
def test_a_customer_of_any_name_is_put_told_and_erased(
    world_client: TestClient, world_home: House, name: str
) -> None:
    path = f"/customers/{quote(name, safe='')}"
    body = {"profile": {"age": 30, "spending_score": 80}, "answers": {"category:travel": "yes"}}
    first = world_client.put(path, json=body)
    assert first.status_code == 201
    assert first.json()["customer_id"] == name
    assert first.json()["segment"]["name"]
    again = world_client.put(path, json={"profile": {"age": 31}})
    assert again.status_code == 200
    assert again.json()["profile"] == {"age": 31, "spending_score": 80}
    assert world_client.get(path).json() == again.json()
    receipt = world_client.delete(path).json()
    assert receipt["rows"]["customers"] == 1
    assert name not in str(receipt.values())
    assert code_of(world_client.get(path)) == (404, "NO_CUSTOMER")
    assert world_home.store.find_everywhere(name) == {}


def test_an_update_is_in_the_next_list(world_client: TestClient) -> None:
    world_client.put("/customers/visitor", json={})
    before = world_client.get("/recommend/visitor").json()
    assert before["known"] is True
    world_client.put("/customers/visitor", json={"profile": {"age": 25, "annual_income": 90}})
    after = world_client.get("/recommend/visitor").json()
    assert after["strategy"] != before["strategy"]


def test_whoever_was_trained_on_is_erased_from_the_model(
    world_client: TestClient, world_home: House, small_bundle: Bundle
) -> None:
    quiet = small_bundle.anomalies[~small_bundle.anomalies["flagged"].astype(bool)]
    name = str(quiet["customer_id"].iloc[-1])
    receipt = world_client.delete(f"/customers/{name}").json()
    assert list(receipt["models"].values()) == [True]
    assert world_client.get(f"/customers/{name}").status_code == 404
    assert world_client.get(f"/recommend/{name}").json()["known"] is False
    assert name not in world_home.bundle.customer_ids


@pytest.mark.parametrize(
    "body",
    [
        {"profile": {"age": -1}},
        {"profile": {"age": 1e300}},
        {"answers": {"who": "yes"}},
        {"extra": 1},
        [],
        "x",
    ],
)
def test_a_bad_update_changes_nothing(world_client: TestClient, body: object) -> None:
    answer = world_client.put("/customers/fresh", json=body)
    assert code_of(answer) == (422, "VALIDATION_FAILED")
    assert world_client.get("/customers/fresh").status_code == 404


def test_segments_of_the_model_alone_and_without_a_recommender(
    small_bundle: Bundle, tmp_path: Path
) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'empty.db'}")
    with TestClient(create_app(House(small_bundle, serve(small_bundle, None), store))) as client:
        told = client.get(f"/customers/{KNOWN}").json()
        assert told["in_model"] is True
        assert told["profile"] == {}
        assert told["segment"]["reasons"]
        offers = client.get("/offers?limit=200").json()["offers"]
        assert [one["offer_id"] for one in offers] == sorted(small_bundle.offers["offer_id"])
        assert offers[0]["items"] is None


def test_odd_customers_are_paged_the_oddest_first(
    world_client: TestClient, small_bundle: Bundle
) -> None:
    table = small_bundle.anomalies
    expected = table[table["flagged"].astype(bool)]["customer_id"].tolist()
    assert expected, "the small world has odd customers"
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = world_client.get("/anomalies", params={"limit": 2, **after}).json()
        assert page["total"] == len(expected)
        assert len(page["anomalies"]) <= 2
        found += [one["customer_id"] for one in page["anomalies"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
        assert not any(name in page["next"] for name in expected)
    assert found == expected
    first = world_client.get(f"/customers/{expected[0]}").json()["anomaly"]
    assert first["kind"] in KINDS
    assert first["reasons"]


def test_odd_customers_of_one_kind(world_client: TestClient) -> None:
    told = {
        kind: world_client.get("/anomalies", params={"kind": kind, "limit": 200}).json()
        for kind in KINDS
    }
    for kind, page in told.items():
        assert all(one["kind"] == kind for one in page["anomalies"])
    everybody = world_client.get("/anomalies").json()["total"]
    assert sum(page["total"] for page in told.values()) == everybody


@pytest.mark.parametrize("query", ["kind=odd", "limit=0", "limit=201", "limit=x"])
def test_a_bad_page_is_refused(world_client: TestClient, query: str) -> None:
    assert code_of(world_client.get(f"/anomalies?{query}")) == (422, "VALIDATION_FAILED")


@pytest.mark.parametrize("after", ["x", "1~2", "~~", "0x1p999999~0x0~1", "²~1~1", "nan~inf~0"])
def test_a_cursor_that_was_not_given_out_is_refused(world_client: TestClient, after: str) -> None:
    answer = world_client.get("/anomalies", params={"after": after})
    assert code_of(answer) == (422, "BAD_CURSOR")


OFFER = {
    "title": "<b>Two</b> for one",
    "category": "travel",
    "tags": "city | weekend|city|",
    "discount": 0.5,
    "valid_until": "2190-01-01T00:00:00+02:00",
    "items": ["i2", "i1", "i1"],
}


def test_an_offer_is_put_told_listed_and_takes_events(world_client: TestClient) -> None:
    first = world_client.put("/offers/two%2Fone", json=OFFER)
    assert first.status_code == 201
    told = first.json()
    assert told["offer_id"] == "two/one"
    assert told["tags"] == ["city", "weekend"]
    assert told["items"] == ["i1", "i2"]
    assert told["valid_until"] == "2189-12-31T22:00:00Z"
    assert world_client.get("/offers/two%2Fone").json() == told
    event = {"customer_id": "a", "offer_id": "two/one", "event_type": "click"}
    taken = world_client.post("/events", json={"events": [event]}).json()
    assert taken == {"accepted": 1, "duplicates": 0, "rejected": []}
    listed = world_client.get("/recommend/nobody?n=100").json()["offers"]
    assert "two/one" in [one["offer_id"] for one in listed]
    again = world_client.put("/offers/two%2Fone", json={"title": "Plain"})
    assert again.status_code == 200
    assert (again.json()["tags"], again.json()["items"]) == ([], [])
    assert world_client.get("/offers/two%2Fone").json() == again.json()


def test_an_offer_of_the_model_is_changed_by_putting_it(world_client: TestClient) -> None:
    before = world_client.get("/offers/o00004").json()
    name = world_client.get("/offers?limit=1").json()["offers"][0]["offer_id"]
    assert world_client.put(f"/offers/{name}", json={"title": "Other"}).status_code == 200
    assert world_client.get(f"/offers/{name}").json()["title"] == "Other"
    assert before["code"] == "NO_OFFER"


def test_offers_are_paged_by_id(world_client: TestClient, small_bundle: Bundle) -> None:
    world_client.put("/offers/zz-last", json={"title": "Last"})
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = world_client.get("/offers", params={"limit": 7, **after}).json()
        found += [one["offer_id"] for one in page["offers"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert found == sorted({*small_bundle.offers["offer_id"], *found})
    assert found[-1] == "zz-last"
    assert set(small_bundle.offers["offer_id"]) < set(found)


@pytest.mark.parametrize(
    "body",
    [
        {"discount": 1.1},
        {"discount": "NaN"},
        {"reward": 1e300},
        {"title": ""},
        {"title": "x" * 301},
        {"tags": ["a|b"]},
        {"tags": ["x"] * 51},
        {"items": ["i"] * 1001},
        {"items": ["i\u0000"]},
        {"valid_from": "2025-02-01", "valid_until": "2025-01-01"},
        {"valid_from": "0001-01-01T00:00:00+14:00"},
        {"colour": "red"},
        {"repeatable": "perhaps"},
        None,
        [],
    ],
)
def test_a_bad_offer_is_refused_whole(world_client: TestClient, body: object) -> None:
    assert code_of(world_client.put("/offers/bad", json=body)) == (422, "VALIDATION_FAILED")
    assert code_of(world_client.get("/offers/bad")) == (404, "NO_OFFER")
