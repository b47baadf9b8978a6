"""How much somebody may send: requests a second, and bytes in one.

Requests are held to a bucket of tokens for each caller (Turner 1986).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from api.security import Refusal

LARGEST_BODY = 1_000_000  # bytes
MOST_CALLERS = 10_000
BURST_SECONDS = 2.0  # of requests that may come at once


class RateLimit:
    """Buckets by caller, the longest unused forgotten first.

    Parameters
    ----------
    per_second : float
        Requests a second of one caller; zero for no limit.
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = per_second, clock
        self._most = max(1.0, per_second * BURST_SECONDS)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str) -> float:
        """Take a token; return the seconds to wait where there is none, else zero."""
        if not self._rate:
            return 0.0
        now = self._clock()
        tokens, seen = self._buckets.pop(caller, (self._most, now))
        tokens = min(self._most, tokens + (now - seen) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[caller] = (tokens - allowed, now)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1.0 - tokens) / self._rate


class TooLarge(HTTPException):
    """More bytes came than a body may have; of a kind that passes whoever reads the body."""

    code = "BODY_TOO_LARGE"

    def __init__(self) -> None:
        refusal = too_large()
        super().__init__(refusal.status, refusal.detail)


def too_large() -> Refusal:
    """Say that a body is too large."""
    detail = f"A body may have {LARGEST_BODY:,} bytes."
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BODY_TOO_LARGE", detail)


def count_body(scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> Receive:
    """Count the bytes of a body whose length was not told; the server holds others to theirs.

    Where a body comes in chunks as well, its told length means nothing (RFC 9112, 6.3).

    Returns
    -------
    Receive
        Raises `TooLarge` past the largest body; the given one where nothing has to be counted.
    """
    told = b"content-length" in headers and b"transfer-encoding" not in headers
    if told or scope["method"] in ("GET", "HEAD"):
        return receive
    got = 0

    async def counting() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > LARGEST_BODY:
            raise TooLarge
        return message

    return counting
