"""The guard: what is let in, what every answer carries, and that nothing gets past it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.errors import add_error_handlers
from api.guard import Guard, Limits, _request_id
from api.limits import LARGEST_BODY, MOST_CALLERS, RateLimit, TooLarge, count_body
from api.security import Keyring


class NoKeys:
    """A store that holds no key."""

    is_near = True

    def keys(self) -> tuple[()]:
        return ()


def service(limits: Limits | None = None) -> TestClient:
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

    @app.get("/steady")
    async def steady() -> Response:
        return Response(b"{}", headers={"cache-control": "no-cache"})

    @app.get("/slow-thread")
    def slow_thread() -> None:
        time.sleep(0.3)

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(5)

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {}

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret of a customer")

    keys: Any = NoKeys()
    app.add_middleware(Guard, keyring=Keyring(keys), limits=limits or Limits())
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


@given(name=st.binary(max_size=80) | st.from_regex(rb"[\w-]{1,66}\n?", fullmatch=True))
def test_no_name_breaks_out(name: bytes) -> None:
    given_back = _request_id({b"x-request-id": name})
    assert json.loads(f'"{given_back}"') == given_back
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", given_back)


def test_what_a_route_says_about_keeping_an_answer_stands(client: TestClient) -> None:
    assert client.get("/steady").headers.get_list("cache-control") == ["no-cache"]


@given(st.integers(1, 4 * LARGEST_BODY), st.integers(1, LARGEST_BODY), st.booleans())
def test_chunks_are_counted_whatever_length_is_told(size: int, step: int, told: bool) -> None:
    """A server believes the chunks where both are there."""
    headers = {b"transfer-encoding": b"chunked"} | ({b"content-length": b"5"} if told else {})
    sizes = iter([step] * (size // step) + [size % step])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(next(sizes)), "more_body": True}

    async def read() -> None:
        counted = count_body({"type": "http", "method": "POST"}, receive, headers)
        for _ in range(size // step + 1):
            await counted()

    if size > LARGEST_BODY:
        with pytest.raises(TooLarge):
            asyncio.run(read())
    else:
        asyncio.run(read())


def test_a_body_past_the_limit_is_refused(client: TestClient) -> None:
    answer = client.post("/thing", content=b"x" * (LARGEST_BODY + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
    assert client.post("/thing", content=b"x" * LARGEST_BODY).json() == {"bytes": LARGEST_BODY}


@pytest.mark.parametrize("path", ["/thing", "/parsed"])
def test_a_body_that_does_not_tell_its_length_is_counted(client: TestClient, path: str) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(LARGEST_BODY // 10_000 + 1):
            yield b"x" * 10_000

    answer = client.post(path, content=parts())
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("path", ["/slow", "/slow-thread"])
def test_a_request_that_takes_too_long_ends(path: str) -> None:
    with service(limits=Limits(seconds=0.05)) as client:
        answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "TIMEOUT")
    assert answer.headers["retry-after"] == "1"


def test_a_bug_says_nothing_of_what_it_is(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]
    assert "secret" not in answer.text + caplog.text
    assert "RuntimeError at test_guard.py" in caplog.text


@pytest.mark.parametrize("path", ["%ff", "%fe%ff", "a%c3", "%ed%a0%80"])
def test_a_path_that_is_no_text_is_refused(client: TestClient, path: str) -> None:
    answer = client.get(f"/thing/{path}")
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_PATH")


@pytest.mark.parametrize("path", ["a%0A", "a%0Ab", "%0D", "%00", "a%01b", "%1F", "a%09"])
def test_a_path_with_a_control_character_is_refused(client: TestClient, path: str) -> None:
    answer = client.get(f"/thing/{path}")
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_PATH")


@pytest.mark.parametrize("name", ["\ufffd", "né", "\U0001d4b5"])
def test_any_text_may_stand_in_a_path(client: TestClient, name: str) -> None:
    assert client.get(f"/thing/{name}").json()["name"] == name


def test_without_keys_only_own_names_are_answered() -> None:
    with service(limits=Limits(hosts=("localhost", "127.0.0.1", "[::1]"))) as client:
        for name in ("localhost", "localhost:8000", "127.0.0.1:1", "[::1]", "[::1]:8000"):
            assert client.get("/thing/a", headers={"host": name}).status_code == 200
        for name in ("evil.example", "localhost.evil.example", "", "127.0.0.1.evil:80"):
            answer = client.get("/thing/a", headers={"host": name})
            assert (answer.status_code, answer.json()["code"]) == (400, "BAD_HOST")


def test_too_many_requests_have_to_wait() -> None:
    with service(limits=Limits(per_second=0.1)) as client:
        assert client.get("/thing/a").status_code == 200
        answer = client.get("/thing/a")
        assert {client.get("/health/live").status_code for _ in range(5)} == {200}
    assert (answer.status_code, answer.json()["code"]) == (429, "RATE_LIMITED")
    assert answer.headers["retry-after"] == "10"


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
