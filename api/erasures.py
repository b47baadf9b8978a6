"""Erasures asked for over HTTP: they wait in threads of their own, and only a few at a time.

An erasure waits for whoever writes to the model folder. In the threads that all routes share, as
many of them as there are threads would stop every other route.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from api.errors import ApiError
from recommender.storage.erasure import Receipt

THREADS = 2  # one that writes, and one that does its part in the database meanwhile
WAITING = 30  # erasures that may wait for a thread: some seconds' worth where nobody else writes


class Erasures:
    """Threads that erase.

    Parameters
    ----------
    erase : callable
        Takes a customer's id, and the moment of `time.monotonic` at which it was asked.
    """

    def __init__(self, erase: Callable[[str, float], Receipt]) -> None:
        self._erase = erase
        self._places = threading.BoundedSemaphore(THREADS + WAITING)
        self._threads: ThreadPoolExecutor | None = None

    async def run(self, customer_id: str) -> Receipt:
        """Erase a customer.

        Raises
        ------
        ApiError
            Too many wait already; nothing was done.
        SQLAlchemyError, OSError, BusyError
            Something did not succeed; asking again does the rest.
        """
        if not self._places.acquire(blocking=False):
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "MODELS_BUSY",
                "Other erasures wait already; nothing of this one was done. Ask again.",
            )
        if self._threads is None:  # the first one, or the first of an application started anew
            self._threads = ThreadPoolExecutor(THREADS, "erase")
        try:
            done = self._threads.submit(self._erase, customer_id, time.monotonic())
        except BaseException:
            self._places.release()
            raise
        # Not when the request ends: one that gave up leaves a thread at work.
        done.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """End the threads once they have done what they are at; a later erasure begins others."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)
