"""Values that one database keeps and another refuses, or whose meaning is a guess: both refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.house import House
from data.dataset import Dataset
from data.store import Store
from recommender.bundle import Bundle
from recommender.service import Service
from tests.contract.conftest import postgres, url

__all__ = ["postgres", "url"]

OFFER = "a new offer"


@pytest.fixture
def client(url: str, small_bundle: Bundle, small_dataset: Dataset) -> Iterator[TestClient]:
    store = Store.open(url)
    home = House(small_bundle, Service(small_bundle), store, at=small_bundle.moment)
    with TestClient(create_app(home), raise_server_exceptions=False) as made:
        assert made.put(f"/offers/{OFFER}", json={"title": "New"}).status_code == 201
        yield made


def send(client: TestClient, method: str, path: str, body: Any) -> Any:
    headers = {"content-type": "application/json"}
    return client.request(method, path, content=json.dumps(body), headers=headers)


ODD_TEXT = ["a\x00b", "\x00", "\ud800", 7, True, ["a"], {"a": 1}]
ODD_NUMBER = ["3", "NaN", True, float("nan"), float("inf"), -float("inf"), 10**400, 1e300, [1]]
ODD_TIME = [
    1735689600, 1.5, "1735689600", "1e400", True, "", "2025-13-45T00:00:00Z", "0001-01-01",
    "9999-12-31T23:59:59-14:00", "2025-01-01T00:00:00+99:99", "\ud800", "yesterday",
]  # fmt: skip
EVENT = {"customer_id": "a", "offer_id": OFFER, "event_type": "click"}
LINE = {"customer_id": "a", "amount": 1}
ROWS = [
    *[("events", EVENT, name, ODD_TEXT) for name in ("policy", "event_id", "decision_id")],
    *[("events", EVENT, name, ODD_NUMBER) for name in ("value", "position", "propensity")],
    *[("events", EVENT, name, ODD_TEXT) for name in ("customer_id", "offer_id", "event_type")],
    *[("transactions", LINE, name, ODD_TEXT) for name in ("category", "merchant", "channel")],
    *[("transactions", LINE, name, ODD_TEXT) for name in ("customer_id", "transaction_id")],
    *[("transactions", LINE, name, ODD_NUMBER) for name in ("amount", "quantity", "discount")],
    ("events", EVENT, "occurred_at", ODD_TIME),
    ("transactions", LINE, "occurred_at", ODD_TIME),
]


def test_an_odd_value_costs_its_own_row_and_no_other(client: TestClient) -> None:
    for kind, good, name, odd in ROWS:
        rows = [good, *[{**good, name: value} for value in odd], good]
        answer = send(client, "POST", f"/{kind}", {kind: rows})
        assert answer.status_code == 202, (kind, name, answer.text)
        told = answer.json()
        assert told["accepted"] == 2, (kind, name, told)
        places = [one["index"] for one in told["rejected"]]
        assert places == list(range(1, len(odd) + 1)), (kind, name, told)


@pytest.mark.parametrize(("method", "path"), [("PUT", "/customers/odd"), ("POST", "/onboarding")])
def test_an_odd_profile_or_answer_is_refused_and_nothing_written(
    client: TestClient, method: str, path: str
) -> None:
    bodies: list[Any] = [
        *[{"profile": {name: value}} for name in ("gender", "city") for value in ODD_TEXT],
        *[{"profile": {"age": value}} for value in ODD_NUMBER],
        *[{"profile": {"annual_income": value}} for value in ODD_NUMBER],
        *[{"profile": {"spending_score": value}} for value in ODD_NUMBER],
        {"answers": {"category:a\x00": "yes"}},
        {"answers": {"category:a\nb": "yes"}},
        {"answers": {"category:" + "x" * 192: "yes"}},
        {"answers": {"category:": "yes"}},
        {"answers": {"category:\ud800": "yes"}},
        {"\ud800": 1},
    ]
    for body in bodies:
        odd = body if path != "/onboarding" else {"customer_id": "odd", **body}
        answer = send(client, method, path, odd)
        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED"), body
    assert client.get("/customers/odd").status_code == 404


def test_an_odd_offer_is_refused_and_nothing_written(client: TestClient) -> None:
    texts, numbers = ("title", "category", "merchant", "kind"), ("discount", "reward", "min_spend")
    bodies: list[Any] = [
        *[{name: value} for name in texts for value in ODD_TEXT],
        *[{name: value} for name in numbers for value in ODD_NUMBER],
        *[{"valid_from": value} for value in ODD_TIME],
        *[{"items": [value]} for value in ODD_TEXT],
        *[{"tags": [value]} for value in ODD_TEXT],
        {"repeatable": "yes"},
        {"repeatable": 1},
    ]
    for body in bodies:
        answer = send(client, "PUT", "/offers/odd", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED"), body
    assert client.get("/offers/odd").status_code == 404


def test_white_space_around_an_id_is_no_part_of_it(client: TestClient) -> None:
    event = {"customer_id": " spaced\t", "offer_id": f"{OFFER} ", "event_type": "redemption"}
    line = {"customer_id": "spaced ", "amount": 1, "transaction_id": " t1 "}
    events = [event, event | {"event_id": "e1"}, event | {"event_id": "e1 "}]
    assert client.post("/events", json={"events": events}).json()["duplicates"] == 1
    lines = [line, line | {"transaction_id": "t1"}]
    assert client.post("/transactions", json={"transactions": lines}).json()["accepted"] == 2
    put = client.put("/customers/spaced%20", json={"answers": {" category:a ": " yes "}})
    assert put.status_code == 200, "known by what was recorded"
    known = client.get("/customers/%20spaced").json()
    assert (known["customer_id"], known["answers"]) == ("spaced", {"category:a": "yes"})
    assert (known["interactions"]["redemption"], known["transactions"]) == (2, 1)
    for name in ("spaced", "spaced%20", "spaced%20?n=100"):
        told = client.get(f"/recommend/{name}").json()
        assert (told["customer_id"], told["known"]) == ("spaced", True)
        assert OFFER not in [one["offer_id"] for one in told["offers"]], "taken once already"
    assert client.delete("/customers/spaced%20").json()["rows"]["interactions"] == 2
    assert client.get("/customers/spaced").status_code == 404


def test_an_id_of_white_space_alone_is_refused(client: TestClient) -> None:
    for path in ("/recommend/%20", "/recommend/%20?n=3", "/customers/%20%20"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED"), path
    for kind, row in (("events", EVENT), ("transactions", LINE)):
        told = client.post(f"/{kind}", json={kind: [row | {"customer_id": " "}, row]}).json()
        assert (told["accepted"], told["rejected"][0]["code"]) == (1, "INVALID_ROW")


def test_white_space_around_a_text_is_no_part_of_it_and_one_of_nothing_else_is_none(
    client: TestClient,
) -> None:
    stated = {"category": " travel ", "kind": "cashback ", "merchant": " ", "tags": [" sun "]}
    kept = client.put("/offers/spaced%20", json=stated | {"items": [" i1"]}).json()
    assert (kept["offer_id"], kept["category"], kept["kind"]) == ("spaced", "travel", "cashback")
    assert (kept["merchant"], kept["tags"], kept["items"]) == (None, ["sun"], ["i1"])
    for wish in ("travel", "travel%20"):
        listed = client.get(f"/recommend/somebody?n=100&category={wish}").json()["offers"]
        assert "spaced" in [one["offer_id"] for one in listed]
    assert client.put("/offers/spaced", json={"tags": "a| |b"}).json()["tags"] == ["a", "b"]
    put = client.put("/customers/vain", json={"profile": {"city": " ", "gender": " f "}})
    assert put.json()["profile"] == {"gender": "f"}


@pytest.mark.parametrize("name", ["%00", "a%00b", "%1F", "somebody%0A"])
def test_an_id_that_no_database_keeps_leaves_the_database_in_use(
    client: TestClient, name: str
) -> None:
    for path in ("/recommend/", "/customers/", "/offers/"):
        assert client.get(path + name).status_code == 400
    assert "degraded" not in client.get("/recommend/somebody").json()


@pytest.mark.parametrize("depth", [100, 900, 5000, 100_000])
def test_a_deep_body_is_refused(client: TestClient, depth: int) -> None:
    body = '{"events": [{"customer_id": ' + "[" * depth + "]" * depth + "}]}"
    headers = {"content-type": "application/json"}
    answer = client.post("/events", content=body, headers=headers)
    assert answer.status_code in (202, 400)
    assert answer.json().get("accepted", 0) == 0
