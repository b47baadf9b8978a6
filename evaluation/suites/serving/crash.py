"""Part of suite `service`: a server killed again and again while events come in."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import numpy as np
import sqlalchemy as sa

from data import tables
from evaluation.benchmark import Row
from evaluation.suites.serving.home import Home
from evaluation.suites.serving.load import serve
from evaluation.suites.serving.process import Server

KILLS, SENDERS, EVENTS = 50, 4, 5  # events in a request
STEPS = KILLS
SHORTEST, LONGEST = 0.05, 0.6  # seconds of load before a kill


def rows(home: Home, on_step: Callable[[str], None]) -> list[Row]:
    """Kill the server at random moments; then every acknowledged event has to be there, once."""
    random = np.random.default_rng(0)
    acknowledged: list[str] = []
    for kill in range(KILLS):
        on_step(f"killing the server, time {kill + 1}")
        server = serve(home)
        stop = threading.Event()
        senders = [
            threading.Thread(target=_send, args=(server, home, stop, acknowledged))
            for _ in range(SENDERS)
        ]
        for sender in senders:
            sender.start()
        stop.wait(random.uniform(SHORTEST, LONGEST))
        server.kill()
        stop.set()
        for sender in senders:
            sender.join()
    lost, doubled = _missing(home, acknowledged)
    what = f"{KILLS} kills under event load, {len(acknowledged):,} events acknowledged"
    return [
        Row(what, "acknowledged events lost", lost, "0", lost == 0),
        Row(what, "events doubled", doubled, "0", doubled == 0),
    ]


def _send(server: Server, home: Home, stop: threading.Event, acknowledged: list[str]) -> None:
    """Send events until told to stop; an answer that did not come is asked for no more."""
    while not stop.is_set():
        names = [uuid.uuid4().hex for _ in range(EVENTS)]
        events = [
            {
                "event_id": name,
                "customer_id": home.customers[int(name[:6], 16) % len(home.customers)],
                "offer_id": home.offers[int(name[6:12], 16) % len(home.offers)],
                "event_type": "click",
            }
            for name in names
        ]
        status, answer = server.ask("/events", {"events": events})
        if status == 202 and answer["accepted"] == EVENTS:
            acknowledged.extend(names)


def _missing(home: Home, acknowledged: list[str]) -> tuple[int, int]:
    """Count acknowledged events that the database lacks, and events that it has twice."""
    engine = sa.create_engine(home.database)
    with engine.connect() as connection:
        there = connection.execute(sa.select(tables.interactions.c.event_id)).scalars().all()
    engine.dispose()
    return len(set(acknowledged) - set(there)), len(there) - len(set(there))
