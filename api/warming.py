"""Lists made ahead, while nobody asks: so that hardly anybody waits for the first one."""

from __future__ import annotations

import asyncio
import time

from api.house import House
from api.listing import answer
from api.people import Asked, Wished
from api.served import Model

REST = 0.05  # seconds without a request after which the service counts as idle
BREATH = 0.002  # seconds between two lists, in which requests come through


class Warming:
    """Makes the usual list of each customer of the model, one at a time.

    Parameters
    ----------
    house : House
    most : int
        Customers for whom it is done; zero for none.
    """

    def __init__(self, house: House, most: int) -> None:
        self._house, self._most = house, most
        self._asked_at = 0.0

    def note(self) -> None:
        """Take notice of a request."""
        self._asked_at = time.monotonic()

    async def run(self) -> None:
        """Work until cancelled; begin again when another model takes over."""
        done: Model | None = None
        while self._most:
            model = self._house.model
            if model is not done and (model.service is None or await self._all_of(model)):
                done = model
            await asyncio.sleep(REST)

    async def _all_of(self, model: Model) -> bool:
        """Make the lists; tell whether all are made, none without the database."""
        house, asked = self._house, Asked()
        for name in model.bundle.customers.ids[: self._most]:
            while time.monotonic() - self._asked_at < REST:
                await asyncio.sleep(REST)
            if house.model is not model or house.breaker.is_open:
                return False
            if (await answer(house, Wished(str(name), asked), "")).degraded:
                return False
            await asyncio.sleep(BREATH)
        return True
