"""Part of suite `service`: lists that nobody asked for before, one by one and by the hundred."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import perf_counter, process_time

import numpy as np
import pandas as pd

from evaluation.benchmark import Row, at_least
from evaluation.suites.serving.home import Home
from evaluation.suites.serving.load import serve
from evaluation.suites.serving.process import Server
from recommender.facts import Facts
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.storage.model_folder import load

STEPS = 3
BATCH, ROUNDS = 256, 2
COLD, MOST_COLD = 300, 3.0  # customers, milliseconds
EVENTS = 50


def rows(home: Home, on_step: Callable[[str], None]) -> list[Row]:
    """Ask for everybody's list by the hundred; for strangers'; and for one after an event."""
    what = f"{len(home.offers)} offers, nothing made ahead"
    on_step("lists by the hundred")
    with serve(home, warm=False) as server:
        _batches(server, home, 7, explain=True)  # once, so that everything is in memory
        before = server.seconds()
        plain = max(_batches(server, home, 8, explain=False) for _ in range(ROUNDS))
        each = (server.seconds() - before) / ROUNDS / (len(home.customers) // BATCH * BATCH)
        told = max(_batches(server, home, 9, explain=True) for _ in range(ROUNDS))
    on_step("a list from a profile")
    cold = _cold(home)
    on_step("an event on one worker, the next list on another")
    unseen = _unseen(home)
    return [
        at_least(what, "lists a second by POST /recommend, made afresh", plain, 5000),
        Row(what, "the same by processor time", 1 / each),
        Row(what, "the same with contributions and reasons", told),
        Row(
            what, "cold answer from a profile, in-process, median ms of the processor", cold,
            f"<= {MOST_COLD:g}", cold <= MOST_COLD,
        ),
        Row(
            f"{EVENTS} redemptions on one worker", "not in the next list of another", unseen,
            "0", unseen == 0,
        ),
    ]  # fmt: skip


def _batches(server: Server, home: Home, n: int, *, explain: bool) -> float:
    """Return how many lists a second leave by hundreds; each length of list is one of its own."""
    bodies = [
        json.dumps(
            {
                "requests": [
                    {"customer_id": name, "n": n, "explain": explain}
                    for name in home.customers[start : start + BATCH]
                ]
            }
        ).encode()
        for start in range(0, len(home.customers) - BATCH + 1, BATCH)
    ]
    begun = perf_counter()
    answers = [server.send("/recommend", body)[1] for body in bodies]
    taken = perf_counter() - begun
    made = sum(
        one["status"] == 200 and len(one["list"]["offers"]) == n
        for answer in answers
        for one in json.loads(answer or b'{"results": []}')["results"]
    )
    return float(made / taken)


def _cold(home: Home) -> float:
    """Return the milliseconds of a list, with its reasons, for somebody who tells a profile.

    Of the processor: there is nothing to wait for, and other work on the machine does not count.
    """
    bundle = load(home.model)
    service, at = Service(bundle), pd.Timestamp(home.at)
    random = np.random.default_rng(0)
    times = []
    for number in range(COLD):
        age, income = random.integers(18, 80), random.integers(10, 150)
        facts = Facts({"age": float(age), "annual_income": float(income), "gender": "Female"})
        begun = process_time()
        query = service.query(f"stranger {number}", facts, at)
        listed = service.recommend(query, Wish(at=at))[0].offers
        service.explainer.reasons(query, listed)
        times.append(process_time() - begun)
    return float(np.median(times[COLD // 10 :])) * 1e3


def _unseen(home: Home) -> int:
    """Count redemptions told to one process that the next list of another does not know of."""
    missed = 0
    with serve(home) as here, serve(home) as there:
        for name in home.customers[-EVENTS:]:
            before = there.ask(f"/recommend/{name}")[1]["offers"]
            event = {
                "customer_id": name,
                "offer_id": before[0]["offer_id"],
                "event_type": "redemption",
            }
            status, _ = here.ask("/events", {"events": [event]})
            after = there.ask(f"/recommend/{name}")[1]["offers"]
            missed += status != 202 or after == before
    return missed
