"""Moments as they come in over HTTP, and as the store keeps them."""

from __future__ import annotations

import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from data.schema import AHEAD, EARLIEST, LATEST

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IN_THE_FUTURE = "lies in the future"


def as_written(value: Any) -> Any:
    """Refuse a moment that is not written as ISO 8601: of a number nobody knows the unit."""
    if isinstance(value, str) and not re.match(r"\d{4}-", value):
        raise ValueError("is not a time as ISO 8601 writes it")
    if not isinstance(value, str | datetime):
        raise ValueError("is not a time in a string, as ISO 8601 writes it")
    return value


def as_utc(moment: datetime) -> datetime:
    """Read a moment as UTC, where it names no zone as well; refuse what is not of our time."""
    utc = _in_utc(moment)
    if not EARLIEST <= utc.year <= LATEST:  # there, or the answer could not be put again
        raise ValueError(f"is not between the years {EARLIEST} and {LATEST}")
    return utc


def as_past(moment: datetime) -> datetime:
    """Refuse a moment that is yet to come."""
    if is_ahead(moment):
        raise ValueError(IN_THE_FUTURE)
    return moment


def is_ahead(moment: datetime) -> bool:
    """Tell whether a moment lies so far in the future that it is a mistake."""
    return moment > datetime.now(UTC) + AHEAD


def as_end(moment: datetime) -> datetime:
    """Read a moment as UTC; one far away stands for no end, as the year 9999 often does."""
    utc = _in_utc(moment)
    return utc if utc.year > LATEST else as_utc(utc)


def _in_utc(moment: datetime) -> datetime:
    """Turn a moment to UTC, but for the ends of the calendar: beyond these a zone may lead."""
    if moment.tzinfo is None or moment.year in (MINYEAR, MAXYEAR):
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970, as the store keeps a moment."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(stored: int) -> datetime:
    """Return the moment that the store keeps as microseconds since 1970."""
    return EPOCH + timedelta(microseconds=stored)


Moment = Annotated[datetime, BeforeValidator(as_written), AfterValidator(as_utc)]
Past = Annotated[Moment, AfterValidator(as_past)]
End = Annotated[datetime, BeforeValidator(as_written), AfterValidator(as_end)]
