"""A database that went away is not asked again by every request, but once in a while."""

from __future__ import annotations

import logging
import time

log = logging.getLogger("api.breaker")

REST_SECONDS = 1.0


class Resting(Exception):
    """The database did not answer a moment ago and is left alone."""


class Breaker:
    """Remembers that the database did not answer; once in a while one request finds out more."""

    def __init__(self, rest_seconds: float = REST_SECONDS) -> None:
        self._rest = rest_seconds
        self._until = 0.0
        self._tripped = False

    @property
    def is_open(self) -> bool:
        """Whether the database is taken to be away."""
        return self._tripped and time.monotonic() < self._until

    def check(self) -> None:
        """Raise at once while the database is taken to be away.

        After a rest one caller is let through; the others wait for what it finds.

        Raises
        ------
        Resting
            It did not answer a moment ago.
        """
        if not self._tripped:
            return
        if self.is_open:
            raise Resting
        self._until = time.monotonic() + self._rest

    def close(self) -> None:
        """Take notice that the database answers."""
        self._tripped = False

    def trip(self, error: Exception) -> None:
        """Leave the database alone for a moment."""
        if not self._tripped:
            # The statement may hold personal data: only the kind of error is logged.
            log.error("database: %s; lists are made from the model alone", type(error).__name__)
        self._until = time.monotonic() + self._rest
        self._tripped = True
