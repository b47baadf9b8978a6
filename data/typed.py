"""One column of a table, typed: what its values are, and which of them are none."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import date

import numpy as np
import pandas as pd

from data.schema import Column, Kind

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
TRUE, FALSE = ("true", "1", "yes", "y", "1.0"), ("false", "0", "no", "n", "0.0")
CONTROL = r"[\x00-\x1f]"  # no address of the service holds one
Reason = tuple[np.ndarray, str, str]  # rows that cannot be used, the column, and why


def is_text(values: pd.Series) -> bool:
    """Tell whether a column holds texts, or whatever else was not typed by who wrote it."""
    return bool(pd.api.types.is_string_dtype(values) or pd.api.types.is_object_dtype(values))


def plain(values: pd.Series) -> pd.Series:
    """Read a column written as categories as the text, or the numbers, that it holds."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype("object").infer_objects()
    return values


def is_of_dates(values: pd.Series) -> bool:
    """Tell whether a column holds dates without a time, as Parquet keeps them."""
    first = values.first_valid_index() if values.dtype == object else None
    return first is not None and type(values.loc[first]) is date


def unreadable(values: pd.Series) -> str | None:
    """Say what a column holds that no value of a table is: bytes, as of a photo, or lists."""
    stated = values.dropna() if values.dtype == object else values.iloc[:0]
    for value in stated.iloc[:100]:
        if isinstance(value, bytes | bytearray):
            return "binary data"
        if not isinstance(value, Hashable):
            return "several values in one"
    return None


def typed_column(
    raw: pd.Series, column: Column, file: str, reasons: list[Reason], notes: list[str]
) -> pd.Series:
    """Type one column; add what is wrong with it to `reasons`, remarks to `notes`."""
    values = as_text(raw, column) if column.kind in (Kind.ID, Kind.TEXT) else _trimmed(raw, column)
    there = np.asarray(values.notna())
    if column.required:
        reasons.append((~there, column.name, "is missing"))
    typed: pd.Series
    match column.kind:
        case Kind.NUMBER:
            typed = pd.to_numeric(values, errors="coerce").astype("float64")
            typed = typed.mask(np.isinf(typed))
            wrong = "is not a number"
        case Kind.TIME:
            typed, unzoned = _times(values)
            wrong = "is not an ISO time such as 2025-01-31"
            if unzoned:
                notes.append(f"{file}: times in {column.name!r} have no zone and are read as UTC.")
        case Kind.FLAG:
            text = values.astype("str").str.lower()
            typed = pd.Series(pd.NA, index=raw.index, dtype="boolean")
            typed = typed.mask(text.isin(TRUE), True).mask(text.isin(FALSE), False)
            wrong = "is not true or false"
        case _:
            typed = values.astype("str")
            wrong = ""
    if wrong:
        reasons.append((there & np.asarray(typed.isna()), column.name, wrong))
    reasons += _outside(typed, column)
    if column.allowed:
        odd = there & ~np.asarray(typed.isin(column.allowed))
        if odd.any():
            typed = typed.mask(odd, typed[odd].str.lower())
            odd &= ~np.asarray(typed.isin(column.allowed))
        reasons.append((odd, column.name, f"is none of {', '.join(column.allowed)}"))
    return typed


def as_text(raw: pd.Series, column: Column) -> pd.Series:
    """Read an id, or another text, as it is written: 42 where a reader made 42.0 of it."""
    if pd.api.types.is_float_dtype(raw):
        whole = raw.dropna()
        if ((whole == whole.round()) & (whole.abs() < 2**53)).all():
            raw = raw.astype("Int64")  # a float once a value is missing
    return _trimmed(raw, column)


def _trimmed(raw: pd.Series, column: Column) -> pd.Series:
    """Take white space off texts, and those that stand for none for missing."""
    if not is_text(raw):
        return raw
    values = raw.astype("str").str.strip()
    # Somebody may be called NA; an id that may be left out is written so by R and pandas.
    absent = ("",) if column.kind is Kind.ID and column.required else MISSING
    values = values.mask(values.isin(absent))
    # A second copy of millions of texts would stay in memory.
    return raw if values.equals(raw) else values


def _outside(typed: pd.Series, column: Column) -> list[Reason]:
    """Say which values lie outside of what the column takes."""
    name, low, high, found = column.name, column.low, column.high, []
    if column.kind is Kind.NUMBER:
        number = typed.to_numpy(dtype=np.float64)
        if low is not None:
            found.append((number < low, name, f"is below {low:g}"))
        if high is not None:
            found.append((number > high, name, f"is above {high:g}"))
    if column.kind is Kind.TIME and low is not None and high is not None:
        first, end = (pd.Timestamp(int(year), 1, 1, tz="UTC") for year in (low, high + 1))
        odd = np.asarray((typed < first) | (typed >= end))
        found.append((odd, name, f"is not between the years {low:g} and {high:g}"))
    if column.kind in (Kind.ID, Kind.TEXT) and column.longest is not None:
        long = np.asarray(typed.str.len() > column.longest)
        found.append((long, name, f"has more than {column.longest} characters"))
    if column.kind is Kind.TEXT:
        nul = typed.str.contains("\0", regex=False, na=False)
        found.append((nul.to_numpy(dtype=bool), name, "holds a NUL, which no database keeps"))
    if column.kind is Kind.ID:
        broken = typed.str.contains(CONTROL, regex=True, na=False)
        found.append((broken.to_numpy(dtype=bool), name, "holds a tab or another sign of control"))
    return found


def _times(values: pd.Series) -> tuple[pd.Series, bool]:
    """Read times as UTC; the flag says whether any of them named no zone."""
    if pd.api.types.is_datetime64_any_dtype(values):
        unzoned = getattr(values.dt, "tz", None) is None
        return pd.to_datetime(values, utc=True).astype("datetime64[us, UTC]"), unzoned
    if pd.api.types.is_numeric_dtype(values):
        return pd.Series(pd.NaT, index=values.index, dtype="datetime64[us, UTC]"), False
    # "now" is no record of anything, nor is a year before Christ.
    dated = values.where(values.str.contains(r"^\d{4}", regex=True, na=False))
    typed = pd.to_datetime(dated.str.upper(), utc=True, errors="coerce", format="ISO8601")
    zoned = values.str.contains(r"(?:[Zz]|[T ].*[+-]\d\d(?::?\d\d)?)$", regex=True, na=True)
    return typed.astype("datetime64[us, UTC]"), bool((~zoned.astype(bool) & typed.notna()).any())
