"""Datasets as rows of the database: times in microseconds, an identity for every row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from data.dataset import Dataset, microseconds
from data.schema import (
    CUSTOMER_ID,
    CUSTOMERS,
    INTERACTIONS,
    ITEMS,
    OCCURRED_AT,
    OFFERS,
    TRANSACTION_ID,
    TRANSACTIONS,
    Table,
)

CHUNK = 10_000
Row = dict[str, Any]


def customer_rows(dataset: Dataset) -> pd.DataFrame:
    """Return the customers table for the database."""
    return dataset.customers.assign(signup_at=microseconds(dataset.customers["signup_at"]))


def attribute_rows(dataset: Dataset) -> pd.DataFrame:
    """Return what customers, offers and items have beyond the known columns, a row each.

    Times are left out: no model reads them, and as text they would come back as categories.
    """
    found = [pd.DataFrame({"of": [], "id": [], "name": [], "value": []}, dtype="str")]
    for table in (CUSTOMERS, OFFERS, ITEMS):
        frame: pd.DataFrame = getattr(dataset, table.name)
        for name in frame.columns.difference(list(table.names), sort=False):
            if pd.api.types.is_datetime64_any_dtype(frame[name]):
                continue
            stated = frame[name].dropna().astype("object")
            rows = {
                "of": table.name,
                "id": frame.loc[stated.index, str(table.key)],
                "name": str(name),
                "value": pd.Series(map(text_of, stated), index=stated.index, dtype="str"),
            }
            found.append(pd.DataFrame(rows))
    return pd.concat(found, ignore_index=True)


def text_of(value: Any) -> str:
    """Write a value of an owner's own column for the database."""
    return json.dumps(value, default=str)


def value_of(text: str) -> Any:
    """Read a value of an owner's own column again; None where it is a number without end."""
    return json.loads(text, parse_constant=lambda _: None)


def offer_rows(dataset: Dataset) -> pd.DataFrame:
    """Return the offers table for the database."""
    times = {name: microseconds(dataset.offers[name]) for name in ("valid_from", "valid_until")}
    return dataset.offers.assign(**times)


def interaction_rows(dataset: Dataset) -> pd.DataFrame:
    """Return the interactions; one without an event_id is named by what it says."""
    frame = _recorded(dataset.interactions)
    named = frame["event_id"]
    return frame.assign(event_id=named.where(named.notna(), _content_id(frame, INTERACTIONS)))


def transaction_rows(dataset: Dataset) -> pd.DataFrame:
    """Return the transaction lines, numbered; one without a transaction_id is one transaction."""
    frame = _recorded(dataset.transactions)
    named = frame[TRANSACTION_ID]
    frame[TRANSACTION_ID] = named.where(named.notna(), _content_id(frame, TRANSACTIONS))
    return frame.assign(line=frame.groupby([CUSTOMER_ID, TRANSACTION_ID]).cumcount())


def chunks(frame: pd.DataFrame) -> Iterator[list[Row]]:
    """Yield the rows of a frame in parts, missing values as None."""
    for start in range(0, len(frame), CHUNK):
        part = frame.iloc[start : start + CHUNK].astype("object")
        rows: list[Row] = part.where(part.notna(), None).to_dict("records")  # type: ignore[assignment]
        yield rows


def _recorded(frame: pd.DataFrame) -> pd.DataFrame:
    """Say that a loaded row was on record when it happened."""
    occurred = microseconds(frame[OCCURRED_AT])
    return frame.assign(occurred_at=occurred, recorded_at=occurred)


def _content_id(frame: pd.DataFrame, table: Table) -> pd.Series:
    """Name rows by what they say, so that a reload adds none; equal rows are numbered."""
    hashes = pd.util.hash_pandas_object(frame[list(table.names)], index=False)
    nth = hashes.groupby(hashes).cumcount()
    return hashes.map("load-{:016x}".format).astype("str") + "-" + nth.astype("str")
