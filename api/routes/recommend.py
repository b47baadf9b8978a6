"""`/recommend`: one list, or many at once; an id may hold anything, a slash as well."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import StringConstraints, ValidationError

from api.bodies import ListRequest, ListRequests
from api.dependencies import HouseDependency
from api.errors import told_problem
from api.exact import Exact
from api.house import House
from api.listing import answer, answers
from api.owned import answers_of, profile_of
from api.people import Asked, Wished
from api.replies import DegradedList, ListResults, OfferList
from api.telemetry import count_list
from api.values import ID_PATTERN, CustomerId, Stripped
from data.schema import LONGEST_ID
from data.states import CustomerState
from recommender.bundle import Bundle

MOST_LEFT_OUT, LONGEST = 5, 1000  # so that any of them fit the 64 KiB of a request's head
ID = re.compile(ID_PATTERN)
USUAL = Asked()
LeftOut = Annotated[Stripped, StringConstraints(max_length=LONGEST)]


class Direct(Exact):
    """Lets a request that wishes for nothing but somebody's list go straight to it.

    To find out that six parameters are absent takes longer than the answer from memory. Whatever
    has a wish or is odd goes the usual way, and both end in the same function.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        usual = super().get_route_handler()
        if self.methods != {"GET"}:
            return usual

        async def handle(request: Request) -> Response:
            scope = request.scope
            customer_id: str = scope["path_params"]["customer_id"]
            odd = len(customer_id) > LONGEST_ID or customer_id != customer_id.strip()
            if scope["query_string"] or odd or not ID.match(customer_id):
                return await usual(request)
            request_id = scope["state"]["request_id"]
            return await _listed(scope["app"].state.house, Wished(customer_id, USUAL), request_id)

        return handle


router = APIRouter(tags=["recommend"], route_class=Direct)


@router.get("/recommend/{customer_id:path}", response_model=OfferList | DegradedList)
async def recommend(
    request: Request,
    home: HouseDependency,
    customer_id: Annotated[CustomerId, Path(max_length=LONGEST_ID, pattern=ID_PATTERN)],
    n: Annotated[int, Query(ge=1, le=100, description="Length of the list.")] = 10,
    category: Annotated[
        Stripped | None, Query(max_length=LONGEST_ID, description="Only this one; empty for any.")
    ] = None,
    exclude: Annotated[
        list[LeftOut] | None,
        Query(
            max_length=MOST_LEFT_OUT,
            description="Offers to leave out: separated by commas, or repeated. An id that holds "
            "a comma stands by itself. `POST /recommend` takes more.",
        ),
    ] = None,
    explain: Annotated[bool, Query(description="With contributions and reasons.")] = True,
) -> Response:
    """List the next best offers of a customer; an unknown one gets the fallback.

    Another parameter is refused, with the names of these.
    """
    left_out = tuple(_left_out(exclude, home.offer_ids)) if exclude else ()
    wished = Wished(customer_id, Asked(n, category or None, left_out, explain))
    return await _listed(home, wished, request.state.request_id)


def _left_out(given: Iterable[str], offers: Collection[str]) -> Iterator[str]:
    """Take commas as what stands between ids, but in the id of an offer.

    What is no offer yet may have been put elsewhere a moment ago: it is left out whole as well.
    """
    for part in given:
        pieces = () if part in offers else (one.strip() for one in part.split(","))
        yield from dict.fromkeys(name for name in (part, *pieces) if name)


async def _listed(home: House, wished: Wished, request_id: str) -> Response:
    found = await answer(home, wished, request_id)
    count_list(found.strategy, found.degraded)
    return Response(found.body, media_type="application/json")


@router.post("/recommend", response_model=ListResults)
async def recommend_many(request: Request, home: HouseDependency, body: ListRequests) -> Response:
    """Make many lists at once; what is wrong with one request does not keep the others out."""
    results = [b""] * len(body.requests)
    wished: dict[int, Wished] = {}
    for place, raw in enumerate(body.requests):
        try:
            wished[place] = _wished(ListRequest.model_validate(raw), home.bundle)
        except (ValidationError, RequestValidationError) as error:
            problem = {"status": 422, "code": "VALIDATION_FAILED", "detail": told_problem(error)}
            results[place] = json.dumps(problem).encode()
    found = await answers(home, list(wished.values()), request.state.request_id)
    for place, one in zip(wished, found, strict=True):
        count_list(one.strategy, one.degraded)
        results[place] = b'{"status":200,"list":' + one.body + b"}"
    return Response(b'{"results":[' + b",".join(results) + b"]}", media_type="application/json")


def _wished(request: ListRequest, bundle: Bundle) -> Wished:
    told = None
    if request.profile is not None or request.answers:
        given = request.profile
        profile = {} if given is None else profile_of(given, bundle, "profile")
        told = CustomerState(
            known=False,
            whole=False,
            profile=profile,
            answers=answers_of(request.answers, bundle, "answers"),
        )
    asked = Asked(request.n, request.category or None, tuple(request.exclude), request.explain)
    return Wished(request.customer_id, asked, told)
