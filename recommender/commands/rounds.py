"""The same work again and again: for those without a scheduler."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from data.console import say
from data.errors import OfferError, UsageError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST = 366 * UNITS["d"]


class Ending(Exception):
    """The process was asked to end; raised between two steps of a round."""


class Rounds:
    """Rounds of work, so many seconds from one start to the next.

    Parameters
    ----------
    every : float
        Seconds; a round that takes longer is followed by the next one at once.
    most : int, optional
        How many rounds; without it they end when the process is asked to.
    """

    def __init__(self, every: float, most: int | None = None) -> None:
        self._every = every
        self._most = most
        self._ending = threading.Event()

    def end(self) -> None:
        """Ask for the end: it comes at the next step, or at once while waiting."""
        self._ending.set()

    def check(self) -> None:
        """Raise `Ending` if the end was asked for."""
        if self._ending.is_set():
            raise Ending

    def run(self, work: Callable[[], None]) -> None:
        """Work round by round; one that fails is told, and the next one comes all the same.

        Raises
        ------
        Exception
            What the very last round failed with, where their number is limited.
        """
        done = 0
        while True:
            begun = time.monotonic()
            done += 1
            last = done == self._most
            try:
                self.check()
                work()
            except Ending:
                say("Asked to end: nothing more is trained.")
                return
            except Exception as error:  # whatever it is, the next round may find it mended
                if last:
                    raise
                say(f"Round {done} failed: {_told(error)}")
            if last:
                return
            wait = max(0.0, self._every - (time.monotonic() - begun))
            if wait:
                say(f"The next round begins in {_span(wait)}.")
            self._ending.wait(wait)


@contextmanager
def ended_by_sigterm(rounds: Rounds) -> Iterator[None]:
    """Let SIGTERM end the rounds between two steps instead of killing the process within one."""

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        rounds.end()

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def parse_span(text: str) -> float:
    """Read a span of time such as 90s, 30m, 6h or 1d; in seconds.

    Raises
    ------
    UsageError
        It is none, or not between a second and a year.
    """
    found = re.fullmatch(r"(\d{1,8}(?:\.\d{1,6})?)\s*([smhd])", text.strip().lower(), re.ASCII)
    seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not 1 <= seconds <= LONGEST:
        raise UsageError(
            f"{text!r} is no span of time between a second and a year.",
            "Write it as 30m, 6h or 1d.",
        )
    return seconds


def _told(error: Exception) -> str:
    if isinstance(error, OfferError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    # What it says may quote data or a password.
    return f"{type(error).__name__}."


def _span(seconds: float) -> str:
    if seconds < UNITS["m"]:
        return f"{seconds:.0f} s"
    if seconds < UNITS["h"]:
        return f"{seconds / UNITS['m']:.0f} min"
    return f"{seconds / UNITS['h']:.1f} h"
