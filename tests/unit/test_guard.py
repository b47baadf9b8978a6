"""The guard: what is let in, what every answer carries, and that nothing gets past it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.errors import add_error_handlers
from api.guard import LARGEST_BODY, Guard, Limits
from api.limits import MOST_CALLERS, RateLimit
from api.security import Keyring
from data.keys import digest_of
from data.stored import KeyRow

KEYS = {"reader": "read", "writer": "write", "boss": "admin"}


class Keys:
    """A store that knows keys and nothing else."""

    def __init__(self, *names: str, expires_at: int | None = None) -> None:
        self.rows = tuple(
            KeyRow(name, digest_of(f"key of {name}"), (KEYS[name],), expires_at) for name in names
        )

    def keys(self) -> tuple[KeyRow, ...]:
        return self.rows


def service(keys: Any = None, limits: Limits | None = None, **more: Any) -> TestClient:
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/thing/{name}")
    async def thing(name: str, request: Request) -> dict[str, str]:
        return {"name": name, "request_id": request.state.request_id}

    @app.post("/thing")
    async def put(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.post("/parsed")
    async def parsed(body: dict[str, Any]) -> dict[str, int]:
        return {"fields": len(body)}

    @app.delete("/thing/{name}")
    async def delete(name: str) -> dict[str, str]:
        return {"gone": name}

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(5)

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {}

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret of a customer")

    keyring = Keyring(Keys() if keys is None else keys, **more)
    app.add_middleware(Guard, keyring=keyring, limits=limits or Limits())
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with service() as made:
        yield made


def test_every_answer_carries_its_name_and_the_headers_that_protect(client: TestClient) -> None:
    for answer in (client.get("/thing/a"), client.get("/nowhere"), client.post("/thing/a")):
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers


def test_a_request_keeps_a_name_of_its_own_if_that_is_harmless(client: TestClient) -> None:
    answer = client.get("/thing/a", headers={"X-Request-ID": "order_66-b"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "order_66-b"


@given(name=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80))
def test_no_name_breaks_out(name: str) -> None:
    client = service()
    answer = client.get("/thing/a", headers={"X-Request-ID": name.encode("latin-1")})  # type: ignore[dict-item]
    given_back = answer.headers["x-request-id"]
    assert json.loads(f'"{given_back}"') == given_back
    assert given_back.replace("-", "").replace("_", "").isalnum()
    assert len(given_back) <= 64


def test_a_body_past_the_limit_is_refused(client: TestClient) -> None:
    answer = client.post("/thing", content=b"x" * (LARGEST_BODY + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
    assert client.post("/thing", content=b"x" * LARGEST_BODY).json() == {"bytes": LARGEST_BODY}


@pytest.mark.parametrize("path", ["/thing", "/parsed"])
def test_a_body_that_does_not_tell_its_length_is_counted(client: TestClient, path: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY // 10_000 + 1):
            yield b"x" * 10_000

    def parts() -> Iterator[bytes]:
        for _ in range(LARGEST_BODY // 10_000 + 1):
            yield b"x" * 10_000

    answer = client.post(path, content=parts())
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


def test_a_request_that_takes_too_long_ends() -> None:
    with service(limits=Limits(seconds=0.05)) as client:
        answer = client.get("/slow")
    assert (answer.status_code, answer.json()["code"]) == (503, "TIMEOUT")
    assert answer.headers["retry-after"] == "1"


def test_a_bug_says_nothing_of_what_it_is(client: TestClient) -> None:
    answer = client.get("/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.text


def test_without_keys_only_own_names_are_answered() -> None:
    with service(limits=Limits(hosts=("localhost", "127.0.0.1", "[::1]"))) as client:
        for name in ("localhost", "localhost:8000", "127.0.0.1:1", "[::1]", "[::1]:8000"):
            assert client.get("/thing/a", headers={"host": name}).status_code == 200
        for name in ("evil.example", "localhost.evil.example", "", "127.0.0.1.evil:80"):
            answer = client.get("/thing/a", headers={"host": name})
            assert (answer.status_code, answer.json()["code"]) == (400, "BAD_HOST")


def key(name: str) -> dict[str, str]:
    return {"X-API-Key": f"key of {name}"}


def test_a_key_may_do_what_its_scope_holds() -> None:
    with service(Keys(*KEYS)) as client:
        asks = {"reader": (200, 403, 403), "writer": (200, 200, 403), "boss": (200, 200, 200)}
        for name, expected in asks.items():
            got = (
                client.get("/thing/a", headers=key(name)).status_code,
                client.post("/thing", headers=key(name), content=b"x").status_code,
                client.delete("/thing/a", headers=key(name)).status_code,
            )
            assert got == expected


@pytest.mark.parametrize(
    ("sent", "code"),
    [({}, "KEY_MISSING"), ({"X-API-Key": ""}, "KEY_MISSING"), (key("nobody"), "KEY_UNKNOWN")],
)
def test_without_a_good_key_nothing_is_told(sent: dict[str, str], code: str) -> None:
    with service(Keys("reader")) as client:
        for path in ("/thing/a", "/nowhere", "/healthy", "/static", "/docsy-not"):
            answer = client.get(path, headers=sent)
            if path == "/docsy-not":
                continue
            assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert client.get("/health/live", headers=sent).status_code == 200


def test_a_key_ends_when_it_expires() -> None:
    with service(Keys("reader", expires_at=1)) as client:
        assert client.get("/thing/a", headers=key("reader")).json()["code"] == "KEY_EXPIRED"


def test_a_public_service_without_keys_lets_nobody_in() -> None:
    with service(Keys(), open_without_keys=False) as client:
        assert client.get("/thing/a").json()["code"] == "KEY_MISSING"


def test_a_key_is_dropped_without_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys("reader", "boss")
    monkeypatch.setattr("api.security.FRESH_SECONDS", 0.0)
    with service(keys) as client:
        assert client.get("/thing/a", headers=key("reader")).status_code == 200
        keys.rows = keys.rows[1:]
        assert client.get("/thing/a", headers=key("reader")).json()["code"] == "KEY_UNKNOWN"


def test_too_many_requests_have_to_wait() -> None:
    with service(limits=Limits(per_second=0.5)) as client:
        assert client.get("/thing/a").status_code == 200
        answer = client.get("/thing/a")
    assert (answer.status_code, answer.json()["code"]) == (429, "RATE_LIMITED")
    assert int(answer.headers["retry-after"]) >= 1


@given(
    rate=st.floats(0.5, 50),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=200),
)
def test_no_more_is_let_in_than_the_rate_and_a_burst(rate: float, gaps: list[float]) -> None:
    now = 0.0
    limit = RateLimit(rate, clock=lambda: now)
    allowed = 0
    for gap in gaps:
        now += gap
        allowed += limit.wait("a") == 0.0
    assert allowed <= max(1.0, 2 * rate) + rate * now + 1e-6


def test_who_waits_as_long_as_told_is_let_in_and_callers_do_not_share() -> None:
    now = 0.0
    limit = RateLimit(1.0, clock=lambda: now)
    assert [limit.wait("a") for _ in range(2)] == [0.0, 0.0]
    wait = limit.wait("a")
    assert wait > 0
    assert limit.wait("b") == 0.0
    now += wait
    assert limit.wait("a") == 0.0


def test_callers_are_forgotten_before_memory_ends() -> None:
    limit = RateLimit(1.0)
    for number in range(MOST_CALLERS + 50):
        limit.wait(str(number))
    assert len(limit._buckets) == MOST_CALLERS
