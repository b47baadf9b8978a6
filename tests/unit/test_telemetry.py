"""Figures and log lines: what is counted, and that no person is in them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api import telemetry
from api.errors import add_error_handlers
from api.guard import Guard, Limits
from api.security import Keyring


class NoKeys:
    """A store that holds no key."""

    is_near = True

    def keys(self) -> tuple[()]:
        return ()


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/customers/{customer_id:path}")
    async def customer(customer_id: str) -> dict[str, str]:
        return {}

    @app.get("/broken/{customer_id}")
    async def broken(customer_id: str) -> None:
        raise RuntimeError(customer_id)

    keys: Any = NoKeys()
    app.add_middleware(Guard, keyring=Keyring(keys), limits=Limits())
    return TestClient(app, raise_server_exceptions=False)


def figures(text: str | None = None) -> dict[tuple[str, ...], float]:
    """Return every figure by its name and the values of its labels."""
    body = telemetry.exposition("v1", "")[0].decode() if text is None else text
    return {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(body)
        for one in family.samples
    }


def test_requests_are_counted_by_route_and_kind_of_status(client: TestClient) -> None:
    name, route = "nbo_request_seconds_count", "/customers/{customer_id:path}"
    before = figures()
    for person in ("anna", "ben", "a/b"):
        client.get(f"/customers/{person}")
    client.get("/nothing/here/anna")
    client.get("/broken/anna")
    after = figures()
    counted = {key: after[key] - before.get(key, 0) for key in after if key[0] == name}
    assert counted[name, route, "2xx"] == 3
    assert counted[name, telemetry.NO_ROUTE, "4xx"] == 1
    assert counted[name, "/broken/{customer_id}", "5xx"] == 1
    assert "anna" not in telemetry.exposition("v1", "")[0].decode()


def test_a_stranger_cannot_make_figures_without_end(client: TestClient) -> None:
    client.get("/nothing")
    before = len(figures())
    for number in range(50):
        client.request(f"M{number}", f"/customers{number}/x")
    assert len(figures()) == before


def test_lists_and_rows_are_counted() -> None:
    before = figures()
    telemetry.count_list("popularity", True)
    telemetry.count_list("hybrid", False)
    telemetry.count_rows("events", accepted=5, duplicates=2, rejected=1)
    after = figures()
    for key, more in {
        ("nbo_lists_total", "true", "popularity"): 1,
        ("nbo_lists_total", "false", "hybrid"): 1,
        ("nbo_rows_total", "events", "accepted"): 5,
        ("nbo_rows_total", "events", "duplicate"): 2,
        ("nbo_rows_total", "events", "rejected"): 1,
    }.items():
        assert after[key] - before.get(key, 0) == more


def test_the_model_is_told_with_its_age_and_only_the_one_that_is_served() -> None:
    made = datetime.now(UTC) - timedelta(hours=1)
    telemetry.exposition("old", made.isoformat())
    told = figures(telemetry.exposition("new", made.isoformat())[0].decode())
    assert told["nbo_model_info", "new"] == 1
    assert ("nbo_model_info", "old") not in told
    assert told["nbo_model_age_seconds",] == pytest.approx(3600, abs=60)
    assert told["nbo_model_created_seconds",] == pytest.approx(made.timestamp())


def test_a_model_of_unknown_age_has_none() -> None:
    assert ("nbo_model_age_seconds",) not in figures()


def test_a_line_for_each_request_and_nobody_in_it(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="api.access"):
        client.get("/customers/anna?city=Graz", headers={"X-Request-ID": "r-1"})
        client.get("/nothing/anna")
        client.get("/broken/anna")
    lines = [json.loads(one.message) for one in caplog.records if one.name == "api.access"]
    assert [line["status"] for line in lines] == [200, 404, 500]
    first = lines[0]
    assert set(first) == {"time", "request_id", "method", "route", "status", "ms", "key"}
    assert first["request_id"] == "r-1"
    assert first["route"] == "/customers/{customer_id:path}"
    assert datetime.fromisoformat(first["time"]).timestamp() == pytest.approx(time.time(), abs=60)
    assert "anna" not in caplog.text
    assert "Graz" not in caplog.text


def test_no_line_unless_it_is_wished_for(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="api.access"):
        client.get("/customers/anna")
    assert not [one for one in caplog.records if one.name == "api.access"]


COUNT = "from api import telemetry; telemetry.count_list('hybrid', False)"
TELL = "from api import telemetry; print(telemetry.exposition('v1', '')[0].decode())"


def test_workers_add_up_in_one_folder(tmp_path: Path) -> None:
    def run(code: str) -> str:
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    for _ in range(2):
        run(COUNT)
    told = figures(run(TELL))
    assert told["nbo_lists_total", "false", "hybrid"] == 2
    assert told["nbo_model_info", "v1"] == 1
