"""What comes in over HTTP: bodies."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from api.moments import Moment, Past
from api.values import Answers, CustomerId, Label, Number, Place, Question, ShortText, Text
from data.schema import LARGEST_INCOME

MOST_ROWS, MOST_LISTS = 1000, 256
# One of many that are judged each by itself: one that is no object keeps no other out.
Judged = Annotated[Any, WithJsonSchema({"type": "object", "additionalProperties": True})]


class Strict(BaseModel):
    """A body in which an unknown name is an error rather than silence."""

    model_config = ConfigDict(extra="forbid")


# A value of a column of the owner's.
Own = Annotated[bool, Field(strict=True)] | Number | Text | None


class Owned(BaseModel):
    """A body that may also state columns of the owner's: those that the model reads."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Own] = Field(init=False)


class Profile(Owned):
    """What a customer says of themselves; every part may be left out.

    Columns of the owner's that the model reads may be stated as well; another name is refused.
    """

    gender: Label | None = None
    age: float | None = Field(default=None, ge=0, le=120, strict=True)
    annual_income: float | None = Field(
        default=None, ge=0, le=LARGEST_INCOME, strict=True, description="In thousands."
    )
    spending_score: float | None = Field(default=None, ge=1, le=100, strict=True)
    city: Place | None = None
    signup_at: Past | None = Field(
        default=None, description="Since when they are a customer; now for whoever is new here."
    )


class Onboarding(Strict):
    """A new customer at the door."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "profile": {"gender": "Female", "age": 27, "annual_income": 28},
                    "answers": {"category:fashion": "yes", "category:fuel": "no"},
                }
            ]
        },
    )

    customer_id: CustomerId | None = None
    profile: Profile = Profile()
    answers: Answers = Field(default_factory=dict)
    skipped: list[Question] = Field(
        default_factory=list, max_length=200, description="Not to be asked; nothing is kept of it."
    )


class Event(Strict):
    """Something a customer did with an offer."""

    customer_id: CustomerId
    offer_id: ShortText
    event_type: Literal["impression", "click", "redemption"]
    occurred_at: Moment | None = Field(default=None, description="Now if not given.")
    event_id: ShortText | None = Field(default=None, description="Makes a repeat harmless.")
    position: Annotated[float, Field(ge=1, le=10_000, strict=True)] | None = None
    propensity: float | None = Field(default=None, ge=0, le=1, strict=True)
    decision_id: ShortText | None = None
    policy: Label | None = None
    value: Number | None = None


class TransactionLine(Strict):
    """One line of a transaction; lines that share customer and transaction_id belong together."""

    customer_id: CustomerId
    amount: Number
    occurred_at: Moment | None = Field(default=None, description="Now if not given.")
    transaction_id: ShortText | None = None
    item_id: ShortText | None = None
    category: Text | None = None
    merchant: Text | None = None
    quantity: Number | None = None
    discount: Number | None = None
    channel: Label | None = None


class Events(Strict):
    """A batch of events; each row is judged by itself."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "events": [
                        {
                            "event_id": "e-1",
                            "customer_id": "c0000042",
                            "offer_id": "o0001",
                            "event_type": "click",
                        }
                    ]
                }
            ]
        },
    )

    events: list[Judged] = Field(max_length=MOST_ROWS)


class Transactions(Strict):
    """A batch of transaction lines; each row is judged by itself."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "transactions": [
                        {
                            "transaction_id": "t-1",
                            "customer_id": "c0000042",
                            "amount": 35.5,
                            "category": "travel",
                        }
                    ]
                }
            ]
        },
    )

    transactions: list[Judged] = Field(max_length=MOST_ROWS)


class ListRequest(Strict):
    """One of many lists wished for; profile and answers count for this list only."""

    customer_id: CustomerId
    n: int = Field(default=10, ge=1, le=100)
    category: Place | None = Field(
        default=None, description="Only this one; empty or null for any."
    )
    exclude: list[ShortText] = Field(default_factory=list, max_length=200)
    explain: bool = True
    profile: Profile | None = None
    answers: Answers = Field(default_factory=dict)


class ListRequests(Strict):
    """Many lists at once; each request is judged by itself."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "requests": [
                        {"customer_id": "c0000042", "n": 3},
                        {"customer_id": "a-visitor", "profile": {"age": 27}, "explain": False},
                    ]
                }
            ]
        },
    )

    requests: list[Judged] = Field(max_length=MOST_LISTS)
