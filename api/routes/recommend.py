"""`GET /recommend/{customer_id}`: the list; an id may hold anything, a slash as well."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from api.dependencies import HouseDependency, ServiceDependency, find_person, make_list
from api.schemas import OfferList

router = APIRouter(tags=["recommend"])


@router.get("/recommend/{customer_id:path}")
async def recommend(
    request: Request,
    home: HouseDependency,
    service: ServiceDependency,
    customer_id: Annotated[str, Path(min_length=1, max_length=128)],
    n: Annotated[int, Query(ge=1, le=100, description="Length of the list.")] = 10,
    category: Annotated[str | None, Query(max_length=128, description="Only this one.")] = None,
    exclude: Annotated[
        str | None, Query(max_length=4000, description="Offers to leave out, comma-separated.")
    ] = None,
    explain: Annotated[bool, Query(description="With contributions and reasons.")] = True,
) -> OfferList:
    """List the next best offers of a customer; an unknown one gets the fallback."""
    # One indexed read and some arrays: too short to be worth a thread.
    person = find_person(home, service, customer_id)
    return make_list(
        home,
        service,
        person,
        request_id=request.state.request_id,
        n=n,
        category=category,
        exclude=[part for part in (exclude or "").split(",") if part],
        explain=explain,
    )
