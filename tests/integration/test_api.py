"""The HTTP contract: every route, every kind of bad input, and lists that follow what happens."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.house import House
from api.limits import LARGEST_BODY
from data.dataset import Dataset
from data.store import Store
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.storage.model_folder import load, save
from recommender.training import train


@pytest.fixture(scope="module")
def bundle(small_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("model")
    save(small_bundle, folder)
    return load(folder)


@pytest.fixture
def client(bundle: Bundle, small_store: Store) -> Iterator[TestClient]:
    home = House(bundle, Service(bundle), small_store, at=bundle.moment)
    with TestClient(create_app(home), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def known(bundle: Bundle) -> str:
    return str(bundle.customers.ids[3])


def offers_of(answer: Any) -> list[str]:
    return [offer["offer_id"] for offer in answer["offers"]]


def test_a_list_has_the_fields_of_the_contract(client: TestClient, known: str) -> None:
    answer = client.get(f"/recommend/{known}", params={"n": 5}).json()
    assert set(answer) == {
        "request_id", "decision_id", "model_version", "generated_at", "customer_id", "known",
        "segment", "strategy", "calibrated", "offers",
    }  # fmt: skip
    assert answer["known"] is True
    assert answer["customer_id"] == known
    assert len(answer["offers"]) == 5
    for rank, offer in enumerate(answer["offers"], 1):
        assert set(offer) == {
            "rank", "offer_id", "title", "category", "score", "source", "contributions", "reasons",
        }  # fmt: skip
        assert offer["rank"] == rank
        assert offer["reasons"]
        total = sum(offer["contributions"].values())
        score = offer["score"]
        expected = math.log(score / (1 - score)) if answer["calibrated"] else score
        assert total == pytest.approx(expected, abs=1e-9)


def test_an_unknown_customer_gets_the_fallback(client: TestClient) -> None:
    answer = client.get("/recommend/nobody-knows-me")
    assert answer.status_code == 200
    assert answer.json()["known"] is False
    assert answer.json()["strategy"] == "popularity"
    assert len(answer.json()["offers"]) == 10


def test_the_wishes_of_a_request(client: TestClient, known: str) -> None:
    whole = client.get(f"/recommend/{known}", params={"n": 5}).json()
    assert len(whole["offers"]) == 5
    first = offers_of(whole)[0]
    for left_out in (f"{first},o9999", f"o9999, {first} , ", [first, "o9999"]):
        rest = client.get(f"/recommend/{known}", params={"exclude": left_out}).json()
        assert first not in offers_of(rest)
    category = whole["offers"][0]["category"]
    inside = client.get(f"/recommend/{known}", params={"category": category}).json()
    assert {offer["category"] for offer in inside["offers"]} == {category}
    for empty in (
        client.get(f"/recommend/{known}", params={"n": 5, "category": ""}).json(),
        send_one(client, {"customer_id": known, "n": 5, "category": ""})["list"],
    ):
        assert offers_of(empty) == offers_of(whole)
    short = client.get(f"/recommend/{known}", params={"explain": "false"}).json()
    assert short["offers"][0]["contributions"] == {}
    assert short["offers"][0]["reasons"] == []


def test_an_offer_whose_id_holds_a_comma_is_left_out_by_itself(
    client: TestClient, known: str
) -> None:
    shown = client.get(f"/recommend/{known}", params={"n": 1}).json()["offers"][0]
    for name in ("com,ma", "com"):
        client.put(f"/offers/{name}", json={"category": shown["category"]})
    client.get(f"/recommend/{known}")
    wish: dict[str, Any] = {"n": 100, "exclude": ["com,ma", shown["offer_id"]]}
    listed = offers_of(client.get(f"/recommend/{known}", params=wish).json())
    assert "com" in listed
    assert not {"com,ma", shown["offer_id"]}.intersection(listed)


@pytest.mark.parametrize(
    ("path", "known_ones"),
    [
        ("/recommend/a", "n, category, exclude, explain"),
        ("/onboarding/survey", "customer_id, skip, n"),
        ("/offers", "limit, after"),
        ("/anomalies", "kind, limit, after"),
        ("/segments/0", "points"),
    ],
)
def test_a_parameter_that_no_route_knows_is_named(
    client: TestClient, path: str, known_ones: str
) -> None:
    answer = client.get(path, params={"at": "2025-01-01"})
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    problem = f"is no parameter of this route; those are {known_ones}"
    assert answer.json()["errors"] == [{"at": "query.at", "problem": problem}]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("/recommend/a?n=1&n=2", "n"),
        ("/recommend/a?n=1&exclude=x&exclude=y&explain=true&explain=true", "explain"),
        ("/onboarding/survey?skip=x&skip=y&customer_id=a&customer_id=b", "customer_id"),
        ("/offers?limit=1&limit=2", "limit"),
        ("/segments/0?points=1&points=2", "points"),
    ],
)
def test_a_parameter_that_comes_twice_is_refused_unless_it_is_a_list(
    client: TestClient, query: str, named: str
) -> None:
    answer = client.get(query)
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    told = [{"at": f"query.{named}", "problem": "may be given once only"}]
    assert answer.json()["errors"] == told


def test_a_long_name_is_not_told_at_its_full_length(client: TestClient) -> None:
    long = "x" * 6000
    read = client.get(f"/recommend/a?{long}=1")
    put = client.put("/customers/a", json={long: 1})
    event = {"customer_id": "a", "offer_id": "b", "event_type": "click", long: 1}
    row = client.post("/events", json={"events": [event]}).json()["rejected"][0]
    assert (read.status_code, put.status_code) == (422, 422)
    assert read.json()["errors"][0]["at"] == f"query.{'x' * 100}…"
    assert max(len(read.text), len(put.text), len(row["detail"])) < 1000


def send_one(client: TestClient, request: Any) -> Any:
    (result,) = client.post("/recommend", json={"requests": [request]}).json()["results"]
    return result


def test_what_is_no_object_costs_its_own_place_and_no_other(client: TestClient) -> None:
    odd: list[Any] = [5, None, [], "a", True, {}, {"customer_id": "a", "profile": 5}]
    requests = [{"customer_id": "a"}, *odd, {"customer_id": "b"}]
    results = client.post("/recommend", json={"requests": requests}).json()["results"]
    assert [one["status"] for one in results] == [200, *[422] * len(odd), 200]
    told = ["has to be an object"] * 5 + ["customer_id: Field required"]
    assert [one["detail"] for one in results[1:-1]] == [*told, "profile: has to be an object"]
    assert results[-1]["list"]["customer_id"] == "b"
    for path in ("events", "transactions"):
        answer = client.post(f"/{path}", json={path: odd})
        assert (answer.status_code, answer.json()["accepted"]) == (202, 0)
        assert [one["detail"] for one in answer.json()["rejected"]][:6] == told


@pytest.mark.parametrize("n", ["0", "101", "-1", "many", "1.5"])
def test_a_bad_length_is_refused(client: TestClient, known: str, n: str) -> None:
    answer = client.get(f"/recommend/{known}", params={"n": n})
    assert answer.status_code == 422
    assert answer.json()["code"] == "VALIDATION_FAILED"
    assert answer.json()["errors"][0]["at"] == "query.n"


@pytest.mark.parametrize("name", ["ünïcode", "a b", "%EF%BF%BD", "'; drop table", "x" * 128])
def test_any_id_is_just_an_id(client: TestClient, name: str) -> None:
    answer = client.get("/recommend/" + name)
    assert answer.status_code == 200
    assert answer.json()["known"] is False


def test_an_endless_id_is_refused(client: TestClient) -> None:
    answer = client.get("/recommend/" + "x" * 129)
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")


def test_a_character_that_a_database_refuses_never_reaches_it(
    client: TestClient, bundle: Bundle
) -> None:
    none = "\x00"
    for body in ({"profile": {"city": none}}, {"answers": {f"category:{none}": "yes"}}):
        assert client.post("/onboarding", json=body).status_code == 422
        assert client.put("/customers/a", json=body).status_code == 422
    event = {"customer_id": "a", "offer_id": str(bundle.offers["offer_id"].iloc[0])}
    event["event_type"] = "click"
    line = {"customer_id": "a", "amount": 1}
    for path, good, names in (
        ("/events", event, ["policy", "decision_id", "event_id"]),
        ("/transactions", line, ["category", "merchant", "channel", "item_id", "transaction_id"]),
    ):
        # A row that a database would refuse must not keep the good ones of its batch out for ever.
        rows = [good, *({**good, name: none} for name in names)]
        told = client.post(path, json={path.removeprefix("/"): rows}).json()
        assert told["accepted"] == 1
        assert [one["code"] for one in told["rejected"]] == ["INVALID_ROW"] * len(names)


def test_a_redeemed_offer_leaves_the_next_list(
    client: TestClient, bundle: Bundle, known: str
) -> None:
    repeatable = bundle.offers.set_index("offer_id")["repeatable"]
    before = offers_of(client.get(f"/recommend/{known}").json())
    offer = next(name for name in before if not repeatable[name])
    event = {"event_id": "mine", "customer_id": known, "offer_id": offer}
    body = {"events": [{**event, "event_type": "redemption"}]}
    first = client.post("/events", json=body)
    assert first.status_code == 202
    assert first.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert client.post("/events", json=body).json()["duplicates"] == 1
    assert offer not in offers_of(client.get(f"/recommend/{known}", params={"n": 100}).json())


def test_a_purchase_moves_the_next_list(client: TestClient) -> None:
    client.post("/onboarding", json={"customer_id": "fresh"})
    before = client.get("/recommend/fresh", params={"n": 100}).json()
    last = before["offers"][-1]
    line = {"customer_id": "fresh", "amount": 4000, "category": last["category"]}
    answer = client.post("/transactions", json={"transactions": [line]})
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    after = client.get("/recommend/fresh", params={"n": 100}).json()
    place = offers_of(after).index(last["offer_id"])
    assert place <= offers_of(before).index(last["offer_id"])
    assert after["offers"][place]["score"] > last["score"]
    reasons = after["offers"][place]["reasons"]
    assert f"You spent 4,000.00 on {last['category']} (category)." in reasons


def test_a_transaction_sent_again_replaces_all_its_lines(client: TestClient) -> None:
    line = {"customer_id": "fresh", "transaction_id": "t1", "amount": 1000, "category": "fuel"}
    first = client.post("/transactions", json={"transactions": [line, {**line, "amount": 500}]})
    assert first.json() == {"accepted": 2, "duplicates": 0, "rejected": []}
    again = client.post("/transactions", json={"transactions": [line]})
    assert again.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    again = client.post("/transactions", json={"transactions": [line]})
    assert again.json() == {"accepted": 0, "duplicates": 1, "rejected": []}
    reasons = [
        reason
        for offer in client.get("/recommend/fresh", params={"n": 100}).json()["offers"]
        for reason in offer["reasons"]
    ]
    assert any("You spent 1,000.00 on fuel" in reason for reason in reasons)
    assert not any("1,500.00" in reason for reason in reasons)


@pytest.mark.parametrize("bad", [{"customer_id": None}, {"customer_id": 7}, {"amount": "7"}])
def test_half_a_transaction_does_not_replace_a_whole_one(
    client: TestClient, bad: dict[str, Any]
) -> None:
    line = {"customer_id": "half", "transaction_id": "t1", "amount": 5}
    client.post("/transactions", json={"transactions": [line, line]})
    other = {**line, "transaction_id": "t2"}
    rows = [{**line, "amount": 6}, {**line, **bad}, other]
    told = client.post("/transactions", json={"transactions": rows}).json()
    assert told["accepted"] == 1
    assert [(one["index"], one["code"]) for one in told["rejected"]] == [
        (0, "INCOMPLETE_TRANSACTION"),
        (1, "INVALID_ROW"),
    ]
    assert client.get("/customers/half").json()["transactions"] == 2


def test_a_bad_line_without_an_id_keeps_no_transaction_out(client: TestClient) -> None:
    line = {"customer_id": "half", "amount": 5}
    rows = [{**line, "amount": "bad"}, {**line, "transaction_id": "None"}, line]
    told = client.post("/transactions", json={"transactions": rows}).json()
    assert (told["accepted"], [one["index"] for one in told["rejected"]]) == (2, [0])


def test_a_transaction_sent_twice_counts_once_though_the_model_learnt_from_elsewhere(
    bundle: Bundle, known: str, tmp_path: Path
) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'fresh.db'}")  # nothing of the training is in it
    home = House(bundle, Service(bundle), store, at=bundle.moment)
    line = {"customer_id": known, "transaction_id": "t1", "amount": 9.5, "category": "travel"}
    with TestClient(create_app(home), raise_server_exceptions=False) as client:
        asked = f"/recommend/{known}?n=100"
        client.post("/transactions", json={"transactions": [line]})
        first = client.get(asked).json()
        again = client.post("/transactions", json={"transactions": [line]})
        assert again.json() == {"accepted": 0, "duplicates": 1, "rejected": []}
        second = client.get(asked).json()
        assert (second["segment"], second["offers"]) == (first["segment"], first["offers"])
        # What is corrected came after the model, so what the model learnt holds.
        client.post("/transactions", json={"transactions": [{**line, "amount": 9.6}]})
        third = client.get(asked).json()
        assert set(offers_of(third)) == set(offers_of(first))
        assert third["segment"] == first["segment"]
    home.close()


def test_a_list_for_a_past_moment_knows_nothing_that_came_later_but_what_comes_in(
    bundle: Bundle, known: str, small_store: Store
) -> None:
    at = bundle.moment
    later = (at + pd.Timedelta(days=3)).value // 1000
    names = (known, "came later")
    asked = [f"/recommend/{name}?n=100" for name in names] + [f"/customers/{known}"]
    home = House(bundle, Service(bundle), small_store, at=at)
    with TestClient(create_app(home), raise_server_exceptions=False) as client:
        before = [client.get(path).json() for path in asked]
        repeatable = bundle.offers.set_index("offer_id")["repeatable"]
        once = next(name for name in offers_of(before[0]) if not repeatable[name])
        for name in names:
            said = {"customer_id": name, "occurred_at": later, "recorded_at": later}
            event = {**said, "event_id": name, "offer_id": once, "event_type": "redemption"}
            small_store.add_events([event])
            lines = {**said, "transaction_id": "t", "amount": 900.0, "category": "travel"}
            small_store.put_transactions([[lines]])
        after = [client.get(path).json() for path in asked]
        for was, now in zip(before[:2], after[:2], strict=True):
            assert (now["offers"], now["segment"]) == (was["offers"], was["segment"])
        assert after[2] == before[2]
        event = {"customer_id": known, "offer_id": once, "event_type": "redemption"}
        assert client.post("/events", json={"events": [event]}).json()["accepted"] == 1
        assert once not in offers_of(client.get(asked[0]).json())


def test_rows_are_judged_one_by_one(client: TestClient, bundle: Bundle) -> None:
    offer = str(bundle.offers["offer_id"].iloc[0])
    good = {"customer_id": "a", "offer_id": offer, "event_type": "click"}
    rows: list[Any] = [
        good,
        {**good, "offer_id": "o9999"},
        {**good, "event_type": "wink"},
        {"offer_id": offer},
        {**good, "occurred_at": "2199-01-01T00:00:00Z"},
        {**good, "extra": 1},
        {**good, "occurred_at": "2025-01-01T00:00:00"},
    ]
    answer = client.post("/events", json={"events": rows}).json()
    assert answer["accepted"] == 2
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [
        (1, "UNKNOWN_OFFER"),
        (2, "INVALID_ROW"),
        (3, "INVALID_ROW"),
        (4, "IN_THE_FUTURE"),
        (5, "INVALID_ROW"),
    ]


def test_onboarding_from_nothing_to_a_list(client: TestClient) -> None:
    answer = client.post("/onboarding", json={})
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"customer_id", "segment", "next_questions", "recommendations"}
    assert body["segment"] is None
    assert len(body["next_questions"]) == 3
    assert len(body["recommendations"]["offers"]) == 10
    assert client.get(f"/recommend/{body['customer_id']}").json()["known"] is True


def test_onboarding_places_answers_and_updates(client: TestClient) -> None:
    profile = {"age": 25, "annual_income": 25, "spending_score": 80, "gender": "Female"}
    first = client.post("/onboarding", json={"customer_id": "eve", "profile": profile})
    assert first.status_code == 201
    assert first.json()["segment"]["name"]
    question = first.json()["next_questions"][0]["question"]
    second = client.post("/onboarding", json={"customer_id": "eve", "answers": {question: "yes"}})
    assert second.status_code == 200
    assert second.json()["segment"] == first.json()["segment"]
    assert question not in [one["question"] for one in second.json()["next_questions"]]
    assert second.json()["recommendations"]["strategy"] == "hybrid"


def test_onboarding_a_known_customer_answers_200(client: TestClient, known: str) -> None:
    answer = client.post("/onboarding", json={"customer_id": known, "profile": {"age": 33}})
    assert answer.status_code == 200


def test_whoever_acted_before_is_no_new_customer(client: TestClient, bundle: Bundle) -> None:
    offer = str(bundle.offers["offer_id"].iloc[0])
    for name in ("acted", "acted too"):
        event = {"customer_id": name, "offer_id": offer, "event_type": "click"}
        assert client.post("/events", json={"events": [event]}).status_code == 202
    assert client.post("/onboarding", json={"customer_id": "acted"}).status_code == 200
    assert "signup_at" not in client.get("/customers/acted").json()["profile"]
    assert client.put("/customers/acted too", json={}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"profile": {"age": 500}},
        {"profile": {"agee": 5}},
        {"profile": {"signup_at": "2199-01-01T00:00:00Z"}},
        {"profile": {"age": "NaN"}},
        {"answers": {"category:travel": "perhaps"}},
        {"answers": {"favourite colour": "yes"}},
        {"customer_id": ""},
        [],
        None,
    ],
)
def test_a_bad_onboarding_is_refused(client: TestClient, body: object) -> None:
    answer = client.post("/onboarding", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "VALIDATION_FAILED"


def test_segments_are_told(client: TestClient, bundle: Bundle) -> None:
    told = client.get("/segments").json()
    assert bundle.segments is not None
    assert [one["name"] for one in told] == list(bundle.segments.names)
    assert sum(one["share"] for one in told) == pytest.approx(1)
    assert {"annual_income", "spending_score"} <= set(told[0]["centroid"])


def test_health(client: TestClient, bundle: Bundle) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    ready = client.get("/health/ready").json()
    assert ready["model_version"] == bundle.version
    assert ready["candidates"] > 0


def test_errors_have_one_form(client: TestClient) -> None:
    for answer in (
        client.get("/nothing/here"),
        client.delete("/recommend/x"),
        client.post("/events", content=b"{not json", headers={"content-type": "application/json"}),
    ):
        assert {"detail", "code"} <= set(answer.json())
        assert answer.status_code in (404, 405, 422)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/customers/a/b", "DELETE, GET, PUT"),
        ("/offers/a", "GET, PUT"),
        ("/recommend", "POST"),
        ("/recommend/a", "GET"),
        ("/", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_every_right_one(
    client: TestClient, path: str, methods: str
) -> None:
    answer = client.patch(path)
    assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == methods


def test_the_document_asks_for_a_key_where_one_is_needed(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path, operations in paths.items():
        for operation in operations.values():
            assert ("security" in operation) is not path.startswith("/health/"), path


def test_lists_document_no_404_as_an_unknown_customer_gets_one(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    documented = {
        path: {method for method, operation in found.items() if "404" in operation["responses"]}
        for path, found in paths.items()
    }
    assert not documented["/recommend"] | documented["/recommend/{customer_id}"]
    assert documented["/customers/{customer_id}"] == {"get", "put", "delete"}


def test_a_large_body_is_refused_unread(client: TestClient) -> None:
    answer = client.post("/events", content=b"x" * (LARGEST_BODY + 1))
    assert answer.status_code == 413
    assert answer.json()["code"] == "BODY_TOO_LARGE"


def test_a_database_that_is_away_is_said_so(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "gone" / "facts.db"
    store = Store.open(f"sqlite:///{path}")
    home = House(bundle, Service(bundle), store, at=bundle.moment)
    with TestClient(create_app(home), raise_server_exceptions=False) as client:
        store.close()
        for part in path.parent.iterdir():
            part.unlink()
        path.parent.rmdir()
        answer = client.post("/onboarding", json={})
        assert answer.status_code == 503
        assert answer.json()["code"] == "DATABASE_AWAY"
        assert answer.headers["Retry-After"]
        assert "sqlite" not in answer.text


def test_many_at_once(client: TestClient, bundle: Bundle) -> None:
    offer = str(bundle.offers["offer_id"].iloc[0])

    def send(row: int) -> int:
        event = {"customer_id": f"p{row % 7}", "offer_id": offer, "event_type": "click"}
        wrote = client.post("/events", json={"events": [{**event, "event_id": f"e{row}"}]})
        read = client.get(f"/recommend/p{row % 7}")
        return int(wrote.status_code == 202 and read.status_code == 200)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(send, range(60))) == 60


@pytest.mark.usefixtures("spared")
def test_a_model_without_offers_still_tells_segments(
    small_world: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    bundle = train(Dataset.of({"customers": small_world["customers"]}))
    store = Store.open(f"sqlite:///{tmp_path / 'facts.db'}")
    with TestClient(create_app(House(bundle, None, store))) as client:
        assert client.get("/segments").json()
        answer = client.get("/recommend/x")
        assert answer.status_code == 503
        assert answer.json()["code"] == "NO_RECOMMENDER"
        assert "Retry-After" not in answer.headers  # asking again never helps


def test_the_openapi_examples_run(client: TestClient, bundle: Bundle) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    offer = str(bundle.offers["offer_id"].iloc[0])
    for name, path in (
        ("Onboarding", "/onboarding"),
        ("Events", "/events"),
        ("Transactions", "/transactions"),
    ):
        example = schemas[name]["examples"][0]
        for event in example.get("events", ()):
            event["offer_id"] = offer
        answer = client.post(path, json=example)
        assert answer.status_code in (201, 202)
        assert not answer.json().get("rejected")


def test_a_repeated_purchase_of_the_past_counts_once(
    client: TestClient, bundle: Bundle, small_dataset: Dataset, known: str
) -> None:
    def scores() -> dict[str, float]:
        answer = client.get(f"/recommend/{known}", params={"n": 100}).json()
        return {offer["offer_id"]: offer["score"] for offer in answer["offers"]}

    before = scores()
    mine = small_dataset.transactions
    lines = mine[mine["customer_id"] == known].astype("object")
    lines = lines.where(lines.notna(), None)
    names = ["customer_id", "transaction_id", "amount", "item_id", "category", "merchant"]
    rows = [
        {**{name: row[name] for name in names}, "occurred_at": row["occurred_at"].isoformat()}
        for row in lines.to_dict("records")
    ]
    answer = client.post("/transactions", json={"transactions": rows}).json()
    # Lines that leave out what is on record of them say something else.
    assert answer == {"accepted": len(rows), "duplicates": 0, "rejected": []}
    after = scores()
    assert after == pytest.approx(before)
    free = [{**row, "amount": 0} for row in rows]
    client.post("/transactions", json={"transactions": free})
    assert scores() != pytest.approx(before)


def test_a_refund_takes_back_what_was_spent(client: TestClient) -> None:
    line = {"customer_id": "fresh", "amount": 800, "category": "fuel"}
    client.post("/transactions", json={"transactions": [line]})
    told = client.get("/recommend/fresh", params={"n": 100}).text
    assert "You spent 800.00 on fuel" in told
    client.post("/transactions", json={"transactions": [{**line, "amount": -800}]})
    assert "You spent" not in client.get("/recommend/fresh", params={"n": 100}).text


def test_a_transaction_with_a_bad_line_leaves_the_stored_one(client: TestClient) -> None:
    line = {"customer_id": "fresh", "transaction_id": "t9", "amount": 5000, "category": "fuel"}
    client.post("/transactions", json={"transactions": [line]})
    half = [{**line, "amount": 1}, {**line, "amount": "x"}]
    answer = client.post("/transactions", json={"transactions": half}).json()
    assert answer["accepted"] == answer["duplicates"] == 0
    codes = [one["code"] for one in answer["rejected"]]
    assert codes == ["INCOMPLETE_TRANSACTION", "INVALID_ROW"]
    assert "You spent 5,000.00" in client.get("/recommend/fresh", params={"n": 100}).text


@pytest.mark.parametrize(
    "value",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e400", "NaN", "yesterday"],
)
def test_a_time_out_of_our_time_is_a_bad_row(client: TestClient, value: str) -> None:
    row = {"customer_id": "a", "amount": 1, "occurred_at": value}
    answer = client.post(
        "/transactions", json={"transactions": [row, {**row, "occurred_at": None}]}
    )
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1


@pytest.mark.parametrize("amount", ["Infinity", "-Infinity", "NaN", "1e300"])
def test_an_amount_without_measure_is_a_bad_row(client: TestClient, amount: str) -> None:
    body = f'{{"transactions": [{{"customer_id": "a", "amount": {amount}}}]}}'
    headers = {"content-type": "application/json"}
    answer = client.post("/transactions", content=body, headers=headers)
    assert answer.status_code in (202, 422)
    assert answer.json().get("accepted", 0) == 0


def test_an_id_may_hold_a_slash(client: TestClient) -> None:
    assert client.post("/onboarding", json={"customer_id": "a/b"}).status_code == 201
    answer = client.get("/recommend/a%2Fb")
    assert answer.json()["customer_id"] == "a/b"
    assert answer.json()["known"] is True


def test_an_event_id_names_one_event(client: TestClient, bundle: Bundle) -> None:
    offer = str(bundle.offers["offer_id"].iloc[0])
    event = {"event_id": "mine", "customer_id": "a", "offer_id": offer, "event_type": "click"}
    assert client.post("/events", json={"events": [event]}).json()["accepted"] == 1
    other = client.post("/events", json={"events": [event, {**event, "customer_id": "b"}]}).json()
    assert (other["accepted"], other["duplicates"]) == (0, 1)
    assert [(one["index"], one["code"]) for one in other["rejected"]] == [(1, "EVENT_ID_TAKEN")]
