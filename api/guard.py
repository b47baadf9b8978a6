"""What stands before every route, once and cheap: names, limits, keys, headers, figures.

One plain ASGI layer; the request is not made into objects on the way.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from random import getrandbits
from time import perf_counter
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import telemetry
from api.errors import problem
from api.limits import LARGEST_BODY, RateLimit, count_body, too_large
from api.security import Keyring, Refusal, is_open_to_all, scope_of

log = logging.getLogger("api.guard")

SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")  # it is put into JSON and into logs as it is
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
# The documentation's page is another's and holds a script of its own; it comes from here as well.
DOCS_POLICY = POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'").replace(
    "style-src 'self'", "style-src 'self' 'unsafe-inline'"
)
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
POLICY_HEADER = b"content-security-policy"
HEADERS = (*_ALWAYS, (POLICY_HEADER, POLICY.encode()))
DOCS_HEADERS = (*_ALWAYS, (POLICY_HEADER, DOCS_POLICY.encode()))
NOT_KEPT = (b"cache-control", b"no-store")
BROKEN = "\ufffd"  # what stands for bytes that are no text
CONTROL = re.compile(r"[\x00-\x1f]")  # no id has any, and routes are not found past a line's end
DEEPEST = 4  # places in the code that are told of an error
PORT = re.compile(r":\d*\Z")


@dataclass(frozen=True)
class Limits:
    """What is let in.

    Attributes
    ----------
    seconds : float
        A request may take.
    per_second : float
        Requests of one key or address; zero for no limit.
    hosts : collection of str
        Names that the Host header may hold while there are no keys; empty for any.
    """

    seconds: float = 30.0
    per_second: float = 0.0
    hosts: Collection[str] = ()


class Guard:
    """The layer.

    Parameters
    ----------
    app : ASGI application
    keyring : Keyring
        Who may do what.
    limits : Limits
    on_request : callable
        Told of every request.
    """

    def __init__(
        self,
        app: ASGIApp,
        keyring: Keyring,
        limits: Limits,
        on_request: Callable[[], None] = lambda: None,
    ) -> None:
        self._app, self._keyring, self._limits = app, keyring, limits
        self._on_request = on_request
        self._rate = RateLimit(limits.per_second)
        self._hosts = frozenset(limits.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = perf_counter()
        self._on_request()
        headers = dict(scope["headers"])
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        path: str = scope["path"]
        own = DOCS_HEADERS if path.startswith("/docs") else HEADERS
        name = (b"x-request-id", request_id.encode())
        status = 0

        async def reply(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = message["headers"]
                for header, _ in said:
                    if header == b"cache-control":
                        message["headers"] = [*said, *own, name]
                        break
                else:
                    message["headers"] = [*said, *own, name, NOT_KEPT]
            await send(message)

        owner = ""
        try:
            if self._keyring.is_stale:
                await self._keyring.renew()
            refusal, owner = self._judge(scope, headers, path)
            if refusal is not None:
                await _refuse(refusal, scope, receive, reply)
            else:
                async with asyncio.timeout(self._limits.seconds):
                    await self._app(scope, count_body(scope, receive, headers), reply)
        except TimeoutError:
            if status:
                raise  # half an answer is out: the connection has to end
            detail = f"The answer took longer than {self._limits.seconds:g} s."
            late = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "TIMEOUT", detail, retry_after=1)
            await _refuse(late, scope, receive, reply)
        except Exception as error:
            # Not raised further: whoever runs the application would print what the error says.
            log.error("a bug: %s at %s", type(error).__name__, _place_of(error))
            if not status:
                bug = Refusal(
                    HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "This is our mistake."
                )
                await _refuse(bug, scope, receive, reply)
        finally:
            route = getattr(scope.get("route"), "path", telemetry.NO_ROUTE)
            taken = perf_counter() - begun
            telemetry.count_request(scope["method"], route, status, taken, request_id, owner)

    def _judge(
        self, scope: Scope, headers: dict[bytes, bytes], path: str
    ) -> tuple[Refusal | None, str]:
        """Say why a request is not let in, if so, and whose it is."""
        keyring = self._keyring
        if self._hosts and keyring.is_open and _host(headers) not in self._hosts:
            detail = "This name is not one of this service's own."
            return Refusal(HTTPStatus.BAD_REQUEST, "BAD_HOST", detail), ""
        if BROKEN in path and not _is_text(scope):
            detail = "The path is not UTF-8."
            return Refusal(HTTPStatus.BAD_REQUEST, "BAD_PATH", detail), ""
        if CONTROL.search(path):
            detail = "The path has a control character."
            return Refusal(HTTPStatus.BAD_REQUEST, "BAD_PATH", detail), ""
        owner = ""
        if not is_open_to_all(path):
            key = headers.get(b"x-api-key", b"").decode("latin-1")
            found = keyring.check(key, scope_of(scope["method"], path))
            if isinstance(found, Refusal):
                return found, ""
            owner = "" if found is None else found.name
        # Whoever watches over the service may share an address with those who use it.
        if self._limits.per_second and not path.startswith("/health/"):
            client = scope.get("client")
            wait = math.ceil(self._rate.wait(owner or (client[0] if client else "")))
            if wait:
                detail = f"Too many requests; try again in {wait} s."
                return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "RATE_LIMITED", detail, wait), owner
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > LARGEST_BODY:
            return too_large(), owner
        return None, owner


def _place_of(error: BaseException) -> str:
    """Tell where an error comes from; what it says may hold personal data."""
    frames = traceback.extract_tb(error.__traceback__)[-DEEPEST:]
    return " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )


def _is_text(scope: Scope) -> bool:
    """Tell whether a path is UTF-8 as it was sent: others would all become the same id."""
    try:
        unquote_to_bytes(scope.get("raw_path", b"")).decode()
    except UnicodeDecodeError:
        return False
    return True


def _request_id(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id")
    if given is not None and SAFE_ID.match(text := given.decode("latin-1")):
        return text
    return f"{getrandbits(128):032x}"  # a name, not a secret


def _host(headers: dict[bytes, bytes]) -> str:
    name = headers.get(b"host", b"").decode("latin-1").lower()
    return name if name.endswith("]") else PORT.sub("", name)


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else None
    answer = problem(refusal.status, refusal.code, refusal.detail, headers)
    await answer(scope, receive, send)
