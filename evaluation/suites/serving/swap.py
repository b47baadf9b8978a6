"""Part of suite `service`: another model takes over under load; a damaged one is refused."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable

from evaluation.benchmark import Row
from evaluation.suites.serving.home import Home
from evaluation.suites.serving.load import serve
from evaluation.suites.serving.process import Server
from recommender.storage.model_folder import VERSIONS
from recommender.storage.versions import make_current

STEPS = 2
SWAPS, SENDERS = 10, 4
PATIENCE = 20.0  # seconds within which a published model has to serve


def rows(home: Home, on_step: Callable[[str], None]) -> list[Row]:
    """Publish one model after the other while lists are asked for; then publish a broken one."""
    first, second = home.versions
    on_step("changing the model under load")
    with serve(home) as server:
        stop = threading.Event()
        statuses: list[int] = []
        senders = [
            threading.Thread(target=_ask, args=(server, home, stop, statuses))
            for _ in range(SENDERS)
        ]
        for sender in senders:
            sender.start()
        swapped = 0
        for turn in range(SWAPS):
            wanted = (second, first)[turn % 2]
            make_current(home.model, wanted)
            swapped += _serves(server, home, wanted)
        on_step("publishing a damaged model")
        broken = home.model / VERSIONS / "0badc0de"
        shutil.copytree(home.model / VERSIONS / first, broken)
        (broken / "core.npz").write_bytes(b"not a model")
        make_current(home.model, broken.name)
        time.sleep(3)
        kept = _version(server, home)
        stop.set()
        for sender in senders:
            sender.join()
    make_current(home.model, first)
    shutil.rmtree(broken)
    failed = sum(status != 200 for status in statuses)
    what = f"{SWAPS} changes of the model under load, {len(statuses):,} requests"
    return [
        Row(what, "failed requests", failed, "0", failed == 0),
        Row(what, "changes that took over", swapped, str(SWAPS), swapped == SWAPS),
        Row(what, "damaged models served", int(kept != first), "0", kept == first),
    ]


def _ask(server: Server, home: Home, stop: threading.Event, statuses: list[int]) -> None:
    number = 0
    while not stop.is_set():
        number = (number * 31 + 7) % len(home.customers)
        statuses.append(server.ask(f"/recommend/{home.customers[number]}")[0])


def _serves(server: Server, home: Home, version: str) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if _version(server, home) == version:
            return True
        time.sleep(0.1)
    return False


def _version(server: Server, home: Home) -> str:
    answer = server.ask(f"/recommend/{home.customers[0]}")[1]
    return "" if answer is None else str(answer["model_version"])
