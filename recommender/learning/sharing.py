"""One kind of work on several things, shared out between threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

THREADS = 2  # what is laid out for each takes memory

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def share_out(work: Callable[[Thing], Result], things: Iterable[Thing]) -> list[Result]:
    """Do the same with each of some things; results come in their order.

    Arithmetic of large arrays leaves the interpreter's lock. What comes of it does not depend on
    the number of threads.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, things))
