"""Part of suite `service`: odd events by the thousand, and generated requests for every route."""

from __future__ import annotations

import json
import random
import shutil
import string
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import sqlalchemy as sa

from data import tables
from evaluation.benchmark import Row, not_measured
from evaluation.suites.serving.home import Home
from evaluation.suites.serving.load import serve
from evaluation.suites.serving.process import Server

STEPS = 2
BATCH, BATCHES = 100, 100
EXAMPLES, MOST_SECONDS = 20, 90
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
ODD = (
    "", " ", "\x00", "../../etc/passwd", "'; DROP TABLE customers;--", "<script>", "a/b", "%00",
    "\U0001d4b5" * 40, "\u202e", "x" * 129, "null", "NaN", "é" * 128,
)  # fmt: skip


def odd_events(chance: random.Random, offers: Sequence[str], count: int) -> list[dict[str, Any]]:
    """Make up events, of which two in five hold something that does not belong there."""
    events = []
    for _ in range(count):
        event: dict[str, Any] = {
            "customer_id": chance.choice(["c1", "c2", *ODD]),
            "offer_id": chance.choice([*offers, "no such offer"]),
            "event_type": chance.choice(["impression", "click", "redemption"]),
            "event_id": chance.choice([None, "e1", f"e{chance.random()}"]),
        }
        if chance.random() < 0.4:
            name = chance.choice([*event, "position", "value", "occurred_at", "odd"])
            event[name] = _odd_value(chance)
        events.append(event)
    return events


def _odd_value(chance: random.Random) -> Any:
    return chance.choice(
        [
            None, True, -1, 0, 1e308, -1e308, float("nan"), float("inf"), 10**30, [], {}, [[]],
            chance.choice(ODD), "2025-13-45", "9999-12-31T23:59:59Z", "0001-01-01", 1e9,
            "".join(chance.choices(string.printable, k=chance.randint(0, 30))),
        ]
    )  # fmt: skip


def rows(home: Home, on_step: Callable[[str], None]) -> list[Row]:
    """Send what no client should; every row has its verdict and nothing else is written."""
    with serve(home) as server:
        on_step("odd events")
        found = _events(server, home)
        on_step("generated requests")
        return found + _generated(server, home)


def _events(server: Server, home: Home) -> list[Row]:
    chance, before = random.Random(0), _count(home)
    accepted = judged = refused = 0
    for _ in range(BATCHES):
        events = odd_events(chance, home.offers[:5], BATCH)
        status, content = server.send("/events", json.dumps({"events": events}).encode())
        refused += status != 202
        if status == 202:
            told = json.loads(content)
            accepted += told["accepted"]
            judged += told["accepted"] + told["duplicates"] + len(told["rejected"])
    written = _count(home) - before
    what = f"{BATCHES * BATCH:,} odd events"
    return [
        Row(what, "accepted", accepted),
        Row(what, "batches answered otherwise than 202", refused, "0", refused == 0),
        Row(
            what, "events without a verdict", missing := BATCHES * BATCH - judged,
            "0", missing == 0,
        ),
        Row(
            what, "rows written beyond those accepted", more := written - accepted,
            "0", more == 0,
        ),
    ]  # fmt: skip


def _count(home: Home) -> int:
    engine = sa.create_engine(home.database)
    with engine.connect() as connection:
        many = sa.select(sa.func.count()).select_from(tables.interactions)
        count = int(connection.execute(many).scalar_one())
    engine.dispose()
    return count


def _generated(server: Server, home: Home) -> list[Row]:
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    if program is None:
        return [not_measured("generated requests", "schemathesis is not installed (make setup)")]
    report = home.folder / "generated.xml"
    subprocess.run(
        [
            program, "run", f"http://127.0.0.1:{server.port}/openapi.json",
            "--header", f"X-API-Key: {home.key}", "--checks", ",".join(CHECKS),
            "--max-examples", str(EXAMPLES), "--max-time", str(MOST_SECONDS), "--seed", "0",
            "--phases", "examples,coverage,fuzzing", "--report-junit-path", str(report),
        ],
        cwd=home.folder,
        capture_output=True,
        check=False,
    )  # fmt: skip
    cases = ElementTree.parse(report).getroot().iter("testcase") if report.is_file() else iter(())
    verdicts = [one.find("failure") is None and one.find("error") is None for one in cases]
    what = f"requests generated from the OpenAPI document, {EXAMPLES} examples a kind"
    failed = len(verdicts) - sum(verdicts)
    return [
        Row(what, "operations asked", len(verdicts), ">= 15", len(verdicts) >= 15),
        Row(what, "operations that broke a promise", failed, "0", failed == 0),
    ]
