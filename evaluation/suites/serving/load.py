"""Part of suite `service`: requests a second beside a bare route, in the same run, with wrk."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from evaluation.benchmark import Row, at_least, not_measured
from evaluation.suites.serving.home import Home, fill
from evaluation.suites.serving.postgres import Postgres, why_not
from evaluation.suites.serving.process import Server

STEPS = 4
CONNECTIONS, SECONDS, WARM_SECONDS = 16, 10, 20
MOST_MEMORY = 200  # MiB
MOST_WAIT = 0.25  # seconds
UNIT = {"us": 1e-3, "ms": 1.0, "s": 1e3}  # in milliseconds
# Customers are asked for at random, the way page views come; every answer has to be a list.
SCRIPT = """
local ids = {{ {ids} }}
wrk.headers["X-API-Key"] = "{key}"
request = function() return wrk.format("GET", "/recommend/" .. ids[math.random(#ids)]) end
"""


@dataclass(frozen=True)
class Load:
    """What wrk found.

    Attributes
    ----------
    per_second : float
        Requests.
    cost : float
        Seconds of the server's processor that a request took: other work does not change that.
    p99 : float
        Milliseconds of a slow request.
    failed : int
        Requests.
    """

    per_second: float
    cost: float
    p99: float
    failed: int


def rows(home: Home, on_step: Callable[[str], None]) -> list[Row]:
    """Load the service and, beside it, a bare route that returns an answer of the same size."""
    what = f"{len(home.customers):,} customers x {len(home.offers)} offers, SQLite, keys on"
    on_step("one worker under load")
    with serve(home) as server:
        _, answer = server.ask(f"/recommend/{home.customers[0]}")
        constant = home.folder / "constant.json"
        constant.write_text(json.dumps(answer, separators=(",", ":")))
        if shutil.which("wrk") is None:
            return [not_measured(what, "wrk is not installed (package wrk)")]
        wrk(server, home, WARM_SECONDS)
        # Every list is in memory: the most that it can be.
        for start in range(0, len(home.customers)):
            server.send(f"/recommend/{home.customers[start]}")
        ours = wrk(server, home, SECONDS)
        memory = server.memory()
    on_step("a bare route under load")
    with bare(home, constant) as server:
        wrk(server, home, 2)
        theirs = wrk(server, home, SECONDS)
    limit = 2 * theirs.p99 + 5
    found = [
        at_least(
            what, "requests a second / bare route's", ours.per_second / theirs.per_second, 0.3
        ),
        Row(what, "processor time a request / bare route's, times", ours.cost / theirs.cost),
        Row(what, "requests a second", ours.per_second),
        Row(what, "bare route, requests a second", theirs.per_second),
        Row(what, "99th percentile, ms", ours.p99, f"<= {limit:.3g}", ours.p99 <= limit),
        Row(what, "bare route, 99th percentile, ms", theirs.p99),
        Row(what, "failed requests", ours.failed, "0", ours.failed == 0),
        Row(
            what, "memory of the worker with everybody's list, MiB", memory,
            f"<= {MOST_MEMORY}", memory <= MOST_MEMORY,
        ),
    ]  # fmt: skip
    on_step("one worker over PostgreSQL")
    found += _distant(home, ours)
    on_step("two workers under load")
    if (os.cpu_count() or 1) < 3:
        found.append(not_measured("two workers", "that needs two cores beside the one of wrk"))
        return found
    with serve(home, "--workers", "2") as server:
        wrk(server, home, WARM_SECONDS)
        two = wrk(server, home, SECONDS)
    return [*found, at_least("two workers", "of one, times", two.per_second / ours.per_second, 1.7)]


def _distant(home: Home, near: Load) -> list[Row]:
    """Load the service over a real PostgreSQL server."""
    what = "the same over PostgreSQL on this machine"
    if missing := why_not():
        return [not_measured(what, missing)]
    postgres = Postgres()
    try:
        url = postgres.new_database()
        fill(url, home)
        with serve(home, database=url) as server:
            wrk(server, home, WARM_SECONDS)
            load = wrk(server, home, SECONDS)
            alive = _alive_while_frozen(server, home, postgres)
    finally:
        postgres.remove()
    return [
        Row(what, "requests a second", load.per_second),
        Row(what, "requests a second / over SQLite", load.per_second / near.per_second),
        Row(what, "processor time a request / over SQLite, times", load.cost / near.cost),
        Row(what, "99th percentile, ms", load.p99),
        Row(what, "failed requests", load.failed, "0", load.failed == 0),
        Row(
            what, "slowest answer of /health/live while the server hangs, s", alive,
            f"<= {MOST_WAIT:g}", alive <= MOST_WAIT,
        ),
    ]  # fmt: skip


def _alive_while_frozen(server: Server, home: Home, postgres: Postgres) -> float:
    """Freeze the database, ask for lists, and see how long the event loop takes for an answer."""
    slowest = 0.0
    postgres.freeze()
    try:
        with ThreadPoolExecutor(CONNECTIONS) as people:
            waiting = [
                people.submit(server.send, f"/recommend/{name}")
                for name in home.customers[:CONNECTIONS]
            ]
            while not all(one.done() for one in waiting):
                begun = perf_counter()
                status, _ = server.send("/health/live")
                slowest = max(slowest, perf_counter() - begun if status == 200 else float("inf"))
            if any(one.result()[0] != 200 for one in waiting):
                return float("inf")
    finally:
        postgres.thaw()
    return slowest


def serve(home: Home, *more: str, database: str | None = None, warm: bool = True) -> Server:
    """Start the service over a home.

    Parameters
    ----------
    database : str, optional
        Another database than the home's own.
    warm : bool
        Let it make lists ahead.
    """
    where = ("--data", database or home.database, "--model", str(home.model), "--at", home.at)
    return Server(
        "-m", "api", "--port", "{port}", *where, *more,
        ready="/health/ready",
        log=home.folder / "server.log",
        environment={"NBO_HOME": str(home.folder)} | ({} if warm else {"NBO_WARM": "0"}),
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
    before = server.seconds()
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
    count = re.search(r"(\d+) requests in", done)
    return Load(
        per_second=float(speed[1]) if speed else 0.0,
        cost=(server.seconds() - before) / max(1, int(count[1]) if count else 1),
        p99=float(slow[1]) * UNIT[slow[2]] if slow else float("inf"),
        failed=(int(wrong[1]) if wrong else 0) + (sum(map(int, broken.groups())) if broken else 0),
    )
