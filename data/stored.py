"""What the store reads and removes as a whole: offers, tables, a person.

Values are always bound; no statement is put together from text.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from data import tables as t
from data.reading import key_of
from data.rows import Row, value_of
from data.schema import CUSTOMER_ID, CUSTOMERS, OCCURRED_AT, OFFERS, TABLES

RECORDED_AT = "recorded_at"
TIMES = (OCCURRED_AT, RECORDED_AT, "signup_at", "valid_from", "valid_until")
ORDER = {t.interactions: "row_id", t.transactions: "row_id"}


@dataclass(frozen=True)
class KeyRow:
    """An API key as it is stored; `expires_at` in microseconds since 1970, None for never."""

    name: str
    digest: str
    scopes: tuple[str, ...]
    expires_at: int | None


def offers_where(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Row]:
    """Read offers with their ``items`` and the owner's own columns, by id."""
    statement = sa.select(*(t.offers.c[name] for name in OFFERS.names)).where(condition)
    rows = connection.execute(statement.order_by(t.offers.c.offer_id)).mappings().all()
    on = sa.select(t.offer_items).join(
        t.offers, sa.and_(t.offers.c.offer_id == t.offer_items.c.offer_id, condition)
    )
    items: dict[str, list[str]] = {}
    for row in connection.execute(on.order_by(t.offer_items.c.item_id)):
        items.setdefault(row.offer_id, []).append(row.item_id)
    own = sa.select(t.attributes).join(
        t.offers, sa.and_(t.offers.c.offer_id == t.attributes.c.id, condition)
    )
    stated: dict[str, Row] = {}
    for row in connection.execute(own.where(t.attributes.c.of == OFFERS.name)):
        stated.setdefault(row.id, {})[row.name] = value_of(row.value)
    return [
        {
            **stated.get(row["offer_id"], {}),
            **row,
            "items": tuple(items.get(row["offer_id"], ())),
        }
        for row in rows
    ]


def _where_people_stand(customer_id: str) -> dict[sa.Table, sa.ColumnElement[bool]]:
    """Return by table the rows that are a customer's; an offer or an answer may read the same."""
    return {
        **{table: table.c[CUSTOMER_ID] == customer_id for table in (*t.PEOPLE, t.corrections)},
        t.attributes: sa.and_(
            t.attributes.c.of == CUSTOMERS.name, t.attributes.c.id == customer_id
        ),
        t.revisions: t.revisions.c.key == key_of(customer_id),
    }


def delete_customer(connection: sa.Connection, customer_id: str) -> dict[str, int]:
    """Delete every row of a customer; how many, by table of what was told of them."""
    gone = {
        table: connection.execute(sa.delete(table).where(mine)).rowcount
        for table, mine in _where_people_stand(customer_id).items()
    }
    return {table.name: gone[table] for table in (*t.PEOPLE, t.attributes)}


def forget_log(engine: sa.Engine) -> None:
    """Write SQLite's log back and empty it: it holds rows as they were before they were deleted."""
    if engine.dialect.name != "sqlite":
        return
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
    except SQLAlchemyError:
        # A reader is in the way: the rows are gone, the log is emptied by a later checkpoint.
        return


def find_customer(connection: sa.Connection, customer_id: str) -> dict[str, int]:
    """Count the rows that are a customer's, by table; only tables that have some."""
    found = {
        table.name: connection.execute(
            sa.select(sa.func.count()).select_from(table).where(mine)
        ).scalar_one()
        for table, mine in _where_people_stand(customer_id).items()
    }
    return {name: count for name, count in found.items() if count}


def read_tables(connection: sa.Connection) -> dict[str, pd.DataFrame]:
    """Read the tables of a dataset; attributes become columns again.

    Transactions and interactions also say when they were recorded, in a column recorded_at.
    """
    found = {}
    for name, table in TABLES.items():
        stored = t.FACTS[name]
        names = (*table.names, RECORDED_AT) if stored in ORDER else table.names
        columns = [stored.c[column] for column in names if column in stored.c]
        order = [stored.c[ORDER[stored]]] if stored in ORDER else list(stored.primary_key)
        rows = connection.execute(sa.select(*columns).order_by(*order)).all()
        frame = pd.DataFrame(rows, columns=[column.name for column in columns])
        for time in TIMES:
            if time in frame.columns:
                moments = pd.to_datetime(frame[time].astype("Int64"), unit="us", utc=True)
                frame[time] = moments
        found[name] = frame
    rows = connection.execute(sa.select(t.attributes)).all()
    told = pd.DataFrame(rows, columns=[column.name for column in t.attributes.columns])
    told["value"] = told["value"].map(value_of)
    for of, part in told.groupby("of"):
        name = str(of)
        key = str(TABLES[name].key)
        wide = part.set_index(["id", "name"])["value"].unstack()  # noqa: PD010
        found[name] = found[name].merge(wide, how="left", left_on=key, right_index=True)
    return {name: frame for name, frame in found.items() if len(frame)}
