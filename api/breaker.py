"""A database that went away is not asked again by every request, but once in a while."""

from __future__ import annotations

import logging
import time

from sqlalchemy.exc import OperationalError, SQLAlchemyError

log = logging.getLogger("api.breaker")

REST_SECONDS = 1.0


class Breaker:
    """Remembers for a moment that the database did not answer."""

    def __init__(self, rest_seconds: float = REST_SECONDS) -> None:
        self._rest = rest_seconds
        self._until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the database is taken to be away."""
        return time.monotonic() < self._until

    def check(self) -> None:
        """Raise at once while the database is taken to be away.

        Raises
        ------
        OperationalError
            It did not answer a moment ago.
        """
        if self.is_open:
            raise OperationalError("away a moment ago", None, ConnectionError())

    def trip(self, error: SQLAlchemyError) -> None:
        """Leave the database alone for a moment."""
        if not self.is_open:
            # The statement may hold personal data: only the kind of error is logged.
            log.error("database: %s; lists are made from the model alone", type(error).__name__)
        self._until = time.monotonic() + self._rest
