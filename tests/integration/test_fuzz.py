"""The whole OpenAPI under generated requests: never a 5xx, and only what the document promises."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.house import House
from data.dataset import Dataset
from data.store import Store
from evaluation.suites.serving.fuzz import odd_events
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.storage.model_folder import load, save

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        # Another database refuses other values.
        pytest.param("postgresql", marks=[pytest.mark.slow, pytest.mark.database]),
    ],
)
def app(
    request: pytest.FixtureRequest,
    small_bundle: Bundle,
    small_dataset: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[FastAPI]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    save(small_bundle, folder / "model")
    bundle = load(folder / "model")
    url = f"sqlite:///{folder / 'facts.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    store = Store.open(url)
    store.load(small_dataset)
    yield create_app(
        House(bundle, Service(bundle), store, at=bundle.moment, folder=folder / "model")
    )
    store.close()


@pytest.fixture(scope="module")
def api_schema(app: FastAPI) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", app)


PATIENT = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def probe(document: Any, examples: int) -> None:
    """Send generated requests, some of them wrong on purpose, to every operation."""
    found = [result.ok() for result in document.get_all_operations()]
    assert len(found) >= 15
    for operation in found:
        for mode in schemathesis.GenerationMode:

            @settings(max_examples=examples, deadline=None, suppress_health_check=PATIENT)
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                case.call_and_validate(checks=CHECKS)

            try:
                ask()
            except Unsatisfiable:
                assert mode is schemathesis.GenerationMode.NEGATIVE  # nothing can be wrong in it


@pytest.mark.slow
def test_many_generated_requests(api_schema: Any) -> None:
    probe(api_schema, 100)


def test_every_example_in_the_document_runs(app: FastAPI) -> None:
    document = app.openapi()
    ran = 0
    with TestClient(app, raise_server_exceptions=False) as client:
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                body = operation.get("requestBody", {}).get("content", {})
                reference = body.get("application/json", {}).get("schema", {}).get("$ref", "")
                named = document["components"]["schemas"].get(reference.rpartition("/")[2], {})
                examples = named.get("examples", [None] if not body else [])
                assert examples, f"{method} {path} has a body without an example"
                filled = path
                for parameter in operation.get("parameters", []):
                    if parameter["in"] == "path":
                        found = parameter.get(
                            "example", (parameter["schema"].get("examples") or [0])[0]
                        )
                        filled = filled.replace(f"{{{parameter['name']}}}", str(found))
                for example in examples:
                    if method == "delete":
                        continue
                    answer = client.request(method.upper(), filled, json=example)
                    assert answer.status_code < 300, (method, filled, answer.text)
                    ran += 1
    assert ran >= 12


@pytest.mark.slow
def test_ten_thousand_odd_events_are_judged_one_by_one(
    small_bundle: Bundle, small_dataset: Dataset, tmp_path: Path
) -> None:
    chance = random.Random(0)
    store = Store.open(f"sqlite:///{tmp_path / 'facts.db'}")
    store.load(small_dataset)
    before = store.counts()["interactions"]
    accepted = 0
    home = House(small_bundle, Service(small_bundle), store)
    offers = small_bundle.offers["offer_id"][:5].tolist()
    with TestClient(create_app(home), raise_server_exceptions=False) as client:
        for _ in range(100):
            events = odd_events(chance, offers, 100)
            answer = client.post(
                "/events",
                content=json.dumps({"events": events}),
                headers={"content-type": "application/json"},
            )
            assert answer.status_code == 202, answer.text
            told = answer.json()
            assert told["accepted"] + told["duplicates"] + len(told["rejected"]) == 100
            accepted += told["accepted"]
        assert accepted > 1000
        assert store.counts()["interactions"] == before + accepted
