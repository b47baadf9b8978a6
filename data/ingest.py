"""A dataset folder in: files found, read, checked; what cannot be used goes to quarantine."""

from __future__ import annotations

import datetime
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from data.checks import Checked, check_rows
from data.dataset import Dataset
from data.errors import DataError, UsageError
from data.files import read_raw
from data.schema import (
    MALL_COLUMNS,
    MALL_FILE,
    TABLES,
    Table,
)
from data.together import check_together
from data.words import form

ENDINGS = (".parquet", ".csv", ".csv.gz")
MAX_BAD = 0.01
QUARANTINE = "quarantine"


@dataclass
class Intake:
    """A dataset as read, with the rows that were rejected per table and remarks for the reader."""

    dataset: Dataset
    rows: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, checked: Mapping[str, Checked]) -> Intake:
        """Collect checked tables, by name."""
        intake = cls(Dataset.of({name: table.frame for name, table in checked.items()}))
        for name, table in checked.items():
            intake.rows[name] = len(table.frame) + len(table.rejected)
            intake.notes += table.notes
            if not intake.rows[name]:
                intake.notes.append(f"The table {name} has a header but no rows.")
            if len(table.rejected):
                intake.rejected[name] = table.rejected
        return intake

    def remarks(self) -> list[str]:
        """Say everything the reader should know: notes, and what was left out for which reason."""
        said = list(self.notes)
        for name, rows in self.rejected.items():
            counts = (rows["column"] + " " + rows["reason"]).str.strip().value_counts()
            what = "; ".join(f"{why}: {n}" for why, n in counts.items())
            are = form(len(rows), "is", "are")
            said.append(f"{len(rows)} of {self.rows[name]} rows of {name} {are} left out ({what}).")
        return said

    def write_quarantine(self, folder: Path) -> None:
        """Write the rejected rows to quarantine/NAME.csv; files of an earlier run are dropped."""
        for name in TABLES:
            (folder / QUARANTINE / f"{name}.csv").unlink(missing_ok=True)
        for name, rows in self.rejected.items():
            (folder / QUARANTINE).mkdir(exist_ok=True)
            rows.to_csv(folder / QUARANTINE / f"{name}.csv", index=False)


def read_folder(
    folder: Path, *, max_bad: float = MAX_BAD, write_quarantine: bool = False
) -> Intake:
    """Read and check every table of a dataset folder.

    Parameters
    ----------
    folder : Path
        Holds NAME.parquet, NAME.csv or NAME.csv.gz per table, or a Mall_Customers.csv.
    max_bad : float
        Largest share of rejected rows that a table may have.
    write_quarantine : bool
        Write the rejected rows to quarantine/NAME.csv. Only commands that take data in do.

    Raises
    ------
    DataError
        No table is there, a file is unreadable, a required column is missing, or more than
        `max_bad` of a table was rejected.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder} is not a folder.",
            "Name a dataset folder, or make one with `python -m data generate DIR`.",
        )
    paths = {name: path for name in TABLES if (path := find_table(folder, name)) is not None}
    if not paths:
        raise DataError(
            f"{folder} holds no table.",
            f"Put files such as customers.csv there; known tables: {', '.join(TABLES)}.",
        )
    checked = {name: read_table(path, TABLES[name]) for name, path in paths.items()}
    check_together(checked, pd.Timestamp.now(datetime.UTC))
    intake = Intake.of(checked)
    where = ""
    if write_quarantine:
        intake.write_quarantine(folder)
        where = f"All are in {folder / QUARANTINE}."
    for name, table in checked.items():
        table.refuse_too_bad(paths[name].name, max_bad, where)
    del checked
    # Of many million rows the texts as they were read would stay in memory for nothing. Who reads
    # none of them, as a worker that serves, does without Arrow.
    if (arrow := sys.modules.get("pyarrow")) is not None:
        arrow.default_memory_pool().release_unused()
    return intake


def find_table(folder: Path, name: str) -> Path | None:
    """Return the one file that holds a table, or None.

    Raises
    ------
    DataError
        Two files claim to be the table.
    """
    names = [f"{name}{ending}" for ending in ENDINGS]
    if name == "customers":
        names.append(MALL_FILE)
    there = [folder / file for file in names if (folder / file).is_file()]
    if len(there) > 1:
        raise DataError(
            f"{folder} holds both {there[0].name} and {there[1].name}.", "Keep one of them."
        )
    return there[0] if there else None


def read_table(path: Path, table: Table) -> Checked:
    """Read and check one table file.

    Raises
    ------
    DataError
        The file cannot be read, or lacks a required column.
    """
    raw = read_raw(path)
    frame = raw.frame
    if table.name == "customers":
        # Mall_Customers.csv is accepted wherever a customers table is.
        frame = frame.rename(columns=lambda name: MALL_COLUMNS.get(str(name).strip(), str(name)))
    checked = check_rows(frame, table, path.name)
    if raw.ragged:
        checked.rejected = _with_ragged(checked.rejected, raw.ragged)
    return checked


def write_folder(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write tables as Parquet into a new folder, whole or not at all.

    A name may hold one slash (``truth/segments``).

    Raises
    ------
    UsageError
        The folder is already there and not empty.
    """
    with new_folder(folder) as beside:
        for name, frame in tables.items():
            target = beside / f"{name}.parquet"
            target.parent.mkdir(exist_ok=True)
            frame.to_parquet(target, index=False)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Hand out a folder beside the wanted one, which takes its name when all went well.

    Raises
    ------
    UsageError
        The folder is already there and not empty, or cannot be made.
    """
    refuse_existing(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise UsageError(f"{folder} cannot be made ({error}).", "Name another folder.") from error
    try:
        yield beside
        if folder.is_dir():
            folder.rmdir()
        beside.chmod(0o755)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def refuse_existing(folder: Path) -> None:
    """Raise a UsageError if a folder to be made is there already and not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is already there.", "Remove it or name another folder.")


def _with_ragged(rejected: pd.DataFrame, ragged: tuple[tuple[int, str], ...]) -> pd.DataFrame:
    extra = pd.DataFrame(
        {
            "row": [row for row, _ in ragged],
            "column": "",
            "reason": "has more fields than the header",
            "text": [text for _, text in ragged],
        }
    )
    others = rejected[~rejected["row"].isin(extra["row"])]
    return pd.concat([others, extra], ignore_index=True).sort_values("row", ignore_index=True)
