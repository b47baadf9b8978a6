"""`/recommend`: one list, or many at once; an id may hold anything, a slash as well."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from api.dependencies import HouseDependency
from api.errors import told_problem
from api.house import House
from api.listing import answer
from api.people import Asked
from api.schemas import ID_PATTERN, DegradedList, ListRequest, ListRequests, ListResults, OfferList
from api.telemetry import count_list
from data.store import CustomerState

router = APIRouter(tags=["recommend"])


@router.get("/recommend/{customer_id:path}", response_model=OfferList | DegradedList)
async def recommend(
    request: Request,
    home: HouseDependency,
    customer_id: Annotated[str, Path(min_length=1, max_length=128, pattern=ID_PATTERN)],
    n: Annotated[int, Query(ge=1, le=100, description="Length of the list.")] = 10,
    category: Annotated[str | None, Query(max_length=128, description="Only this one.")] = None,
    exclude: Annotated[
        str | None, Query(max_length=4000, description="Offers to leave out, comma-separated.")
    ] = None,
    explain: Annotated[bool, Query(description="With contributions and reasons.")] = True,
) -> Response:
    """List the next best offers of a customer; an unknown one gets the fallback."""
    left_out = tuple(part for part in (exclude or "").split(",") if part)
    asked = Asked(n, category, left_out, explain)
    if home.store.is_near:
        # One indexed read and, at most, some arrays: too short to be worth a thread.
        found = answer(home, customer_id, asked, request.state.request_id)
    else:
        found = await run_in_threadpool(answer, home, customer_id, asked, request.state.request_id)
    count_list(found.strategy, found.degraded)
    return Response(found.body, media_type="application/json")


@router.post("/recommend", response_model=ListResults)
def recommend_many(request: Request, home: HouseDependency, body: ListRequests) -> Response:
    """Make many lists at once; what is wrong with one request does not keep the others out."""
    results = [_one(home, raw, request.state.request_id) for raw in body.requests]
    return Response(b'{"results":[' + b",".join(results) + b"]}", media_type="application/json")


def _one(home: House, raw: dict[str, Any], request_id: str) -> bytes:
    try:
        wished = ListRequest.model_validate(raw)
    except ValidationError as error:
        problem = {"status": 422, "code": "VALIDATION_FAILED", "detail": told_problem(error)}
        return json.dumps(problem).encode()
    told = None
    if wished.profile is not None or wished.answers:
        profile = {} if wished.profile is None else wished.profile.model_dump(exclude_none=True)
        told = CustomerState(
            known=False, whole=False, profile=profile, answers=dict(wished.answers)
        )
    asked = Asked(wished.n, wished.category, tuple(wished.exclude), wished.explain)
    found = answer(home, wished.customer_id, asked, request_id, told)
    count_list(found.strategy, found.degraded)
    return b'{"status":200,"list":' + found.body + b"}"
