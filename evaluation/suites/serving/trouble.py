"""Part of suite `service`: a full disk, a read-only volume, a database that is started again."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from data import tables
from data.errors import OfferError
from evaluation.benchmark import Row, not_measured
from evaluation.suites.serving.home import Home, fill
from evaluation.suites.serving.load import serve
from evaluation.suites.serving.postgres import Postgres, why_not
from evaluation.suites.serving.process import Server

STEPS = 3
BATCH, TRIES = 200, 200  # events in a request; requests within which a disk has to be full
ROOM = 8 * 2**20  # bytes beside the database
PATIENCE, LONGEST = 30.0, 5.0  # seconds until things have to go on; that they should take at most


def rows(home: Home, on_step: Callable[[str], None]) -> list[Row]:
    """Bring each about for real, on volumes of our own, and take it back under the service."""
    found = []
    for what, part in (
        ("a full disk", _full),
        ("a read-only volume of models", _read_only),
        ("PostgreSQL started again", _restarted),
    ):
        on_step(what)
        try:
            found += part(home, what)
        except _CannotMount as error:
            found.append(not_measured(what, str(error)))
    return found


class _CannotMount(Exception):
    pass


def _full(home: Home, what: str) -> list[Row]:
    place = home.folder / "small"
    source = Path(home.database.removeprefix("sqlite:///"))
    with _volume(place, source.stat().st_size + ROOM):
        shutil.copy(source, place / "nbo.db")
        url = f"sqlite:///{place / 'nbo.db'}"
        with serve(home, database=url) as server:
            ballast = place / "ballast"
            ballast.write_bytes(bytes(shutil.disk_usage(place).free - 2**20))
            sent: list[tuple[int, str]] = []
            lists = []
            while len(sent) < TRIES and sum(status == 503 for status, _ in sent) < 5:
                sent.append(_record(server, home, len(sent)))
                lists.append(server.ask(f"/recommend/{home.customers[len(sent)]}")[0])
            ballast.unlink()
            seconds = _until(lambda: _take(sent, _record(server, home, 0)))
        lost = _lost(url, [name for status, name in sent if status == 202])
    return [
        Row(what, "writes", len(sent)),
        _none(what, "writes answered with neither 202 nor 503", [s for s, _ in sent], (202, 503)),
        Row(
            what, "writes refused", refused := sum(status == 503 for status, _ in sent),
            ">= 1", refused >= 1,
        ),
        _none(what, "lists that did not come", lists, (200,)),
        Row(what, "acknowledged events lost", lost, "0", lost == 0),
        _soon(what, "until writes are taken again, s", seconds),
    ]  # fmt: skip


def _read_only(home: Home, what: str) -> list[Row]:
    somebody = quote(home.customers[1])
    with serve(home) as server, _bound(home.model):
        refused = server.ask(f"/customers/{somebody}", method="DELETE")
        code = "" if refused[1] is None else refused[1].get("code", "")
        lists = [server.ask(f"/recommend/{name}")[0] for name in home.customers[2:10]]
        _mount("-o", "remount,rw,bind", str(home.model))
        seconds = _until(lambda: server.ask(f"/customers/{somebody}", method="DELETE")[0] == 200)
    place = home.folder / "nowhere"
    with _volume(place, 2**20):
        _mount("-o", "remount,ro", str(place))
        try:
            serve(home, database=f"sqlite:///{place / 'nbo.db'}").stop()
            told = False
        except OfferError as error:
            told = "cannot be opened" in error.remedy
    named = code == "STORAGE_AWAY"
    return [
        Row(what, "erasures told STORAGE_AWAY", int(named), "1", named),
        _none(what, "lists that did not come", lists, (200,)),
        _soon(what, "until the erasure is done, s", seconds),
        Row("a read-only volume of facts", "start refused in words", int(told), "1", told),
    ]


def _restarted(home: Home, what: str) -> list[Row]:
    if missing := why_not():
        return [not_measured(what, missing)]
    postgres = Postgres()
    try:
        url = postgres.new_database()
        fill(url, home)
        with serve(home, database=url) as server:
            sent = [_record(server, home, 0)]
            postgres.stop()
            answers = [server.ask(f"/recommend/{name}") for name in home.customers[:50]]
            away = [server.ask("/events", {"events": [_event(home, 0)]})[0] for _ in range(5)]
            postgres.start()
            seconds = _until(
                lambda: "degraded" not in (server.ask(f"/recommend/{home.customers[0]}")[1] or {})
            )
            _take(sent, _record(server, home, 0))
        lost = _lost(url, [name for status, name in sent if status == 202])
    finally:
        postgres.remove()
    whole = sum("degraded" not in (answer or {}) for _, answer in answers)
    return [
        _none(
            what, "lists that did not come while it was away", [one for one, _ in answers], (200,)
        ),
        Row(what, "of them not marked degraded", whole, "0", whole == 0),
        _none(what, "writes answered otherwise than with 503", away, (503,)),
        _soon(what, "until lists are whole again, s", seconds),
        Row(what, "acknowledged events lost", lost, "0", lost == 0),
    ]


def _none(data: str, figure: str, statuses: list[int], good: tuple[int, ...]) -> Row:
    count = sum(status not in good for status in statuses)
    return Row(data, figure, count, "0", count == 0)


def _soon(data: str, figure: str, seconds: float) -> Row:
    return Row(data, figure, seconds, f"<= {LONGEST:g}", seconds <= LONGEST)


def _event(home: Home, number: int) -> dict[str, str]:
    return {
        "event_id": uuid.uuid4().hex,
        "customer_id": home.customers[number % len(home.customers)],
        "offer_id": home.offers[number % len(home.offers)],
        "event_type": "click",
    }


def _record(server: Server, home: Home, number: int) -> tuple[int, str]:
    """Send a batch of events; return the status and the id of one of them."""
    events = [_event(home, number + place) for place in range(BATCH)]
    return server.ask("/events", {"events": events})[0], events[-1]["event_id"]


def _take(sent: list[tuple[int, str]], one: tuple[int, str]) -> bool:
    sent.append(one)
    return one[0] == 202


def _until(holds: Callable[[], bool]) -> float:
    """Return the seconds until something holds; infinity where it never does."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > PATIENCE:
            return float("inf")
        time.sleep(0.05)
    return time.monotonic() - begun


def _lost(url: str, acknowledged: list[str]) -> int:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        there = set(connection.execute(sa.select(tables.interactions.c.event_id)).scalars())
    engine.dispose()
    return len(set(acknowledged) - there)


@contextmanager
def _volume(place: Path, size: int) -> Iterator[None]:
    """Put a small volume in memory at a place."""
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)
        place.rmdir()


@contextmanager
def _bound(place: Path) -> Iterator[None]:
    """Make a folder read-only, whatever the rights of who writes."""
    _mount("--bind", str(place), str(place))
    try:
        _mount("-o", "remount,ro,bind", str(place))
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


def _mount(*arguments: str) -> None:
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise _CannotMount("that needs the right to mount a volume") from None
