"""The breaker: a database that is away costs one attempt a moment, not one a request."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy.exc import OperationalError

from api.breaker import Breaker

AWAY = OperationalError("select secret", None, ConnectionError("password"))


def test_it_lets_everything_through_until_something_fails() -> None:
    Breaker().check()


def test_it_spares_the_database_for_a_moment_and_then_tries_again() -> None:
    breaker = Breaker(rest_seconds=3600)
    breaker.trip(AWAY)
    with pytest.raises(OperationalError):
        breaker.check()
    rested = Breaker(rest_seconds=0)
    rested.trip(AWAY)
    rested.check()


def test_it_says_so_once_and_without_the_statement(caplog: pytest.LogCaptureFixture) -> None:
    breaker = Breaker(rest_seconds=3600)
    with caplog.at_level(logging.ERROR):
        breaker.trip(AWAY)
        breaker.trip(AWAY)
    assert len(caplog.records) == 1
    assert "OperationalError" in caplog.text
    assert "secret" not in caplog.text
    assert "password" not in caplog.text
