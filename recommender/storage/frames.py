"""Tables to arrays and back: a bundle's tables are read without the library that reads Parquet.

Serving needs nothing else of that library, which would take a third of a worker's memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from recommender.storage.codec import Arrays, Plain

TEXT, TIME, MASKED = "text", "time", "masked"
NULLABLE = (pd.BooleanDtype, pd.Int64Dtype, pd.Float64Dtype)
END = b"\0"  # after each text, so that a search of the bytes finds whole ids


def encode_frame(frame: pd.DataFrame) -> tuple[Arrays, Plain]:
    """Take a table apart; its index is not kept.

    Returns
    -------
    arrays : dict of str to ndarray
        By place of the column; texts are their bytes and their lengths, below zero where missing.
    plain : dict
        Names and kinds of the columns, ready for JSON.
    """
    arrays: Arrays = {}
    columns = []
    for place, name in enumerate(frame.columns):
        column, here = frame[name], str(place)
        dtype = column.dtype
        kind = dtype.kind if isinstance(dtype, np.dtype) else str(dtype)
        if kind in ("b", "i", "u", "f"):
            arrays[here] = column.to_numpy()
        elif isinstance(dtype, pd.DatetimeTZDtype):
            kind = TIME
            arrays[here] = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
        elif isinstance(dtype, NULLABLE):
            kind = MASKED
            arrays[f"{here}.missing"] = column.isna().to_numpy()
            arrays[here] = column.fillna(dtype.type(0)).to_numpy(dtype=dtype.type)
        else:
            kind = TEXT
            arrays[here], arrays[f"{here}.lengths"] = _packed(column)
        columns.append({"name": str(name), "kind": kind, "dtype": str(dtype)})
    return arrays, {"columns": columns}


def decode_frame(arrays: Arrays, plain: Plain) -> pd.DataFrame:
    """Put a table together again.

    Raises
    ------
    KeyError, TypeError, ValueError
        Parts are missing or do not fit.
    """
    columns: dict[str, Any] = {}
    for place, told in enumerate(plain["columns"]):
        values, kind = arrays[str(place)], told["kind"]
        if kind == TEXT:
            texts = _unpacked(values, arrays[f"{place}.lengths"])
            columns[told["name"]] = pd.Series(texts, dtype="str")
        elif kind == TIME:
            columns[told["name"]] = pd.Series(pd.DatetimeIndex(values).tz_localize("UTC"))
        elif kind == MASKED:
            column = pd.Series(values).astype(told["dtype"])
            columns[told["name"]] = column.mask(pd.Series(arrays[f"{place}.missing"]))
        else:
            columns[told["name"]] = pd.Series(values)
    return pd.DataFrame(columns)


def _packed(column: pd.Series[Any]) -> tuple[np.ndarray, np.ndarray]:
    texts = [
        None if gone else str(value).encode()
        for value, gone in zip(column, column.isna(), strict=True)
    ]
    lengths = np.array([-1 if text is None else len(text) for text in texts], dtype=np.int32)
    whole = b"".join((text or b"") + END for text in texts)
    return np.frombuffer(whole, dtype=np.uint8), lengths


def _unpacked(values: np.ndarray, lengths: np.ndarray) -> list[str | None]:
    whole, start = values.tobytes(), 0
    same: dict[str, str] = {}  # a table says the same again and again: kept once
    texts: list[str | None] = []
    for length in lengths.tolist():
        if length < 0:
            texts.append(None)
        else:
            text = whole[start : start + length].decode()
            texts.append(same.setdefault(text, text))
        start += max(length, 0) + len(END)
    if start != len(whole):
        raise ValueError("the texts do not have the lengths that are told")
    return texts
