"""`/offers`: what can be offered; a new offer is listed on the next request."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Self

import pandas as pd
from fastapi import APIRouter, Path, Query, Response
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from api.bodies import Owned
from api.catalogue import BEGIN, END, check_dates, items_of, of_model, to_be_kept
from api.dependencies import HouseDependency
from api.errors import ApiError
from api.exact import Exact
from api.house import House
from api.moments import End, Moment, microseconds, moment_of
from api.owned import check_offer
from api.values import ID_PATTERN, CustomerId, Number, ShortText, Stripped, Text
from data.rows import Row
from data.schema import LARGEST, LONGEST_ID, OFFER_ID, OFFERS
from recommender.bundle import Bundle

router = APIRouter(tags=["offers"], prefix="/offers", route_class=Exact)

MOST, MOST_ITEMS, MOST_TAGS = 200, 1000, 50
ENDLESS = (math.inf, -math.inf)  # no JSON writes these
Named = Annotated[CustomerId, Path(max_length=LONGEST_ID, pattern=ID_PATTERN, examples=["o0001"])]
Tag = Annotated[Stripped, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00|]+$")]


class OfferFacts(Owned):
    """What is put of an offer: what is left out stays as it is, and null empties it.

    Columns of the owner's that the model's offers have may be stated as well; another name is
    refused.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "10% off your next flight",
                    "category": "travel",
                    "kind": "discount",
                    "discount": 0.1,
                    "tags": ["summer"],
                }
            ]
        },
    )

    title: Text | None = None
    category: Text | None = None
    tags: list[Tag] | None = Field(
        default=None, max_length=MOST_TAGS, description="As a list, or as `a|b`."
    )
    merchant: Text | None = None
    kind: Text | None = None
    discount: float | None = Field(default=None, ge=0, le=1, strict=True)
    reward: Number | None = None
    cost: Number | None = None
    margin: Number | None = None
    min_spend: float | None = Field(default=None, ge=0, le=LARGEST, strict=True)
    valid_from: Moment | None = None
    valid_until: End | None = None
    repeatable: Annotated[bool, Field(strict=True)] | None = Field(
        default=None, description="Null for false."
    )
    max_redemptions: float | None = Field(default=None, ge=0, le=1e9, strict=True)
    items: list[ShortText] | None = Field(default=None, max_length=MOST_ITEMS)

    @field_validator("tags", mode="before")
    @classmethod
    def _parts(cls, given: Any) -> Any:
        """Take the form of the dataset's tables as well."""
        return (
            given
            if not isinstance(given, str)
            else [tag for tag in given.split("|") if tag.strip()]
        )

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("valid_until has to lie after valid_from")
        return self


class Offer(BaseModel):
    """An offer, with the owner's own columns; `items` is null where nobody knows them."""

    model_config = ConfigDict(extra="allow")

    offer_id: str
    title: str | None
    category: str | None
    tags: list[str]
    merchant: str | None
    kind: str | None
    discount: float | None
    reward: float | None
    cost: float | None
    margin: float | None
    min_spend: float | None
    valid_from: datetime | None
    valid_until: datetime | None
    repeatable: bool
    max_redemptions: float | None
    items: list[str] | None


class Offers(BaseModel):
    """A page of offers by id; `next` goes into `after` for the page that follows."""

    offers: list[Offer]
    next: str | None


@router.get("")
def offers(
    home: HouseDependency,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    after: Annotated[
        str | None, Query(max_length=LONGEST_ID, description="`next` of a page.")
    ] = None,
) -> Offers:
    """List the offers that the model knows, those put since it was made among them."""
    model = home.current(home.store.revisions("")[1])
    table = model.bundle.offers.sort_values(OFFER_ID, kind="stable")
    table = table[table[OFFER_ID] > after] if after is not None else table
    page = [_of_model(model.bundle, row) for row in table.head(limit).to_dict("records")]
    more = len(table) > limit
    return Offers(offers=page, next=page[-1].offer_id if more else None)


@router.get("/{offer_id:path}")
def read(home: HouseDependency, offer_id: Named) -> Offer:
    """Tell what is known of an offer; 404 where nothing is."""
    found = _read(home, offer_id)
    if found is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "NO_OFFER", "There is no such offer.")
    return found


@router.put(
    "/{offer_id:path}", responses={201: {"model": Offer, "description": "The offer is new."}}
)
def put(home: HouseDependency, response: Response, offer_id: Named, body: OfferFacts) -> Offer:
    """Add an offer or update what is given; from the next request on it is listed where it suits.

    `valid_until` alone, in the past, ends an offer. Otherwise a date that leaves no moment until,
    or since, the one that is kept is refused: then both are to be stated.
    """
    known, bundle = offer_id in home.offer_ids, home.bundle
    check_offer(body, bundle, "body")
    values = body.model_dump(exclude_unset=True)
    items = (values.pop("items") or []) if "items" in values else None
    if "tags" in values:
        values["tags"] = "|".join(values["tags"] or ()) or None
    if "repeatable" in values:
        values["repeatable"] = bool(values["repeatable"])
    for name in (BEGIN, END):
        if values.get(name) is not None:
            values[name] = microseconds(values[name])
    kept = home.store.offer(offer_id) or to_be_kept(bundle, offer_id)
    check_dates(values, kept)
    new = home.store.put_offer(offer_id, values, items, microseconds(datetime.now(UTC)), kept)
    if new and not known:
        response.status_code = HTTPStatus.CREATED
    return _of_store(home.store.offer(offer_id) or {})


def _read(house: House, offer_id: str) -> Offer | None:
    stored = house.store.offer(offer_id)
    if stored is not None:
        return _of_store(stored)
    own = of_model(house.bundle, offer_id)
    return None if own is None else _of_model(house.bundle, own)


def _of_store(row: Row) -> Offer:
    times = {name: None if row[name] is None else moment_of(row[name]) for name in (BEGIN, END)}
    return Offer(**_told({**row, **times}, list(row["items"])))


def _of_model(bundle: Bundle, row: dict[Any, Any]) -> Offer:
    known = {name: None if pd.isna(one) else one for name, one in row.items()}
    return Offer(**_told(known, items_of(bundle, str(row[OFFER_ID]))))


def _told(row: Row, items: list[str] | None) -> Row:
    own = {name: row[name] for name in row if name not in OFFERS.names}
    return {
        **{name: one for name, one in own.items() if one is not None and one not in ENDLESS},
        **{name: row[name] for name in OFFERS.names},
        "tags": [tag for tag in (row["tags"] or "").split("|") if tag],
        "repeatable": bool(row["repeatable"]),
        "items": items,
    }
