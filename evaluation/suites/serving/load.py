"""Part of suite `service`: requests a second beside a bare route, in the same run, with wrk."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from evaluation.benchmark import Row, at_least, not_measured
from evaluation.suites.serving.home import Home
from evaluation.suites.serving.process import Server

STEPS = 5
CONNECTIONS, SECONDS, WARM_SECONDS = 16, 10, 20
MOST_MEMORY = 200  # MiB
BATCH = 256
UNIT = {"us": 1e-3, "ms": 1.0, "s": 1e3}  # in milliseconds
# Customers are asked for at random, the way page views come; every answer has to be a list.
SCRIPT = """
local ids = {{ {ids} }}
wrk.headers["X-API-Key"] = "{key}"
request = function() return wrk.format("GET", "/recommend/" .. ids[math.random(#ids)]) end
"""


@dataclass(frozen=True)
class Load:
    """What wrk found: requests a second, a slow request's milliseconds, and how many failed."""

    per_second: float
    p99: float
    failed: int


def rows(home: Home, on_step: Callable[[str], None]) -> list[Row]:
    """Load the service and, beside it, a bare route that returns an answer of the same size."""
    what = f"{len(home.customers):,} customers x {len(home.offers)} offers, SQLite, keys on"
    found: list[Row] = []
    on_step("one worker under load")
    with serve(home) as server:
        _, answer = server.ask(f"/recommend/{home.customers[0]}")
        constant = home.folder / "constant.json"
        constant.write_text(json.dumps(answer, separators=(",", ":")))
        if shutil.which("wrk") is None:
            return [not_measured(what, "wrk is not installed (package wrk)")]
        wrk(server, home, WARM_SECONDS)
        ours = wrk(server, home, SECONDS)
        memory = server.memory()
        on_step("lists by the hundred")
        batch = batches(server, home)
    on_step("a bare route under load")
    with bare(home, constant) as server:
        wrk(server, home, 2)
        theirs = wrk(server, home, SECONDS)
    limit = 2 * theirs.p99 + 5
    found += [
        at_least(
            what, "requests a second / bare route's", ours.per_second / theirs.per_second, 0.3
        ),
        Row(what, "requests a second", ours.per_second),
        Row(what, "bare route, requests a second", theirs.per_second),
        Row(what, "99th percentile, ms", ours.p99, f"<= {limit:.3g}", ours.p99 <= limit),
        Row(what, "bare route, 99th percentile, ms", theirs.p99),
        Row(what, "failed requests", ours.failed, "0", ours.failed == 0),
        Row(what, "memory of the worker, MiB", memory, f"<= {MOST_MEMORY}", memory <= MOST_MEMORY),
        at_least(what, "lists a second, by POST /recommend", batch, 5000),
    ]
    on_step("two workers under load")
    if (os.cpu_count() or 1) < 3:
        found.append(not_measured("two workers", "that needs two cores beside the one of wrk"))
        return found
    with serve(home, "--workers", "2") as server:
        wrk(server, home, WARM_SECONDS)
        two = wrk(server, home, SECONDS)
    return [*found, at_least("two workers", "of one, times", two.per_second / ours.per_second, 1.7)]


def serve(home: Home, *more: str) -> Server:
    """Start the service over a home."""
    where = ("--data", home.database, "--model", str(home.model), "--at", home.at)
    return Server(
        "-m", "api", "--port", "{port}", *where, *more,
        ready="/health/ready",
        log=home.folder / "server.log",
        environment={"NBO_HOME": str(home.folder)},
        key=home.key,
    )  # fmt: skip


def bare(home: Home, constant: Path) -> Server:
    """Start the bare route."""
    where = ("--port", "{port}", "--log-level", "warning", "--no-access-log")
    return Server(
        "-m", "uvicorn", "evaluation.suites.serving.bare:app", *where,
        ready="/recommend/anybody",
        log=home.folder / "bare.log",
        environment={"NBO_BARE": str(constant)},
    )  # fmt: skip


def wrk(server: Server, home: Home, seconds: int) -> Load:
    """Load a server for some seconds."""
    script = home.folder / "load.lua"
    ids = ", ".join(json.dumps(name) for name in home.customers)
    script.write_text(SCRIPT.format(ids=ids, key=home.key))
    url = f"http://127.0.0.1:{server.port}"
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script), url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", done)
    speed = re.search(r"Requests/sec:\s+([\d.]+)", done)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    broken = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", done
    )
    return Load(
        per_second=float(speed[1]) if speed else 0.0,
        p99=float(slow[1]) * UNIT[slow[2]] if slow else float("inf"),
        failed=(int(wrong[1]) if wrong else 0) + (sum(map(int, broken.groups())) if broken else 0),
    )


def batches(server: Server, home: Home) -> float:
    """Return how many lists a second leave by hundreds."""
    begun, made = perf_counter(), 0
    for start in range(0, len(home.customers), BATCH):
        requests = [{"customer_id": name} for name in home.customers[start : start + BATCH]]
        _, answer = server.ask("/recommend", {"requests": requests})
        made += sum(one["status"] == 200 for one in answer["results"]) if answer else 0
    return made / (perf_counter() - begun)
