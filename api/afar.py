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
        self._threads = ThreadPoolExecutor(THREADS, "read-afar", lambda: store.keep_connection())
        self._patience = patience

    async def run(
        self, work: Callable[Given, Found], *args: Given.args, **kwargs: Given.kwargs
    ) -> Found:
        """Do what reads the database.

        Raises
        ------
        TimeoutError
            It takes too long.
        """
        done = asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: work(*args, **kwargs)
        )
        async with asyncio.timeout(self._patience):
            return await done

    def close(self) -> None:
        """End the threads that are not held."""
        self._threads.shutdown(wait=False, cancel_futures=True)
