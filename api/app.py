"""The application, wired in one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.security import APIKeyHeader
from fastapi_offline import FastAPIOffline

from api.errors import add_error_handlers
from api.guard import Guard, Limits
from api.house import House
from api.replies import Problem
from api.routes import (
    anomalies,
    customers,
    events,
    health,
    metrics,
    offers,
    onboarding,
    page,
    recommend,
    segments,
)
from api.security import Keyring
from api.warming import Warming

TITLE = "Next Best Offer"
# Judged before any route, in `api.guard`; here so that the documentation knows of it.
KEY = APIKeyHeader(name="X-API-Key", auto_error=False, description="Needed where keys exist.")
PROBLEMS = {
    400: "The request cannot be read.",
    401: "No API key, or none that is known.",
    403: "The API key may not do this.",
    404: "There is nothing of that name.",
    413: "The body is too large.",
    422: "A value is not valid.",
    429: "Too many requests.",
    503: "The database or the model is away.",
}


def create_app(
    home: House,
    limits: Limits | None = None,
    *,
    open_without_keys: bool = True,
    warm: int = 0,
) -> FastAPI:
    """Build the application around a model and a store.

    Parameters
    ----------
    home : House
        The model, the store and the clock; tests bring their own.
    limits : Limits, optional
        What is let in.
    open_without_keys : bool
        Let everybody in as long as there is no API key: for the loopback address.
    warm : int
        Customers whose lists are made ahead.
    """
    warming = Warming(home, warm)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        home.watch()
        ahead = asyncio.create_task(warming.run())
        yield
        ahead.cancel()
        home.close()

    app = FastAPIOffline(
        title=TITLE,
        description="Segments, next best offers and their reasons.",
        version="1",
        lifespan=lifespan,
        redoc_url=None,
        favicon_url="/static/icon.svg",
    )
    app.state.house = home
    add_error_handlers(app)
    # Whoever asks for a list gets one, known or not: nothing is not found there.
    app.include_router(
        recommend.router, dependencies=[Depends(KEY)], responses=_problems(besides=404)
    )
    for part in (onboarding, events, customers, offers, segments, anomalies, metrics):
        app.include_router(part.router, dependencies=[Depends(KEY)], responses=_problems())
    for part in (health, page):
        app.include_router(part.router, responses=_problems())
    keyring = Keyring(home.store, open_without_keys=open_without_keys)
    app.add_middleware(Guard, keyring=keyring, limits=limits or Limits(), on_request=warming.note)
    return app


def _problems(besides: int | None = None) -> dict[int | str, dict[str, Any]]:
    """Describe the errors that routes answer with, but one that some never do."""
    return {
        status: {"model": Problem, "description": told}
        for status, told in PROBLEMS.items()
        if status != besides
    }
