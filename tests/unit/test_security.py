"""API keys: what each may do, that none is let in unseen, and a database that is away or slow."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from api.errors import add_error_handlers
from api.guard import Guard, Limits
from api.security import SCOPES, Keyring, Refusal, is_open_to_all, scope_of
from data.keys import digest_of, new_key
from data.stored import KeyRow

KEYS = {"reader": "read", "writer": "write", "boss": "admin"}


class Keys:
    """A store that knows keys and nothing else; it can be slow, or away."""

    def __init__(self, *names: str, expires_at: int | None = None, near: bool = True) -> None:
        self.rows = tuple(
            KeyRow(name, digest_of(f"key of {name}"), (KEYS[name],), expires_at) for name in names
        )
        self.is_near, self.is_away, self.reads = near, False, 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def keys(self) -> tuple[KeyRow, ...]:
        self.reads += 1
        self.may_answer.wait(10)
        if self.is_away:
            raise OperationalError("select", None, ConnectionError())
        return self.rows


def service(keys: Any, **more: Any) -> TestClient:
    app = FastAPI()
    add_error_handlers(app)

    @app.api_route("/thing", methods=["GET", "POST", "PUT", "DELETE"])
    async def thing() -> dict[str, str]:
        return {}

    @app.post("/recommend")
    async def recommend() -> dict[str, str]:
        return {}

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {}

    app.add_middleware(Guard, keyring=Keyring(keys, **more), limits=Limits())
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are read for every request."""
    monkeypatch.setattr("api.security.FRESH_SECONDS", 0.0)


def key(name: str) -> dict[str, str]:
    return {"X-API-Key": f"key of {name}"}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_may_do_what_its_scope_holds(name: str) -> None:
    asks = {
        ("GET", "/thing"): "read", ("POST", "/recommend"): "read", ("POST", "/thing"): "write",
        ("PUT", "/thing"): "write", ("DELETE", "/thing"): "admin",
    }  # fmt: skip
    with service(Keys(*KEYS)) as client:
        for (method, path), needed in asks.items():
            answer = client.request(method, path, headers=key(name))
            if SCOPES.index(KEYS[name]) >= SCOPES.index(needed):
                assert answer.status_code == 200
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "SCOPE_MISSING")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({}, "KEY_MISSING"),
        ({"X-API-Key": ""}, "KEY_MISSING"),
        (key("nobody"), "KEY_UNKNOWN"),
        ({"X-API-Key": "k\xe9y"}, "KEY_UNKNOWN"),
        ({"X-API-Key": digest_of("key of reader")}, "KEY_UNKNOWN"),
        ({"X-API-Key": "x" * 50_000}, "KEY_UNKNOWN"),
    ],
)
def test_without_a_good_key_nothing_is_told(sent: dict[str, str], code: str) -> None:
    raw = {name: value.encode("latin-1") for name, value in sent.items()}
    with service(Keys("reader")) as client:
        for path in ("/thing", "/nowhere", "/healthy", "/static", "/docs-not", "/metrics"):
            answer = client.get(path, headers=raw)  # type: ignore[arg-type]
            assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert client.get("/health/live", headers=raw).status_code == 200  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "is_open"),
    [
        ("/", True), ("/docs", True), ("/docs/oauth2-redirect", True), ("/openapi.json", True),
        ("/health/ready", True), ("/static/main.js", True), ("/static-offline-docs/x.js", True),
        ("/metrics", False), ("/recommend/x", False), ("//health/", False), ("/docsx", False),
        ("/health", False), ("/customers/..%2f..%2fhealth/live", False), ("", False),
    ],
)  # fmt: skip
def test_what_needs_no_key(path: str, is_open: bool) -> None:
    assert is_open_to_all(path) is is_open


@given(method=st.text(max_size=10), path=st.text(max_size=30))
def test_only_reading_can_be_done_with_the_least_scope(method: str, path: str) -> None:
    reads = method in ("GET", "HEAD", "OPTIONS") or (method, path) == ("POST", "/recommend")
    assert (scope_of(method, path) == "read") is reads


