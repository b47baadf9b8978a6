"""The checks of one table: values are typed, rows that cannot be used are named."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from data.dataset import complete, is_of_spans
from data.errors import DataError
from data.files import OTHER_MARKS
from data.schema import CUSTOMERS, EVENT_ID, LONGEST_ID, MALL_COLUMNS, Table
from data.typed import MISSING, Reason, is_of_dates, is_text, plain, typed_column, unreadable

REJECT_COLUMNS = ("row", "column", "reason")


@dataclass
class Checked:
    """What the checks made of a table: usable rows, rejected rows, remarks.

    `raw` are the rows as given, `numbers` those of them (from 1) that `frame` holds.
    """

    frame: pd.DataFrame
    rejected: pd.DataFrame
    raw: pd.DataFrame
    numbers: np.ndarray
    notes: list[str] = field(default_factory=list)

    def reject_also(self, bad: np.ndarray, column: str, reason: str) -> None:
        """Move rows of the frame to the rejected ones."""
        if not bad.any():
            return
        numbers = self.numbers[bad]
        more = reject(self.raw.iloc[numbers - 1], numbers, column, reason)
        self.rejected = pd.concat([self.rejected, more], ignore_index=True)
        self.rejected = self.rejected.sort_values("row", kind="stable", ignore_index=True)
        self.frame = self.frame[~bad].reset_index(drop=True)
        self.numbers = self.numbers[~bad]

    def refuse_too_bad(self, name: str, max_bad: float, where: str = "") -> None:
        """Raise a DataError if more than a share of the rows was rejected."""
        total = len(self.frame) + len(self.rejected)
        if len(self.rejected) and len(self.rejected) > max_bad * total:
            row, column, reason = (self.rejected.iloc[0][part] for part in REJECT_COLUMNS)
            raise DataError(
                f"{name}: {len(self.rejected)} of {total} rows "
                f"({len(self.rejected) / total:.1%}) cannot be used, more than {max_bad:.1%}; "
                f"the first: row {row}, {f'{column} {reason}'.strip()}.",
                f"{where} Correct them, or allow more with --max-bad.".strip(),
            )


def check_columns(found: list[str], table: Table, file: str) -> list[str]:
    """Check the header of a file and return remarks on columns that look misspelt.

    Raises
    ------
    DataError
        A required column is missing or a column stands there twice.
    """
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise DataError(f"{file}: the column {twice[0]!r} stands there twice.", "Remove one.")
    missing = [name for name in table.required if name not in found]
    if missing:
        also = MALL_COLUMNS if table is CUSTOMERS else {}
        for mark, word in OTHER_MARKS.items():
            parts = {part.strip(' "') for name in found for part in name.split(mark)}
            if {also.get(part, part) for part in parts}.issuperset(table.required):
                raise DataError(
                    f"{file}: the columns are separated by {word}.", "Separate columns by commas."
                )
        lower = {name.lower(): name for name in found}
        near = difflib.get_close_matches(missing[0], lower, n=1, cutoff=0.6)
        close = [lower[name] for name in near]
        hint = f"Rename {close[0]!r} to {missing[0]!r}." if close else f"Add it to {file}."
        raise DataError(
            f"{file}: the required column {missing[0]!r} is missing (found: {', '.join(found)}).",
            hint,
        )
    notes = []
    for name in found:
        close = difflib.get_close_matches(name.lower(), table.names, n=1, cutoff=0.8)
        if name not in table.names and close and close[0] not in found:
            notes.append(
                f"{file}: column {name!r} is not known and kept as an attribute; "
                f"did you mean {close[0]!r}?"
            )
    return notes


def check_rows(raw: pd.DataFrame, table: Table, file: str) -> Checked:
    """Type the values of a table and set aside the rows that cannot be used.

    Parameters
    ----------
    raw : DataFrame
        The rows as read; text columns still strings.
    table : Table
        The schema they should keep to.
    file : str
        Name to use in remarks.

    Returns
    -------
    Checked
        `rejected` has the columns row (1 = first data row), column, reason and the row's values.
    """
    raw = raw.reset_index(drop=True)
    notes = check_columns([str(name) for name in raw.columns], table, file)
    for name in raw.columns[[isinstance(kind, pd.CategoricalDtype) for kind in raw.dtypes]]:
        raw[name] = plain(raw[name])
    reasons: list[Reason] = []
    typed = raw.copy(deep=False)
    for column in table.columns:
        if column.name in raw.columns:
            typed[column.name] = typed_column(raw[column.name], column, file, reasons, notes)
    for name in raw.columns.difference(list(table.names)):
        if len(str(name)) > LONGEST_ID:
            typed = typed.drop(columns=name)
            notes.append(
                f"{file}: the name of column {str(name)[:20]!r}… has more than {LONGEST_ID} "
                "characters; it is left out."
            )
        elif (held := unreadable(raw[name])) is not None:
            typed = typed.drop(columns=name)
            notes.append(f"{file}: column {str(name)!r} holds {held} and is left out.")
        elif is_of_spans(raw[name]):
            notes.append(f"{file}: column {str(name)!r} holds spans of time and is read in days.")
        elif is_of_dates(raw[name]):
            typed[name] = pd.to_datetime(raw[name], utc=True, errors="coerce")
        elif is_text(raw[name]):
            typed[name] = raw[name].mask(raw[name].isin(MISSING))
    good = np.ones(len(raw), dtype=bool)
    for bad, _, _ in reasons:
        good &= ~bad
    for unique in (table.key, EVENT_ID):
        if unique in table.names and unique in raw.columns:
            repeated = np.zeros(len(raw), dtype=bool)
            usable = good & np.asarray(typed[unique].notna())
            repeated[usable] = typed.loc[usable, unique].duplicated().to_numpy()
            reasons.append((repeated, unique, "is already in an earlier row"))
            good &= ~repeated
    if "age" in raw.columns and good.any() and float(typed.loc[good, "age"].max()) <= 1:
        notes.append(f"{file}: every age is 1 or less; ages are years.")
    rejected = pd.concat(
        [
            reject(raw[bad], np.flatnonzero(bad) + 1, column, reason)
            for bad, column, reason in reasons
            if bad.any()
        ]
        or [pd.DataFrame(columns=list(REJECT_COLUMNS))],
        ignore_index=True,
    )
    rejected = rejected.sort_values("row", kind="stable").drop_duplicates("row")
    kept = typed if good.all() else typed[good].reset_index(drop=True)
    frame = complete(kept, table)
    numbers = np.flatnonzero(good) + 1
    return Checked(frame, rejected.reset_index(drop=True), raw, numbers, notes)


def reject(rows: pd.DataFrame, numbers: np.ndarray, column: str, reason: str) -> pd.DataFrame:
    """Put row number, column and reason before rows that cannot be used."""
    why = pd.DataFrame({"row": numbers, "column": column, "reason": reason})
    taken = {str(name) for name in rows.columns}
    renamed = {}
    for name in REJECT_COLUMNS:
        new = name
        while new in taken or new in REJECT_COLUMNS:
            new += "_value"
        renamed[name] = new
    return pd.concat([why, rows.rename(columns=renamed).reset_index(drop=True)], axis=1)
