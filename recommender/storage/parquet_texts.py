"""The texts of a Parquet file, as they stand in its columns, categories and lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from data.schema import CUSTOMER_ID

ROWS = 2**16


def texts_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the texts of a file, one a line; whatever names customers counts as text.

    Raises
    ------
    ValueError
        The file is damaged, or holds what the library cannot read.
    """
    try:
        for batch in pq.ParquetFile(file).iter_batches(ROWS):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                for part in _texts(column, named=name == CUSTOMER_ID):
                    yield b"\n".join([*filter(None, part.unique().to_pylist()), b""])
    except pa.ArrowException as error:
        raise ValueError("no readable Parquet") from error


def _texts(column: pa.Array, *, named: bool = False) -> Iterator[pa.Array]:
    """Take a column apart until there are texts, as bytes."""
    kind = column.type
    if isinstance(column, pa.ExtensionArray):
        yield from _texts(column.storage, named=named)
    elif pa.types.is_dictionary(kind):
        yield from _texts(column.dictionary, named=named)
    elif pa.types.is_map(kind):
        yield from _texts(column.keys)
        yield from _texts(column.items)
    elif pa.types.is_nested(kind) and pa.types.is_struct(kind):
        for part in column.flatten():
            yield from _texts(part)
    elif pa.types.is_nested(kind):
        yield from _texts(column.flatten())
    elif pa.types.is_fixed_size_binary(kind) or pa.types.is_binary(kind):
        yield column.cast(pa.large_binary())
    elif named or _is_text(kind):
        yield column.cast(pa.large_string()).cast(pa.large_binary())


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