def test_a_key_ends_when_it_expires() -> None:
    with service(Keys("reader", expires_at=1)) as client:
        assert client.get("/thing", headers=key("reader")).json()["code"] == "KEY_EXPIRED"
    with service(Keys("reader", expires_at=2**62)) as client:
        assert client.get("/thing", headers=key("reader")).status_code == 200


def test_a_public_service_without_keys_lets_nobody_in() -> None:
    with service(Keys(), open_without_keys=False) as client:
        assert client.get("/thing").json()["code"] == "KEY_MISSING"


@pytest.mark.usefixtures("at_once")
def test_keys_come_and_go_without_a_restart() -> None:
    keys = Keys("reader", "boss")
    with service(keys) as client:
        assert client.get("/thing", headers=key("reader")).status_code == 200
        keys.rows = keys.rows[1:]
        assert client.get("/thing", headers=key("reader")).json()["code"] == "KEY_UNKNOWN"
        keys.rows = Keys("writer").rows
        assert client.get("/thing", headers=key("writer")).status_code == 200


def test_keys_are_not_read_for_every_request() -> None:
    keys = Keys("reader")
    with service(keys) as client:
        for _ in range(20):
            client.get("/thing", headers=key("reader"))
    assert keys.reads < 10


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("near", [True, False])
def test_while_the_database_is_away_the_last_known_keys_stay_good(near: bool) -> None:
    keys = Keys("reader", near=near)
    with service(keys) as client:
        assert client.get("/thing", headers=key("reader")).status_code == 200
        keys.is_away = True
        assert client.get("/thing", headers=key("reader")).status_code == 200
        assert client.get("/thing").status_code == 401


@pytest.mark.usefixtures("at_once")
def test_nobody_is_let_in_before_the_keys_were_ever_read() -> None:
    keys = Keys("reader")
    keys.is_away = True
    with service(keys) as client:
        for sent in ({}, key("reader")):
            answer = client.get("/thing", headers=sent)
            assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_AWAY")
            assert answer.headers["retry-after"]
        assert client.get("/health/live").status_code == 200
        keys.is_away = False
        assert client.get("/thing").json()["code"] == "KEY_MISSING"
        assert client.get("/thing", headers=key("reader")).status_code == 200


def test_who_comes_while_the_keys_are_read_for_the_first_time_waits() -> None:
    keys = Keys("reader", near=False)
    keys.may_answer.clear()
    ring = Keyring(keys)  # type: ignore[arg-type]

    async def ask() -> object:
        if ring.is_stale:
            await ring.renew()
        return ring.check(None, "read")

    async def several() -> list[object]:
        first = asyncio.create_task(ask())
        await asyncio.sleep(0.02)
        others = [asyncio.create_task(ask()) for _ in range(5)]
        await asyncio.sleep(0.02)
        others.pop().cancel()  # one that gives up takes nothing from the others
        assert not first.done()
        keys.may_answer.set()
        return list(await asyncio.gather(first, *others))

    found = asyncio.run(several())
    assert len(found) == 5
    assert all(isinstance(one, Refusal) and one.code == "KEY_MISSING" for one in found)
    assert keys.reads == 1


def test_nobody_waits_for_a_distant_database_once_the_keys_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = Keys("reader", near=False)
    ring = Keyring(keys)  # type: ignore[arg-type]

    async def ask() -> None:
        await ring.renew()
        keys.may_answer.clear()
        monkeypatch.setattr("api.security.FRESH_SECONDS", 0.0)
        assert ring.is_stale
        await asyncio.wait_for(ring.renew(), 5)
        assert isinstance(ring.check("key of reader", "read"), KeyRow)
        keys.may_answer.set()

    asyncio.run(ask())


def test_keys_are_long_and_never_alike() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    assert all(one.startswith("nbo_") and len(one) >= 40 for one in made)
    assert len(digest_of("x")) == 64
