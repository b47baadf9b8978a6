"""Columns of the owner's that hold numbers, however a file wrote them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

CODE = r"\s*0\d"
WHOLE = re.compile(r"^(-?\d+)\.0+$")
LARGEST = 1e100  # of what is read: a larger one is as this, as sums and squares have an end
BEYOND_WORDS = 1e15  # numbers whose digits nobody reads
MOSTLY = 0.9  # share of what is stated that has to be numbers for a column of numbers


def is_number(values: pd.Series[Any]) -> bool:
    """Tell whether most of what a column states is a number.

    True and false are none, nor are digits that begin with a zero: those are codes, of places say.
    Dates are none either: as numbers they would depend on the unit that a file stores.
    """
    stated = values.dropna()
    if stated.empty or pd.api.types.is_bool_dtype(stated):
        return False
    if pd.api.types.is_datetime64_any_dtype(stated) or pd.api.types.is_timedelta64_dtype(stated):
        return False
    if stated.astype("str").str.match(CODE).any():
        return False
    share = pd.to_numeric(stated, errors="coerce").notna().mean()
    return float(share) >= MOSTLY


def numbers_of(values: pd.Series[Any]) -> np.ndarray:
    """Read a column as numbers, NaN where it states none."""
    stated = pd.to_numeric(values, errors="coerce")
    found = stated.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(found), np.clip(found, -LARGEST, LARGEST), np.nan)


def number_of(value: Any) -> float:
    """Read one value as `numbers_of` reads a column of them."""
    try:
        # Python reads 1_000 and the digits of other scripts as well, of which a column states none.
        number = float(pd.to_numeric(value, errors="coerce") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return np.nan
    return max(-LARGEST, min(number, LARGEST)) if np.isfinite(number) else np.nan


def plain(value: Any) -> str:
    """Write a value as text: a whole number alike in a file, in a column with gaps and in JSON."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return WHOLE.sub(r"\1", str(value).strip())


def around(number: float) -> str:
    """Write a number as people would who do not mean it exactly: 0.63, 42.4, 1994, 1,234,568."""
    digits = 2 if abs(number) < 10 else 3
    near = float(f"{number:.{digits}g}") if abs(number) < 1000 else float(round(number))
    if abs(near) >= BEYOND_WORDS:
        return f"around {near:.2g}"
    if abs(near) >= 10_000:
        return f"around {near:,.0f}"
    return f"around {np.format_float_positional(near + 0.0, trim='-')}"
