"""The breaker: a database that is away costs one attempt a moment, not one a request."""

from __future__ import annotations

import logging
import time

import pytest
from sqlalchemy.exc import OperationalError

from api.breaker import Breaker, Resting

AWAY = OperationalError("select secret", None, ConnectionError("password"))


def test_it_lets_everything_through_until_something_fails() -> None:
    Breaker().check()


def test_it_spares_the_database_for_a_moment_and_then_tries_again() -> None:
    breaker = Breaker(rest_seconds=3600)
    breaker.trip(AWAY)
    for _ in range(3):
        with pytest.raises(Resting):
            breaker.check()
    rested = Breaker(rest_seconds=0)
    rested.trip(AWAY)
    rested.check()


def test_after_a_rest_one_finds_out_while_the_others_wait() -> None:
    breaker = Breaker(rest_seconds=0.05)
    breaker.trip(AWAY)
    time.sleep(0.06)
    breaker.check()
    with pytest.raises(Resting):
        breaker.check()
    assert breaker.is_open
    breaker.close()
    breaker.check()
    assert not breaker.is_open


def test_who_is_refused_does_not_prolong_the_rest() -> None:
    breaker = Breaker(rest_seconds=0.1)
    breaker.trip(AWAY)
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            breaker.check()
            break
        except Resting:
            time.sleep(0.01)
    else:
        raise AssertionError("nobody was let through")


def test_it_says_so_once_and_without_the_statement(caplog: pytest.LogCaptureFixture) -> None:
    breaker = Breaker(rest_seconds=3600)
    with caplog.at_level(logging.ERROR):
        breaker.trip(AWAY)
        breaker.trip(AWAY)
    assert len(caplog.records) == 1
    assert "OperationalError" in caplog.text
    assert "secret" not in caplog.text
    assert "password" not in caplog.text
