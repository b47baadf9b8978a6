from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import BundleError, UsageError
from recommender.commands.rounds import Rounds, ended_by_sigterm, parse_span

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("6h", 21_600), ("1d", 86_400), ("1.5H ", 5400)],
)  # fmt: skip
def test_spans_are_read(text: str, seconds: float) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "6", "h", "6 hours", "-6h", "0h", "0.1s", "400d", "99999999999h", "inf", "٣h", "1e3s"],
)  # fmt: skip
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_span(text)


@given(st.text())
def test_any_text_is_a_span_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert 1 <= parse_span(text) <= 366 * 86_400


def test_as_many_rounds_as_asked_for() -> None:
    done: list[int] = []
    Rounds(0.001, most=3).run(lambda: done.append(1))
    assert len(done) == 3


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BundleError("The gate refuses it.", "Look."), "The gate refuses it. Look."),
        (ConnectionError("password=secret"), "ConnectionError."),
        (PermissionError(13, "Permission denied", "/a/place"), "/a/place: Permission denied."),
        (ZeroDivisionError("customer c 7"), "ZeroDivisionError."),
    ],
)
def test_a_failed_round_is_told_and_the_next_one_comes(
    error: Exception, told: str, capsys: Capture
) -> None:
    done: list[int] = []

    def work() -> None:
        done.append(1)
        if len(done) == 1:
            raise error

    Rounds(0.001, most=2).run(work)
    assert len(done) == 2
    said = capsys.readouterr().err
    assert f"Round 1 failed: {told}" in said
    assert "secret" not in said
    assert "c 7" not in said


def test_what_the_last_round_failed_with_is_the_end() -> None:
    def work() -> None:
        raise BundleError("Refused.")

    with pytest.raises(BundleError):
        Rounds(0.001, most=2).run(work)


def ended(ask: Callable[[Rounds], None]) -> list[str]:
    """Run rounds of two steps; the end is asked for within the first step."""
    rounds = Rounds(3600)
    steps: list[str] = []

    def work() -> None:
        steps.append("one")
        ask(rounds)
        rounds.check()
        steps.append("two")

    with ended_by_sigterm(rounds):
        rounds.run(work)
    return steps


def test_the_end_comes_between_two_steps() -> None:
    assert ended(Rounds.end) == ["one"]


def test_sigterm_asks_for_the_end_and_its_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert ended(lambda _: os.kill(os.getpid(), signal.SIGTERM)) == ["one"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_waiting_ends_when_the_end_is_asked_for() -> None:
    rounds = Rounds(3600)
    done: list[int] = []

    def work() -> None:
        done.append(1)
        threading.Timer(0.05, rounds.end).start()

    thread = threading.Thread(target=rounds.run, args=(work,))
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert done == [1]
