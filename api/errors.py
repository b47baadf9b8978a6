"""Errors as JSON: a detail for people, a code for machines, never a stack trace."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from errno import errorcode
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from data.errors import BusyError

log = logging.getLogger("api")

RETRY_SECONDS = 5
RETRY = {"Retry-After": str(RETRY_SECONDS)}
MOST_NAME = 100  # characters of a name in a message
NO_OBJECT = "has to be an object"
NO_RECOMMENDER = "NO_RECOMMENDER"
METHODS = ("DELETE", "GET", "HEAD", "POST", "PUT")


class ApiError(Exception):
    """An error with a status and a code."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


def add_error_handlers(app: FastAPI) -> None:
    """Make every error of an application leave in the one form."""

    @app.exception_handler(ApiError)
    async def on_api_error(_: Request, error: ApiError) -> JSONResponse:
        # A model without offers has none a moment later either: to ask again does not help.
        away = error.status == HTTPStatus.SERVICE_UNAVAILABLE and error.code != NO_RECOMMENDER
        return problem(error.status, error.code, error.detail, RETRY if away else None)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"at": _place(one["loc"]), "problem": _in_words(one["msg"])} for one in error.errors()
        ]
        first = errors[0] if errors else {"at": "body", "problem": "is not valid"}
        detail = f"{first['at']}: {first['problem']}"
        body = {"detail": detail, "code": "VALIDATION_FAILED", "errors": errors}
        return JSONResponse(body, status_code=HTTPStatus.UNPROCESSABLE_ENTITY)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        code = getattr(error, "code", HTTPStatus(error.status_code).name)
        headers = error.headers
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers = {"Allow": ", ".join(_methods(request))}
        return problem(error.status_code, code, str(error.detail), headers)

    @app.exception_handler(DataError)
    async def on_value(_: Request, __: DataError) -> JSONResponse:
        detail = "The database has no place for one of the values; nothing was written."
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "VALUE_REFUSED", detail)

    @app.exception_handler(SQLAlchemyError)
    async def on_database(_: Request, error: SQLAlchemyError) -> JSONResponse:
        # The statement may hold personal data: only the kind of error is logged.
        log.error("database: %s", type(error).__name__)
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "DATABASE_AWAY",
            "The database does not answer; nothing was written. Try again.",
            RETRY,
        )

    @app.exception_handler(BusyError)
    async def on_busy(_: Request, __: BusyError) -> JSONResponse:
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "MODELS_BUSY",
            "The customer is out of the database and of this process's memory, and not out of the "
            "stored models, nor of other workers: a training, a release or another erasure writes "
            "to the model folder. Ask again to finish.",
            RETRY,
        )

    @app.exception_handler(OSError)
    async def on_disk(_: Request, error: OSError) -> JSONResponse:
        log.error("disk: %s", errorcode.get(error.errno or 0, type(error).__name__))
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "STORAGE_AWAY",
            "A file cannot be read or written; try again once the disk is well.",
            RETRY,
        )


def _methods(request: Request) -> list[str]:
    """Name what may be done with a path; the router's own answer stops at its first route."""
    asked = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": []}
    return [
        method
        for method in METHODS
        if any(
            route.matches({**asked, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


def told_problem(error: ValidationError | RequestValidationError) -> str:
    """Name the first thing that is wrong with a part of a body, and where."""
    first = error.errors()[0]
    where = _place(first["loc"])
    problem = NO_OBJECT if first["type"] == "model_type" else _in_words(first["msg"])
    return f"{where}: {problem}" if where else problem


def _place(parts: Iterable[Any]) -> str:
    """Say where in a request something stands; of a long name its beginning will do."""
    names = map(str, parts)
    return ".".join(one if len(one) <= MOST_NAME else f"{one[:MOST_NAME]}…" for one in names)


def _in_words(message: str) -> str:
    """Leave out what pydantic puts before messages of our own."""
    return message.removeprefix("Value error, ")


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an error response."""
    return JSONResponse({"detail": detail, "code": code}, status_code=status, headers=headers)
