"""What routes ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from api.house import House


async def house(request: Request) -> House:
    """Return what the application was wired with."""
    # Not a plain function: that would take a thread for every request.
    found: House = request.app.state.house
    return found


HouseDependency = Annotated[House, Depends(house)]
