"""Offers as they come in and go out over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from api.schemas import Moment, Number, ShortText, Strict

MOST_ITEMS, MOST_TAGS = 1000, 50
Words = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f]+$")]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f|]+$")]
Tags = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00-\x1f]*$")]
Positive = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
EXAMPLE: dict[str, JsonValue] = {
    "title": "20 % off weekend trips",
    "category": "travel",
    "tags": ["weekend", "city"],
    "kind": "discount",
    "discount": 0.2,
    "min_spend": 50,
    "valid_from": "2025-01-01T00:00:00Z",
    "items": ["i0001", "i0002"],
}


class NewOffer(Strict):
    """An offer to be stored; it replaces the one of that id as a whole."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    title: Words | None = Field(default=None, description="What people read.")
    category: ShortText | None = None
    tags: Annotated[list[Tag], Field(max_length=MOST_TAGS)] | Tags = Field(
        default_factory=list, description="A list, or words separated by |."
    )
    merchant: ShortText | None = None
    kind: ShortText | None = Field(default=None, description="Such as discount or cashback.")
    discount: float | None = Field(default=None, ge=0, le=1, description="A share of the price.")
    reward: Number | None = None
    cost: Number | None = None
    margin: Number | None = None
    min_spend: Positive | None = None
    valid_from: Moment | None = Field(default=None, description="Valid at once if not given.")
    valid_until: Moment | None = Field(default=None, description="The first moment after it.")
    repeatable: bool = Field(default=False, description="May be redeemed more than once.")
    max_redemptions: Positive | None = None
    items: list[ShortText] = Field(
        default_factory=list, max_length=MOST_ITEMS, description="The items that it is on."
    )

    @property
    def joined_tags(self) -> str | None:
        """The tags as they are stored: once each, separated by |."""
        given = self.tags.split("|") if isinstance(self.tags, str) else self.tags
        return "|".join(dict.fromkeys(tag.strip() for tag in given if tag.strip())) or None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        begins, ends = self.valid_from, self.valid_until
        if begins is not None and ends is not None and ends <= begins:
            raise ValueError("valid_until is not after valid_from")
        return self


class Offer(BaseModel):
    """An offer as it is known; one that was loaded keeps to no limits of ours."""

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
    items: list[str] | None = Field(
        description="The items that it is on; null where only the model knows the offer."
    )


class OfferPage(BaseModel):
    """Some offers in the order of their ids."""

    offers: list[Offer]
    next: str | None = Field(description="Send it as `after` for the offers that follow.")
