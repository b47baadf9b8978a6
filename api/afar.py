"""Reads of a distant database: in threads of their own, and never waited for without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from data.store import Store

THREADS = 8  # connections that a worker reads by
PATIENCE = 2.0  # seconds

Given = ParamSpec("Given")
Found = TypeVar("Found")


class Afar:
    """Threads that read, each by a connection of its own.

    A database that neither answers nor refuses holds at most these threads: whoever waits is told
    so after a while, and everything else of the service goes on.

    Parameters
    ----------
    store : Store
    patience : float
        Seconds that a read may take.
    """

    def __init__(self, store: Store, patience: float = PATIENCE) -> None:
        self._store, self._patience = store, patience
        self._threads: ThreadPoolExecutor | None = None

    async def run(
        self, work: Callable[Given, Found], *args: Given.args, **kwargs: Given.kwargs
    ) -> Found:
        """Do what reads the database.

        Raises
        ------
        TimeoutError
            It takes too long.
        """
        if self._threads is None:  # the first read, or the first of an application started anew
            begin = self._store.keep_connection
            self._threads = ThreadPoolExecutor(THREADS, "read-afar", begin)
        done = asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: work(*args, **kwargs)
        )
        async with asyncio.timeout(self._patience):
            return await done

    def close(self) -> None:
        """End the threads that are not held; a later read begins others."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)
