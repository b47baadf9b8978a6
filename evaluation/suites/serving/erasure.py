"""Part of suite `service`: people taken out, and looked for everywhere afterwards."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from time import perf_counter
from urllib.parse import quote

from evaluation.benchmark import Row
from evaluation.suites.serving.home import Home
from evaluation.suites.serving.load import serve

STEPS = 2
PEOPLE, LONGEST = 10, 1.0  # seconds


def rows(home: Home, on_step: Callable[[str], None]) -> list[Row]:
    """Erase some customers over HTTP; then no database, model or log may hold their ids."""
    people = home.customers[:: len(home.customers) // PEOPLE][:PEOPLE]
    times, receipts = [], 0
    on_step("erasing customers")
    with serve(home) as server:
        for name in people:
            server.ask(f"/recommend/{quote(name)}")
            begun = perf_counter()
            status, _ = server.ask(f"/customers/{quote(name)}", method="DELETE")
            times.append(perf_counter() - begun)
            receipts += status == 200
        known = sum(bool(server.ask(f"/recommend/{quote(name)}")[1]["known"]) for name in people)
    on_step("looking for them")
    found = sum(_is_found(home, name) for name in people)
    what = f"{PEOPLE} customers erased, {len(home.versions)} stored models"
    return [
        Row(what, "receipts", receipts, str(PEOPLE), receipts == PEOPLE),
        Row(what, "slowest, s", max(times), f"<= {LONGEST:g}", max(times) <= LONGEST),
        Row(what, "still known to the service", known, "0", known == 0),
        Row(what, "found in rows, models or logs", found, "0", found == 0),
    ]


def _is_found(home: Home, customer_id: str) -> bool:
    command = [
        sys.executable, "-m", "recommender", "verify-erasure", customer_id,
        "--database", home.database, "--model", str(home.model),
        "--also", str(home.folder / "server.log"),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, check=False).returncode != 0
