"""Columns of the owner's over HTTP: of customers and of offers, as far as the model reads them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.house import House
from data.dataset import Dataset
from data.ingest import read_folder
from data.recorded import read_database
from data.store import Store
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.storage.model_folder import load, save
from recommender.training import train
from tests.conftest import sparing

START = pd.Timestamp("2026-01-01", tz="UTC")
PEOPLE, OFFERS = 240, 24


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """A world in which a plan decides which colour of offers somebody takes."""
    random = np.random.default_rng(5)
    plan = random.choice(["basic", "gold"], PEOPLE)
    colour = np.array(["red", "blue"])[np.arange(OFFERS) % 2]
    rows = []
    for person in range(PEOPLE):
        likes = colour == ("red" if plan[person] == "gold" else "blue")
        taken = random.choice(
            OFFERS, 5, replace=False, p=(likes * 0.9 + 0.1) / (likes * 0.9 + 0.1).sum()
        )
        days = random.uniform(0, 90, len(taken))
        rows += [(f"c{person:03}", f"o{one:02}", day) for one, day in zip(taken, days, strict=True)]
    log = pd.DataFrame(rows, columns=["customer_id", "offer_id", "day"])
    return Dataset.of(
        {
            "customers": pd.DataFrame(
                {
                    "customer_id": [f"c{n:03}" for n in range(PEOPLE)],
                    "age": random.integers(18, 70, PEOPLE).astype(float),
                    "signup_at": START - pd.to_timedelta(random.integers(1, 900, PEOPLE), "D"),
                    "plan": plan,
                    "cards": random.integers(0, 4, PEOPLE).astype(float),
                    "balance": random.gamma(2.0, 900.0, PEOPLE).round(2),
                    "passport": [f"p{n}" for n in range(PEOPLE)],
                    "limit": np.inf,
                }
            ),
            "offers": pd.DataFrame(
                {
                    "offer_id": [f"o{n:02}" for n in range(OFFERS)],
                    "category": "cards",
                    "colour": colour,
                    "year": 2000.0 + np.arange(OFFERS) % 7,
                }
            ),
            "interactions": log.assign(
                occurred_at=START + pd.to_timedelta(log["day"], "D"), event_type="redemption"
            ).drop(columns="day"),
        }
    )


@pytest.fixture(scope="module")
def bundle(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("owned")
    with sparing():
        save(train(dataset), folder)
    return load(folder)


@pytest.fixture(scope="module")
def record(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world on record, to be copied."""
    path = tmp_path_factory.mktemp("record") / "facts.db"
    opened = Store.open(f"sqlite:///{path}")
    opened.load(dataset)
    opened.close()
    return path


