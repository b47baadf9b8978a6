"""Columns of large tables, made without a Python object per row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


def coded(index: np.ndarray, words: Sequence[str] | np.ndarray | pd.Series[str]) -> pa.Array:
    """Return the words at `index` as a dictionary-encoded column; -1 is missing."""
    rows = pa.array(index.astype(np.int32), mask=index < 0)
    return pa.DictionaryArray.from_arrays(rows, pa.array(words, type=pa.string()))


def numbered(prefix: str, numbers: np.ndarray) -> pa.Array:
    """Return ``prefix`` followed by each number."""
    texts = pc.cast(pa.array(numbers.astype(np.int64)), pa.string())
    return pc.binary_join_element_wise(prefix, texts, "")


def times(start: pd.Timestamp, second: np.ndarray) -> pa.Array:
    """Return moments that many seconds after the start."""
    first = int(start.timestamp()) * 1_000_000
    moments = pa.array(first + (second * 1_000_000).astype(np.int64))
    return moments.cast(pa.timestamp("us", tz="UTC"))


def plain(table: pa.Table) -> pa.Table:
    """Return the table with its dictionary-encoded columns written out."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(
                place, field.name, table.column(place).cast(field.type.value_type)
            )
    return table
