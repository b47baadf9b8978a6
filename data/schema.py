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
    """One column: its name, how it is read, and what its values keep to.

    `low` and `high` are the closed range of numbers, or the first and the last year of times;
    `longest` is a text's most characters, `allowed` the closed set.
    """

    name: str
    kind: Kind
    required: bool = False
    low: float | None = None
    high: float | None = None
    longest: int | None = None
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
# What did not happen between these years is a mistake.
EARLIEST, LATEST = 1900, 2200
# What tables, bodies and the database take alike: characters of an id (or a name, a place, an
# answer), of a label and of a text; money and quantities; thousands a year.
LONGEST_ID, LONGEST_LABEL, LONGEST_TEXT = 128, 64, 200
LARGEST, LARGEST_INCOME = 1e12, 1e9
YES, NO = "yes", "no"
# What a question is about; any other is one of the survey's own, with named answers.
ABOUT_CATEGORY, ABOUT_OFFER = "category:", "offer:"

CUSTOMER_ID, OFFER_ID, ITEM_ID = "customer_id", "offer_id", "item_id"
OCCURRED_AT, EVENT_TYPE, AMOUNT = "occurred_at", "event_type", "amount"
TRANSACTION_ID, EVENT_ID = "transaction_id", "event_id"
POSITION = "position"
MAX_REDEMPTIONS = "max_redemptions"
AGE, ANNUAL_INCOME, SPENDING_SCORE, GENDER = "age", "annual_income", "spending_score", "gender"


def _id(name: str, *, required: bool = True) -> Column:
    return Column(name, Kind.ID, required, longest=LONGEST_ID)


def _text(*names: str, longest: int | None = None) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.TEXT, longest=longest) for name in names)


def _number(name: str, low: float | None = None, high: float | None = None) -> Column:
    return Column(name, Kind.NUMBER, low=low, high=high)


def _money(name: str, low: float = -LARGEST, *, required: bool = False) -> Column:
    return Column(name, Kind.NUMBER, required, low=low, high=LARGEST)


def _happened() -> Column:
    return Column(OCCURRED_AT, Kind.TIME, required=True, low=EARLIEST, high=LATEST)


CUSTOMERS = Table(
    "customers",
    (
        _id(CUSTOMER_ID),
        *_text(GENDER, longest=LONGEST_LABEL),
        *_text("city", longest=LONGEST_ID),
        _number(AGE, 0, 120),
        _number(ANNUAL_INCOME, 0, LARGEST_INCOME),
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
        _money("reward"),
        _money("cost"),
        _money("margin"),
        _money("min_spend", 0),
        # However far away: there they stand for no beginning and no end.
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
        _money("price", 0),
    ),
    key=ITEM_ID,
)
OFFER_ITEMS = Table("offer_items", (_id(OFFER_ID), _id(ITEM_ID)))
TRANSACTIONS = Table(
    "transactions",
    (
        _id(CUSTOMER_ID),
        _happened(),
        _money(AMOUNT, required=True),
        _id(TRANSACTION_ID, required=False),
        _id(ITEM_ID, required=False),
        *_text("category", "merchant", longest=LONGEST_TEXT),
        *_text("channel", longest=LONGEST_LABEL),
        _money("quantity"),
        _money("discount"),
    ),
)
INTERACTIONS = Table(
    "interactions",
    (
        _id(CUSTOMER_ID),
        _id(OFFER_ID),
        Column(EVENT_TYPE, Kind.TEXT, required=True, allowed=EVENT_TYPES),
        _happened(),
        _id(EVENT_ID, required=False),
        _number(POSITION, 1),
        _number("propensity", 0, 1),
        _id("decision_id", required=False),
        *_text("policy", longest=LONGEST_LABEL),
        _money("value"),
    ),
)
SURVEY_ANSWERS = Table(
    "survey_answers",
    (
        _id(CUSTOMER_ID),
        Column("question", Kind.TEXT, required=True, longest=LONGEST_TEXT),
        Column("answer", Kind.TEXT, required=True, longest=LONGEST_ID),
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
