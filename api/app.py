"""The application, wired in one place."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response

from api.errors import add_error_handlers, problem
from api.house import House
from api.routes import events, health, onboarding, page, recommend, segments
from api.schemas import Problem

LARGEST_BODY = 1_000_000
TITLE = "Next Best Offer"


def create_app(home: House) -> FastAPI:
    """Build the application around a model and a store.

    Parameters
    ----------
    home : House
        The model, the store and the clock; tests bring their own.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        home.store.close()

    app = FastAPI(
        title=TITLE,
        description="Segments, next best offers and their reasons.",
        version="1",
        lifespan=lifespan,
        responses={422: {"model": Problem}, 503: {"model": Problem}},
    )
    app.state.house = home
    add_error_handlers(app)
    for part in (recommend, onboarding, events, segments, health, page):
        app.include_router(part.router)

    @app.middleware("http")
    async def guard(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Name every request and refuse bodies past the limit before reading them."""
        request.state.request_id = uuid.uuid4().hex
        response = _refuse_body(request) or await call_next(request)
        response.headers["X-Request-ID"] = request.state.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return app


def _refuse_body(request: Request) -> Response | None:
    """Refuse a body whose length is not told or past the limit."""
    if request.method not in ("POST", "PUT", "PATCH"):
        return None
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        return problem(HTTPStatus.LENGTH_REQUIRED, "LENGTH_REQUIRED", "Send a Content-Length.")
    if int(length) > LARGEST_BODY:
        detail = f"A body may have {LARGEST_BODY:,} bytes."
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BODY_TOO_LARGE", detail)
    return None