@pytest.fixture
def store(record: Path, tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{shutil.copy(record, tmp_path / 'facts.db')}")
    yield opened
    opened.close()


@pytest.fixture
def client(bundle: Bundle, store: Store) -> Iterator[TestClient]:
    home = House(bundle, Service(bundle), store, at=bundle.moment)
    with TestClient(create_app(home), raise_server_exceptions=False) as made:
        yield made


def colours(dataset: Dataset, told: Any) -> list[str]:
    of = dataset.offers.set_index("offer_id")["colour"]
    return [of[one["offer_id"]] for one in told["offers"]]


def test_a_newcomer_states_a_column_of_the_owners(client: TestClient, dataset: Dataset) -> None:
    for plan, colour in (("gold", "red"), (" Basic ", "blue")):
        told = client.post("/onboarding", json={"profile": {"plan": plan}})
        assert told.status_code == 201, told.text
        welcome = told.json()
        assert colours(dataset, welcome["recommendations"])[:5] == [colour] * 5
        assert any("plan" in one for one in welcome["recommendations"]["offers"][0]["reasons"])
        again = client.get(f"/recommend/{welcome['customer_id']}").json()
        assert again["offers"] == welcome["recommendations"]["offers"]
        known = client.get(f"/customers/{welcome['customer_id']}").json()
        assert known["profile"]["plan"] == plan.strip()


def test_who_is_new_became_a_customer_now_and_who_is_not_did_not(
    client: TestClient, bundle: Bundle
) -> None:
    def signup(**body: Any) -> str | None:
        customer = client.post("/onboarding", json=body).json()["customer_id"]
        found: str | None = client.get(f"/customers/{customer}").json()["profile"].get("signup_at")
        return found

    assert pd.Timestamp(str(signup())) == bundle.moment.floor("us")
    stated = "2025-02-03T04:05:06Z"
    assert signup(customer_id="new", profile={"signup_at": stated}) == stated
    assert signup(customer_id="new") == stated
    client.put("/customers/other", json={"profile": {"age": 30}})
    assert signup(customer_id="other") is None


def test_the_survey_tells_what_a_profile_may_state(client: TestClient) -> None:
    told = client.get("/onboarding/survey").json()["profile"]
    assert {one["name"]: one["values"] for one in told} == {
        "plan": ["basic", "gold"],
        "cards": ["0", "1", "2", "3"],
        "age": None,
        "balance": None,
    }


def test_columns_count_in_a_request_as_they_do_when_recorded(client: TestClient) -> None:
    profile = {"plan": "gold", "cards": 2, "balance": 510.5, "signup_at": "2025-06-01T00:00:00Z"}
    client.put("/customers/recorded", json={"profile": profile})
    requests = [{"customer_id": "told", "profile": profile}, {"customer_id": "recorded"}]
    told, recorded = client.post("/recommend", json={"requests": requests}).json()["results"]
    assert told["list"]["offers"] == recorded["list"]["offers"]
    alone = client.get("/recommend/recorded").json()["offers"]
    for one, other in zip(alone, recorded["list"]["offers"], strict=True):
        assert one["offer_id"] == other["offer_id"]
        assert one["contributions"] == pytest.approx(other["contributions"], abs=1e-9)


def test_a_loaded_customer_is_the_same_from_the_model_and_from_the_database(
    client: TestClient, bundle: Bundle, store: Store
) -> None:
    strangers = House(bundle.without("c007"), Service(bundle.without("c007")), store, bundle.moment)
    told = client.get("/recommend/c007").json()
    with TestClient(create_app(strangers)) as other:
        found = other.get("/recommend/c007").json()
    assert [one["offer_id"] for one in found["offers"]] == [
        one["offer_id"] for one in told["offers"]
    ]
    ours, theirs = (
        [one["contributions"]["demographic"] for one in part["offers"]] for part in (told, found)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    profile = client.get("/customers/c007").json()["profile"]
    assert profile["passport"] == "p7"
    assert "limit" not in profile, "no JSON writes a number without end"


@pytest.mark.parametrize(
    ("profile", "at"),
    [
        ({"pln": "gold"}, "pln"),
        ({"passport": "p1"}, "passport"),
        ({"months_as_customer": 3}, "months_as_customer"),
        ({"balance": "much"}, "balance"),
        ({"balance": True}, "balance"),
        ({"balance": "05"}, "balance"),
        ({"plan": ["gold"]}, "plan"),
        ({"plan": "x" * 300}, "plan"),
        ({"plan": "\x00"}, "plan"),
        ({"balance": 1e300}, "balance"),
        ({"signup_at": "soon"}, "signup_at"),
    ],
)
def test_what_the_model_does_not_read_is_refused_and_nothing_written(
    client: TestClient, store: Store, profile: dict[str, Any], at: str
) -> None:
    for answer in (
        client.post("/onboarding", json={"customer_id": "x", "profile": profile}),
        client.put("/customers/x", json={"profile": profile}),
    ):
        told = answer.json()
        assert (answer.status_code, told["code"]) == (422, "VALIDATION_FAILED")
        assert told["errors"][0]["at"].startswith(f"body.profile.{at}")
    wished = {"requests": [{"customer_id": "x", "profile": profile}, {"customer_id": "y"}]}
    bad, good = client.post("/recommend", json=wished).json()["results"]
    assert (bad["status"], bad["code"], good["status"]) == (422, "VALIDATION_FAILED", 200)
    assert bad["detail"].startswith(f"profile.{at}")
    assert store.find_everywhere("x") == {}


def test_a_slip_of_the_pen_is_told_what_the_model_reads(client: TestClient) -> None:
    soon = client.post("/onboarding", json={"profile": {"signup_at": "soon"}}).json()
    assert soon["detail"] == "body.profile.signup_at: is not a time as ISO 8601 writes it"
    told = client.post("/onboarding", json={"profile": {"pln": "gold"}}).json()
    assert told["detail"] == (
        "body.profile.pln: is no column that the model reads; those are gender, age, "
        "annual_income, spending_score, city, signup_at, plan, cards, balance"
    )


def test_very_many_slips_are_not_all_told(client: TestClient) -> None:
    told = client.put("/customers/x", json={"profile": {f"n{one}": 1 for one in range(5000)}})
    assert told.status_code == 422
    assert len(told.json()["errors"]) == 20
    assert len(told.content) < 5000


def test_what_was_stated_is_erased_with_the_customer(client: TestClient, store: Store) -> None:
    client.put("/customers/gone", json={"profile": {"plan": "gold", "cards": 1}})
    assert store.find_everywhere("gone")["attributes"] == 2
    assert client.delete("/customers/gone").json()["rows"]["attributes"] == 2
    assert store.find_everywhere("gone") == {}


@pytest.mark.slow
def test_tables_of_text_are_read_as_those_with_types_are(
    dataset: Dataset, tmp_path: Path, store: Store
) -> None:
    """As a folder of CSV files comes: numbers of the owner's are texts, with a .0 after gaps."""
    folder = tmp_path / "folder"
    folder.mkdir()
    some = set(dataset.customers["customer_id"][:60])
    for name, table in dataset.tables().items():
        if "customer_id" in table:
            table = table[table["customer_id"].isin(some)]
        table.dropna(axis="columns", how="all").to_csv(folder / f"{name}.csv", index=False)
    offers = pd.read_csv(folder / "offers.csv")
    offers["size"] = pd.Series([38.0, 40.0, np.nan] * (OFFERS // 3)).where(offers.index > 2, "L")
    offers.to_csv(folder / "offers.csv", index=False)
    with sparing():
        made = train(read_folder(folder).dataset)
    home = House(made, Service(made), store, at=made.moment)
    with TestClient(create_app(home), raise_server_exceptions=False) as client:
        asked = {
            one["name"]: one["values"] for one in client.get("/onboarding/survey").json()["profile"]
        }
        assert asked["cards"] == ["0", "1", "2", "3"]
        assert asked["balance"] is None
        assert client.put("/offers/new", json={"year": "old"}).status_code == 422
        assert client.put("/offers/new", json={"year": 2003, "size": 38}).status_code == 201
        current = home.current(store.revisions("")[1])
    model = current.bundle.recommender
    assert model is not None
    own = model.content.attributes[model.encoders.offer_rows["new"]]
    names = {str(name) for name in model.content.columns.names[own.indices]}
    assert {"size:38", "year:2003"} <= names


def test_a_new_offer_states_columns_of_the_owners(client: TestClient) -> None:
    for name, colour in (("new red", "red"), ("new blue", "blue")):
        body = {"category": "cards", "colour": colour, "year": 2003}
        answer = client.put(f"/offers/{name}", json=body)
        assert (answer.status_code, answer.json()["colour"]) == (201, colour)
    fans = client.post("/onboarding", json={"profile": {"plan": "gold"}}).json()["customer_id"]
    for offer in ("o00", "o02", "o04"):
        client.post("/events", json={"events": [
            {"customer_id": fans, "offer_id": offer, "event_type": "redemption"}
        ]})  # fmt: skip
    listed = client.get(f"/recommend/{fans}?n=100").json()["offers"]
    rank = {one["offer_id"]: one["rank"] for one in listed}
    assert rank["new red"] < rank["new blue"]


def test_an_offers_own_columns_stay_until_they_are_emptied(
    client: TestClient, dataset: Dataset
) -> None:
    before = client.get("/offers/o03").json()
    assert (before["colour"], before["year"]) == ("blue", 2003.0)
    told = client.put("/offers/o03", json={"category": "cards", "title": "Three"}).json()
    assert (told["title"], told["colour"]) == ("Three", "blue")
    told = client.put("/offers/o03", json={"category": "cards", "colour": None}).json()
    assert "colour" not in told
    assert (told["title"], told["year"]) == ("Three", 2003.0)
    assert client.get("/offers/o03").json() == told
    listed = {one["offer_id"]: one for one in client.get("/offers").json()["offers"]}
    assert "colour" not in listed["o03"]
    assert listed["o01"]["colour"] == "blue"


@pytest.mark.parametrize("body", [{"color": "red"}, {"year": "old"}, {"colour": {"a": 1}}])
def test_an_offer_of_other_columns_is_refused(client: TestClient, body: dict[str, Any]) -> None:
    answer = client.put("/offers/new", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    assert next(iter(body)) in answer.json()["detail"]
    assert client.get("/offers/new").status_code == 404


def test_what_was_stated_is_learnt_from_next_time(client: TestClient, store: Store) -> None:
    client.put("/customers/new", json={"profile": {"plan": "gold", "cards": 1}})
    client.put("/offers/new", json={"colour": "red"})
    found = read_database(store._engine.url.render_as_string()).intake.dataset
    person = found.customers.set_index("customer_id").loc["new"]
    assert (person["plan"], person["cards"]) == ("gold", 1.0)
    assert found.offers.set_index("offer_id").loc["new", "colour"] == "red"


@pytest.mark.parametrize(
    "stated",
    [
        pytest.param(0, marks=pytest.mark.slow),
        pytest.param(1, marks=pytest.mark.slow),
        PEOPLE // 2,
    ],
)
def test_a_question_of_the_surveys_own_is_read_as_a_profile_is(
    dataset: Dataset, stated: int
) -> None:
    """The plan, told as an answer instead of in the customers table, decides as it did.

    Some may have stated it in their profile, and what they answered then does not count.
    """
    plan = dataset.customers["plan"]
    asked = pd.DataFrame(
        {"customer_id": dataset.customers["customer_id"], "question": "your plan", "answer": plan}
    )
    asked.loc[1 : stated - 1, "answer"] = "none of these"
    silent = asked["customer_id"] == "c000"
    surveyed = replace(
        dataset,
        customers=dataset.customers.drop(columns="plan").assign(
            **({"your plan": plan.where(plan.index.isin(range(1, stated)))} if stated else {})
        ),
        survey_answers=asked[~silent],
    )
    with sparing():
        bundle = train(surveyed)
    service = Service(bundle)
    at = bundle.moment
    colour = dict(zip(dataset.offers["offer_id"], dataset.offers["colour"], strict=True))

    def top(facts: Facts) -> list[str]:
        query = service.query("somebody new", facts, at)
        rows = [one.row for one in service.recommend(query, Wish(at=at, n=6))[0].offers]
        return [colour[str(bundle.offers["offer_id"].iloc[row])] for row in rows]

    assert top(Facts(answers={"your plan": "gold"})) == ["red"] * 6
    told = Facts(profile={"your plan": None}, answers={"your plan": "gold"})
    assert top(told) == ["red"] * 6
    assert top(Facts(answers={"your plan": "Basic"})) == ["blue"] * 6
    known = bundle.customers.query
    assert known is not None
    names = bundle.recommender.encoders.demographics.blocks["your plan"]  # type: ignore[union-attr]
    assert not known.demographic[0, names].nnz
    assert known.demographic[1:, names].sum() == PEOPLE - 1


def test_what_a_profile_is_asked_may_be_answered_as_a_question(client: TestClient) -> None:
    answered = {"profile": {"age": 30}, "answers": {"plan": "gold"}}
    stated = {"profile": {"age": 30, "plan": "gold"}}
    first, second = (client.post("/onboarding", json=body) for body in (answered, stated))
    assert (first.status_code, second.status_code) == (201, 201)
    lists = [
        [one["offer_id"] for one in told.json()["recommendations"]["offers"]]
        for told in (first, second)
    ]
    assert lists[0] == lists[1]
    name = second.json()["customer_id"]
    joined = client.get(f"/customers/{name}").json()["profile"]["signup_at"]
    answered["profile"] |= {"signup_at": joined}
    requests = [{"customer_id": "nobody", **answered}, {"customer_id": "no", "answers": {"?": "x"}}]
    good, bad = client.post("/recommend", json={"requests": requests}).json()["results"]
    assert [one["offer_id"] for one in good["list"]["offers"]] == lists[0]
    assert bad["status"] == 422
    told = client.put("/customers/x", json={"answers": {"your pln": "gold"}})
    assert told.status_code == 422
    assert "what the model reads of your own; that is plan" in told.text
    assert client.put("/customers/x", json={"answers": {"age": "30"}}).status_code == 422
