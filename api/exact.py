"""A misspelt query parameter is an error rather than silence, as a misspelt name in a body is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

MOST_ERRORS = 20


class Exact(APIRoute):
    """Refuses query parameters that are none of those by which a route to read something is asked.

    Where a route has none of its own, whatever comes is let pass.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        usual = super().get_route_handler()
        known = [field.alias for field in self.dependant.query_params]
        if not known or self.methods != {"GET"}:
            return usual
        names = frozenset(known)
        problem = f"is no parameter of this route; those are {', '.join(known)}"

        async def handle(request: Request) -> Response:
            if request.scope["query_string"] and (other := request.query_params.keys() - names):
                errors = [
                    {"type": "extra_forbidden", "loc": ("query", name), "msg": problem}
                    for name in sorted(other)[:MOST_ERRORS]
                ]
                raise RequestValidationError(errors)
            return await usual(request)

        return handle
