"""Files of a table as they are: CSV as strings, Parquet with its own types, nothing judged yet."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data.errors import DataError

OTHER_MARKS = {";": "semicolons", "\t": "tabs"}  # between columns, where commas should be

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True)
class Raw:
    """A table as read.

    Attributes
    ----------
    frame : DataFrame
        One row per row of the file; a ragged row stays in its place, empty.
    ragged : tuple of (int, str)
        Rows with more fields than the header: number (1 = first data row) and text.
    """

    frame: pd.DataFrame
    ragged: tuple[tuple[int, str], ...] = ()


def read_raw(path: Path) -> Raw:
    """Read a .parquet, .csv or .csv.gz file.

    Raises
    ------
    DataError
        The file is missing, empty, not UTF-8, damaged or of another kind.
    """
    if not path.is_file():
        raise DataError(f"{path} is not there.", "Check the path.")
    if path.suffix == ".parquet":
        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            problem = f"{path.name}: is not a readable Parquet file."
            raise DataError(problem, "Write it anew.") from error
        # A column that was the index when the file was written is a column like any other.
        index = [name for name in frame.index.names if name is not None and name not in frame]
        return Raw(frame.reset_index(index) if index else frame)
    if path.name.endswith((".csv", ".csv.gz")):
        return _read_csv(_text(path), path.name)
    raise DataError(f"{path.name}: unknown kind of file.", "Use .parquet, .csv or .csv.gz.")


def _text(path: Path) -> str:
    content = b""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        text = content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name}: cannot be read ({error}).", "Write it anew.") from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path.name}: line {line} is not UTF-8 (byte {error.object[error.start]:#04x}).",
            "Save the file as UTF-8.",
        ) from error
    if not text.strip():
        raise DataError(f"{path.name}: is empty.", "Give it a header and rows, or remove it.")
    return text.lstrip("\r\n")


def _read_csv(text: str, file: str) -> Raw:
    # A first pass counts fields: pandas would drop the surplus of a row without a word.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader)]
        widest = max((len(row) for row in reader), default=0)
    except csv.Error as error:
        first = text.partition("\n")[0]
        for mark, word in OTHER_MARKS.items():
            if f'"{mark}' in first or f'{mark}"' in first:
                raise DataError(
                    f"{file}: the columns are separated by {word}.", "Separate columns by commas."
                ) from error
        raise DataError(
            f"{file}: line {reader.line_num}: {error}.",
            "Check the quotation marks, and that commas separate the columns.",
        ) from error
    if len(header) > len(set(header)):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"{file}: the column {twice!r} stands there twice.", "Remove one.")
    if widest > len(header):
        return _read_ragged(text, header)
    frame = pd.read_csv(io.StringIO(text), dtype="str", keep_default_na=False, index_col=False)
    frame.columns = pd.Index(header)
    return Raw(frame)


def _read_ragged(text: str, header: list[str]) -> Raw:
    rows = csv.reader(io.StringIO(text, newline=""))
    next(rows)
    # A line of spaces alone is none, as for pandas.
    body = [row for row in rows if row and not (len(row) == 1 and row[0].isspace())]
    width = len(header)
    ragged = tuple((n, ",".join(row)) for n, row in enumerate(body, 1) if len(row) > width)
    # A ragged row stays in place, empty, so that the row numbers of the others are true.
    fitted = [
        row + [""] * (width - len(row)) if len(row) <= width else [""] * width for row in body
    ]
    return Raw(pd.DataFrame(fitted, columns=header, dtype="str"), ragged)
