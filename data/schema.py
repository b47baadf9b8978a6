"""Tables, columns and what may stand in them, in one place.

The contract is the dataset folder described in the README: ids are strings, times are UTC, money
is a plain number in one currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Kind(StrEnum):
    """How the values of a column are read."""

    ID = "id"
    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    FLAG = "flag"


@dataclass(frozen=True)
class Column:
    """One column: its name, how it is read, and the closed range or set that its values keep to."""

    name: str
    kind: Kind
    required: bool = False
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table: its columns and, where rows must be unique, the column that names a row."""

    name: str
    columns: tuple[Column, ...]
    key: str | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be there."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all known columns."""
        return tuple(column.name for column in self.columns)


IMPRESSION, CLICK, REDEMPTION = "impression", "click", "redemption"
EVENT_TYPES = (IMPRESSION, CLICK, REDEMPTION)
# Stands for a redemption where nothing was redeemed or clicked; no table states it.
BOUGHT = "purchase"
# What happened further in the future than this is a mistake; clocks and zones may be off by less.
AHEAD = timedelta(days=1)
YES, NO = "yes", "no"
# What a question is about; any other is one of the survey's own, with named answers.
ABOUT_CATEGORY, ABOUT_OFFER = "category:", "offer:"

CUSTOMER_ID, OFFER_ID, ITEM_ID = "customer_id", "offer_id", "item_id"
OCCURRED_AT, EVENT_TYPE, AMOUNT = "occurred_at", "event_type", "amount"
TRANSACTION_ID, EVENT_ID = "transaction_id", "event_id"
POSITION = "position"
MAX_REDEMPTIONS = "max_redemptions"
AGE, ANNUAL_INCOME, SPENDING_SCORE, GENDER = "age", "annual_income", "spending_score", "gender"


def _id(name: str) -> Column:
    return Column(name, Kind.ID, required=True)


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.TEXT) for name in names)


def _number(name: str, low: float | None = None, high: float | None = None) -> Column:
    return Column(name, Kind.NUMBER, low=low, high=high)


CUSTOMERS = Table(
    "customers",
    (
        _id(CUSTOMER_ID),
        *_text(GENDER, "city"),
        _number(AGE, 0, 120),
        _number(ANNUAL_INCOME, 0),
        _number(SPENDING_SCORE, 1, 100),
        Column("signup_at", Kind.TIME),
    ),
    key=CUSTOMER_ID,
)
OFFERS = Table(
    "offers",
    (
        _id(OFFER_ID),
        *_text("title", "category", "tags", "merchant", "kind"),
        _number("discount", 0, 1),
        _number("reward"),
        _number("cost"),
        _number("margin"),
        _number("min_spend", 0),
        Column("valid_from", Kind.TIME),
        Column("valid_until", Kind.TIME),
        Column("repeatable", Kind.FLAG),
        _number(MAX_REDEMPTIONS, 0),
    ),
    key=OFFER_ID,
)
ITEMS = Table(
    "items",
    (
        _id(ITEM_ID),
        *_text("category", "department", "brand", "merchant"),
        _number("price", 0),
    ),
    key=ITEM_ID,
)
OFFER_ITEMS = Table("offer_items", (_id(OFFER_ID), _id(ITEM_ID)))
TRANSACTIONS = Table(
    "transactions",
    (
        _id(CUSTOMER_ID),
        Column(OCCURRED_AT, Kind.TIME, required=True),
        Column(AMOUNT, Kind.NUMBER, required=True),
        Column(TRANSACTION_ID, Kind.ID),
        Column(ITEM_ID, Kind.ID),
        *_text("category", "merchant", "channel"),
        _number("quantity"),
        _number("discount"),
    ),
)
INTERACTIONS = Table(
    "interactions",
    (
        _id(CUSTOMER_ID),
        _id(OFFER_ID),
        Column(EVENT_TYPE, Kind.TEXT, required=True, allowed=EVENT_TYPES),
        Column(OCCURRED_AT, Kind.TIME, required=True),
        Column(EVENT_ID, Kind.ID),
        _number(POSITION, 1),
        _number("propensity", 0, 1),
        Column("decision_id", Kind.ID),
        *_text("policy"),
        _number("value"),
    ),
)
SURVEY_ANSWERS = Table(
    "survey_answers",
    (
        _id(CUSTOMER_ID),
        Column("question", Kind.TEXT, required=True),
        Column("answer", Kind.TEXT, required=True),
    ),
)

TABLES = {
    table.name: table
    for table in (
        CUSTOMERS,
        OFFERS,
        ITEMS,
        OFFER_ITEMS,
        TRANSACTIONS,
        INTERACTIONS,
        SURVEY_ANSWERS,
    )
}

MALL_COLUMNS = {
    "CustomerID": CUSTOMER_ID,
    "Gender": GENDER,
    "Genre": GENDER,
    "Age": AGE,
    "Annual Income (k$)": ANNUAL_INCOME,
    "Spending Score (1-100)": SPENDING_SCORE,
}
MALL_FILE = "Mall_Customers.csv"


def yes_or_no(answer: str) -> str:
    """Read an answer to a yes-no question; any other stays as it is."""
    plain = answer.strip().lower()
    return plain if plain in (YES, NO) else answer
