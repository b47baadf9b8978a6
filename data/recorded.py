"""What the service recorded, as a dataset: a database in, with the checks of a dataset folder.

A fact counts as known from when it was recorded, not from when it happened: the service adds to a
model what was recorded at or after the model's moment, so a model must hold just what was recorded
before it. The default moment lies after the last row that had settled.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from data.checks import check_rows
from data.dataset import just_after
from data.errors import DataError
from data.ingest import MAX_BAD, Intake
from data.schema import INTERACTIONS, OCCURRED_AT, TABLES, TRANSACTIONS
from data.store import Store
from data.stored import RECORDED_AT
from data.together import check_together

DATED = (TRANSACTIONS.name, INTERACTIONS.name)
# A row is on record once its transaction has ended, which a lock can hold up for ten seconds: one
# that another process is just writing must not fall between a model and what came after it.
SETTLED = pd.Timedelta(seconds=30)


@dataclass(frozen=True)
class Recorded:
    """What a database held.

    Attributes
    ----------
    intake : Intake
        The tables, of rows recorded before `at`.
    at : Timestamp or None
        The moment that divides them from what comes later; None where no row has a time.
    name : str
        The database, without its password.
    began : Timestamp
        When the reading began: what was recorded from then on may be missing.
    """

    intake: Intake
    at: pd.Timestamp | None
    name: str
    began: pd.Timestamp


def read_database(
    url: str, *, at: pd.Timestamp | None = None, max_bad: float = MAX_BAD
) -> Recorded:
    """Read and check everything that the service recorded before a moment.

    Parameters
    ----------
    url : str
        SQLAlchemy URL of SQLite or PostgreSQL.
    at : Timestamp, optional
        Rows recorded at or after it are not read; just after the last settled row by default.
    max_bad : float
        Largest share of rejected rows that a table may have.

    Raises
    ------
    SettingsError
        The database cannot be opened.
    DataError
        It is not there or empty, cannot be read, or more than `max_bad` of a table was rejected.
    """
    file = url.partition(":///")[2].partition("?")[0]
    if url.startswith("sqlite") and file and not Path(file).exists():
        raise DataError(f"There is no database {file}.", "Load one: python -m data load DIR.")
    store = Store.open(url)
    began = pd.Timestamp.now(datetime.UTC)
    try:
        tables = store.read_tables()
    except SQLAlchemyError as error:
        # What the driver says may quote rows or a password.
        raise DataError(
            f"The database {store.name} cannot be read ({type(error).__name__}).",
            "See that it is there and answers, and try again.",
        ) from None
    finally:
        store.close()
    intake, moment = check_recorded(tables, at, began, max_bad)
    if not intake.rows:
        raise DataError(
            f"The database {store.name} holds nothing.",
            "Load a dataset, python -m data load DIR, or let the service record something.",
        )
    return Recorded(intake, moment, store.name, began)


def check_recorded(
    tables: Mapping[str, pd.DataFrame],
    at: pd.Timestamp | None,
    now: pd.Timestamp,
    max_bad: float = MAX_BAD,
) -> tuple[Intake, pd.Timestamp | None]:
    """Check recorded tables as those of a folder are; a table without rows counts as absent.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        As `Store.read_tables` gives them. Transactions and interactions may say when they were
        recorded, in a column recorded_at; without it, when they happened.
    at, max_bad
        As in `read_database`.
    now : Timestamp
        From which it is told what has settled, and what lies in the future.

    Returns
    -------
    Intake
        Of rows recorded before the moment.
    Timestamp or None
        The moment.
    """
    moment = _settled(tables, now) if at is None else at
    checked = {}
    for name, table in TABLES.items():
        frame = tables.get(name)
        if frame is None:
            continue
        if name in DATED:
            kept = pd.Series(True, index=frame.index) if moment is None else _when(frame) < moment
            frame = _dated(frame[kept])
        if len(frame):
            checked[name] = check_rows(frame, table, name)
    check_together(checked, now)
    intake = Intake.of(checked)
    for name, one in checked.items():
        one.refuse_too_bad(name, max_bad)
    return intake, moment


def _settled(tables: Mapping[str, pd.DataFrame], now: pd.Timestamp) -> pd.Timestamp | None:
    """Return the moment just after the last row, leaving out what was recorded just now."""
    times = [_when(tables[name]) for name in DATED if name in tables and len(tables[name])]
    if not times:
        return None
    every = pd.concat(times)
    settled = every[(every <= now - SETTLED) | (every > now)]
    if settled.empty:
        return pd.Timestamp(every.min())
    return just_after(pd.Timestamp(settled.max()))


def _when(frame: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """Return when rows came to be known."""
    if RECORDED_AT not in frame.columns:
        return frame[OCCURRED_AT]
    return frame[RECORDED_AT].fillna(frame[OCCURRED_AT])


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    """Let nothing have happened after it was recorded: the clock that said so was ahead."""
    happened, known = frame[OCCURRED_AT], _when(frame)
    frame = frame.assign(**{OCCURRED_AT: happened.where(happened <= known, known)})
    return frame.drop(columns=RECORDED_AT, errors="ignore")
