"""Who may do what: API keys with scopes, known by their digests, re-read without a restart."""

from __future__ import annotations

import asyncio
import hmac
import logging
import math
import time
from dataclasses import dataclass
from http import HTTPStatus

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from api.errors import RETRY_SECONDS
from data.keys import digest_of
from data.store import Store
from data.stored import KeyRow

log = logging.getLogger("api.security")

READ, WRITE, ADMIN = SCOPES = ("read", "write", "admin")  # each may do what those before it may
FRESH_SECONDS = 1.0
OPEN = ("/health/", "/static/", "/docs/", "/static-offline-docs/")
OPEN_WHOLE = frozenset({"/", "/docs", "/openapi.json", "/favicon.ico"})


@dataclass(frozen=True)
class Refusal:
    """Why a request is not let in, and after how many seconds it may be sent again (if so)."""

    status: int
    code: str
    detail: str
    retry_after: int = 0


class Keyring:
    """The keys of a database, kept in memory for a second.

    While the database is away the keys that were known last stay good. As long as they were never
    read nobody is let in: there might be some.

    Parameters
    ----------
    store : Store
        Where the digests are.
    open_without_keys : bool
        Let everybody in as long as there is no key at all: for the loopback address.
    """

    def __init__(self, store: Store, *, open_without_keys: bool = True) -> None:
        self._store = store
        self._open_without_keys = open_without_keys
        self._keys: tuple[KeyRow, ...] = ()
        self._known = False
        self._read_at = -math.inf
        self._renewing: asyncio.Future[None] | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the keys should be read again."""
        return time.monotonic() - self._read_at >= FRESH_SECONDS

    @property
    def is_open(self) -> bool:
        """Whether everybody is let in."""
        return self._open_without_keys and self._known and not self._keys

    async def renew(self) -> None:
        """Read the keys again; nobody waits for a distant database, except for the first time."""
        if self._store.is_near:
            self.read()
            return
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.ensure_future(run_in_threadpool(self.read))
        if not self._known:
            # Shielded: who gives up waiting must not end it for the others.
            await asyncio.shield(self._renewing)

    def read(self) -> None:
        """Read the keys again; the last known stay where that fails."""
        try:
            self._keys = self._store.keys()
            self._known = True
        except SQLAlchemyError as error:
            log.warning("keys could not be read (%s): the last known stay", type(error).__name__)
        finally:
            self._read_at = time.monotonic()

    def check(self, key: str | None, scope: str) -> KeyRow | Refusal | None:
        """Let a request in or not.

        Returns
        -------
        KeyRow, Refusal or None
            Whose key it is, why it is refused, or None where everybody is let in.
        """
        if self.is_open:
            return None
        if not self._known:
            detail = "The database of the API keys does not answer. Try again."
            away = HTTPStatus.SERVICE_UNAVAILABLE
            return Refusal(away, "DATABASE_AWAY", detail, RETRY_SECONDS)
        if not key:
            detail = "Send your API key as X-API-Key."
            return Refusal(HTTPStatus.UNAUTHORIZED, "KEY_MISSING", detail)
        digest = digest_of(key)
        # All are compared, so that the time taken tells nothing.
        same = [row for row in self._keys if hmac.compare_digest(row.digest, digest)]
        if not same:
            return Refusal(HTTPStatus.UNAUTHORIZED, "KEY_UNKNOWN", "This API key is not known.")
        owner = same[0]
        if owner.expires_at is not None and owner.expires_at <= time.time_ns() // 1000:
            return Refusal(HTTPStatus.UNAUTHORIZED, "KEY_EXPIRED", "This API key has expired.")
        if max(map(SCOPES.index, owner.scopes), default=-1) < SCOPES.index(scope):
            detail = f"This API key may not {scope}."
            return Refusal(HTTPStatus.FORBIDDEN, "SCOPE_MISSING", detail)
        return owner


def is_open_to_all(path: str) -> bool:
    """Tell whether a path needs no key: operations, the first page and the documentation."""
    return path in OPEN_WHOLE or path.startswith(OPEN)


def scope_of(method: str, path: str) -> str:
    """Say what a request does."""
    if method in ("GET", "HEAD", "OPTIONS") or (method == "POST" and path == "/recommend"):
        return READ
    return ADMIN if method == "DELETE" else WRITE
