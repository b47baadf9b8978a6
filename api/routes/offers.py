"""`/offers`: what there is to offer; one that is put is listed on the next request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Path, Query, Response

from api.dependencies import HouseDependency
from api.errors import ApiError
from api.moments import from_microseconds, to_microseconds
from api.schemas import ShortText
from api.schemas_offers import NewOffer, Offer, OfferPage
from data.schema import OFFER_ID, OFFERS
from recommender.bundle import Bundle

router = APIRouter(tags=["offers"])

OfferId = Annotated[ShortText, Path(description="May hold any characters.", examples=["o0001"])]
NUMBERS = ("discount", "reward", "cost", "margin", "min_spend", "max_redemptions")
TIMES = ("valid_from", "valid_until")


@router.get("/offers")
def list_offers(
    home: HouseDependency,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
    after: Annotated[
        str | None, Query(max_length=128, description="`next` of the page before.")
    ] = None,
) -> OfferPage:
    """List the offers by id: those of the model, and as they were put since."""
    bundle = home.bundle
    rows: dict[str, Mapping[str, Any]] = {str(name): {} for name in bundle.offers[OFFER_ID]}
    rows |= {row[OFFER_ID]: row for row in home.store.offers()}
    ids = sorted(name for name in rows if after is None or name > after)
    page = [_offer(rows[name] or _of_model(bundle, name)) for name in ids[:limit]]
    return OfferPage(offers=page, next=ids[limit - 1] if len(ids) > limit else None)


@router.get("/offers/{offer_id:path}")
def get_offer(home: HouseDependency, offer_id: OfferId) -> Offer:
    """Tell what an offer is."""
    row = home.store.offer(offer_id) or _of_model(home.bundle, offer_id)
    if not row:
        raise ApiError(HTTPStatus.NOT_FOUND, "NO_OFFER", "There is no such offer.")
    return _offer(row)


@router.put(
    "/offers/{offer_id:path}",
    responses={201: {"model": Offer, "description": "The offer is new."}},
)
def put_offer(
    response: Response, home: HouseDependency, offer_id: OfferId, body: NewOffer
) -> Offer:
    """Add an offer or replace it whole; the next list already knows of it."""
    terms = body.model_dump(exclude={"items", "tags", *TIMES}) | {"tags": body.joined_tags}
    for name in TIMES:
        moment = getattr(body, name)
        terms[name] = None if moment is None else to_microseconds(moment)
    known = offer_id in home.offer_ids
    new = home.store.put_offer(offer_id, terms, body.items, to_microseconds(datetime.now(UTC)))
    if new and not known:
        response.status_code = HTTPStatus.CREATED
    items = tuple(sorted(set(body.items)))
    return _offer({**terms, OFFER_ID: offer_id, "items": items})


def _of_model(bundle: Bundle, offer_id: str) -> dict[str, Any]:
    """Return a row of the model's offers in the database's terms; empty where it has none."""
    found = bundle.offers[bundle.offers[OFFER_ID] == offer_id]
    if found.empty:
        return {}
    row = found.iloc[0]
    values = {name: None if pd.isna(row[name]) else row[name] for name in OFFERS.names}
    for name in TIMES:
        values[name] = None if values[name] is None else int(row[name].value // 1000)
    return values


def _offer(row: Mapping[str, Any]) -> Offer:
    values = {name: row[name] for name in OFFERS.names}
    for name in TIMES:
        values[name] = None if values[name] is None else from_microseconds(values[name])
    for name in NUMBERS:
        values[name] = None if values[name] is None else float(values[name])
    values["tags"] = [tag for tag in (values["tags"] or "").split("|") if tag]
    values["repeatable"] = bool(values["repeatable"])
    items = row.get("items")
    return Offer(**values, items=None if items is None else list(items))
