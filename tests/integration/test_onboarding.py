"""The survey over HTTP: what is asked next, what may be skipped, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.house import House
from data.store import Store
from recommender.bundle import Bundle
from recommender.service import Service

SURVEY = "/onboarding/survey"


@pytest.fixture
def home(small_bundle: Bundle, small_store: Store) -> House:
    return House(small_bundle, Service(small_bundle), small_store, at=small_bundle.moment)


@pytest.fixture
def client(home: House) -> Iterator[TestClient]:
    with TestClient(create_app(home), raise_server_exceptions=False) as made:
        yield made


def ask(client: TestClient, **params: Any) -> dict[str, Any]:
    answer = client.get(SURVEY, params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["settled"] == (not found["questions"])
    return found


def names(found: dict[str, Any], part: str = "questions") -> list[str]:
    return [one["question"] for one in found[part]]


def every_question(home: House) -> list[str]:
    assert home.service is not None
    return list(home.service.recommender.encoders.survey.questions)


def test_a_stranger_is_asked_something(client: TestClient) -> None:
    found = ask(client)
    assert set(found) == {"customer_id", "settled", "questions", "profile"}
    assert found["customer_id"] is None
    assert len(found["questions"]) == 3
    for one in found["questions"]:
        assert set(one) == {"question", "text", "answers"}
        assert one["text"].endswith("?")
        assert one["answers"] == ["yes", "no"]
    assert names(ask(client, n=1)) == names(found)[:1]
    assert names(ask(client, customer_id="nobody-knows-me")) == names(found)


def test_answers_are_taken_into_account(client: TestClient) -> None:
    profile = {"age": 25, "gender": "Female"}
    welcome = client.post("/onboarding", json={"customer_id": "eve", "profile": profile}).json()
    assert names(ask(client, customer_id="eve")) == names(welcome, "next_questions")
    first = names(welcome, "next_questions")[0]
    body = {"customer_id": "eve", "answers": {first: "yes"}}
    second = client.post("/onboarding", json=body).json()
    assert first not in names(second, "next_questions")
    assert names(ask(client, customer_id="eve")) == names(second, "next_questions")


def test_every_question_can_be_skipped(client: TestClient, home: House) -> None:
    first = names(ask(client))[0]
    assert first not in names(ask(client, skip=[first], n=20))
    body = {"customer_id": "adam", "skipped": [first]}
    welcome = client.post("/onboarding", json=body).json()
    assert first not in names(welcome, "next_questions")
    # Nothing is kept of it: whoever skipped may be asked another day.
    assert first in names(ask(client, customer_id="adam", n=20))
    assert ask(client, skip=every_question(home))["settled"]
    everything = {"skipped": every_question(home)}
    assert client.post("/onboarding", json=everything).json()["next_questions"] == []


def test_the_survey_ends_before_every_question_is_answered(client: TestClient, home: House) -> None:
    answers: dict[str, str] = {}
    body: dict[str, Any] = {"customer_id": "eve", "answers": answers}
    while asked := names(client.post("/onboarding", json=body).json(), "next_questions"):
        answers[asked[0]] = "no" if len(answers) % 3 else "yes"
    assert 0 < len(answers) <= len(every_question(home))
    assert ask(client, customer_id="eve")["settled"]
    body["answers"] = dict.fromkeys(every_question(home), "yes")
    assert client.post("/onboarding", json=body).json()["next_questions"] == []


@pytest.mark.parametrize(
    "skip", ["offer:gone", "category:", "", "what is this", "' or 1=1 --", "ünï\u0000", "a,b"]
)
def test_unknown_questions_are_no_matter(client: TestClient, skip: str) -> None:
    assert names(ask(client, skip=skip)) == names(ask(client))


@pytest.mark.parametrize(
    "params",
    [
        {"n": "0"},
        {"n": "-3"},
        {"n": "21"},
        {"n": "NaN"},
        {"customer_id": ""},
        {"customer_id": "x" * 129},
        {"customer_id": "a\u0000b"},
        {"skip": "x" * 201},
        {"skip": ["x"] * 201},
    ],
)
def test_a_bad_wish_is_refused(client: TestClient, params: dict[str, Any]) -> None:
    answer = client.get(SURVEY, params=params)
    assert answer.status_code == 422
    assert answer.json()["code"] == "VALIDATION_FAILED"


@pytest.mark.parametrize(
    "skipped", ["category:travel", ["anything"], [None], ["offer:" + "x" * 200]]
)
def test_bad_skips_are_refused_and_nothing_is_written(client: TestClient, skipped: object) -> None:
    answer = client.post("/onboarding", json={"customer_id": "eve", "skipped": skipped})
    assert answer.status_code == 422
    assert client.get("/recommend/eve").json()["known"] is False


def test_a_model_that_recommends_nothing_asks_nothing(small_bundle: Bundle, tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'facts.db'}")
    home = House(replace(small_bundle, recommender=None), None, store, at=small_bundle.moment)
    with TestClient(create_app(home)) as client:
        nothing = {"customer_id": None, "settled": True, "questions": [], "profile": []}
        assert ask(client) == nothing
        assert client.post("/onboarding", json={"customer_id": "eve"}).status_code == 503
        assert not store.customer_state("eve").known


def test_a_stranger_is_asked_while_the_database_is_away(
    client: TestClient, home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = ask(client)

    def away(*_: object) -> None:
        raise OperationalError("away", None, ConnectionError())

    monkeypatch.setattr(home.store, "customer_state", away)
    assert ask(client) == usual
    assert client.get(SURVEY, params={"customer_id": "eve"}).status_code == 503
