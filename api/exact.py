"""A misspelt query parameter is an error rather than silence, as a misspelt name in a body is.

So is one that comes twice and is no list: nobody says which of the two is meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, get_args, get_origin

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

MOST_ERRORS = 20


class Exact(APIRoute):
    """Refuses query parameters by which a route to read something cannot be asked, or not so often.

    Where a route has none of its own, whatever comes is let pass.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        usual = super().get_route_handler()
        fields = self.dependant.query_params
        if not fields or self.methods != {"GET"}:
            return usual
        known = [field.alias for field in fields]
        single = frozenset(
            field.alias for field in fields if not _is_list(field.field_info.annotation)
        )
        stranger = f"is no parameter of this route; those are {', '.join(known)}"

        async def handle(request: Request) -> Response:
            if request.scope["query_string"]:
                given = Counter(name for name, _ in request.query_params.multi_items())
                errors = [
                    {"type": "extra_forbidden", "loc": ("query", name), "msg": stranger}
                    for name in sorted(given.keys() - set(known))
                ] + [
                    {"type": "repeated", "loc": ("query", name), "msg": "may be given once only"}
                    for name in sorted(single)
                    if given[name] > 1
                ]
                if errors:
                    raise RequestValidationError(errors[:MOST_ERRORS])
            return await usual(request)

        return handle


def _is_list(annotation: Any) -> bool:
    """Tell whether a parameter takes several values; none at all it may take besides."""
    return any(get_origin(one) is list for one in (annotation, *get_args(annotation)))
