"""The reads of a request: a few indexed statements, as near to the driver as it goes.

On SQLite each thread keeps a connection of its own and the driver runs SQLAlchemy's statements,
compiled once, their values always bound: taking a connection from the pool and building results
costs many times the read. Elsewhere the pool is used as usual.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from data import tables as t

ALWAYS = -(2**63)  # before everything
EVERYBODY = "*"
PROFILE = ("gender", "age", "annual_income", "spending_score", "city", "signup_at")
OF_PROFILE = (*PROFILE, "revised_at")
MANY = 256  # ids in one statement, always as many: the text is the same and compiled once
PLACES = tuple(f"id_{place}" for place in range(MANY))
OF_INTERACTION = ("offer_id", "event_type", "occurred_at")
OF_TRANSACTION = ("transaction_id", "occurred_at", "amount", "item_id", "category", "merchant")

Fetch = Callable[[str, Mapping[str, Any]], list[tuple[Any, ...]]]


def _is(column: sa.Column[Any]) -> sa.ColumnElement[bool]:
    return column == sa.bindparam("customer_id")


def _is_one_of(column: sa.Column[Any]) -> sa.ColumnElement[bool]:
    return column.in_([sa.bindparam(name) for name in PLACES])


def _history(
    table: sa.Table, names: tuple[str, ...], whose: sa.ColumnElement[bool], *first: sa.Column[Any]
) -> sa.Select[Any]:
    return (
        sa.select(*first, *(table.c[name] for name in names))
        .where(whose, table.c.recorded_at >= sa.bindparam("since"))
        .order_by(*first, table.c.occurred_at, table.c.row_id)
    )


_ANSWER = (t.survey_answers.c.question, t.survey_answers.c.answer)
_PROFILE = tuple(t.customers.c[name] for name in OF_PROFILE)
_OWNER = tuple(
    table.c.customer_id for table in (t.customers, t.survey_answers, t.interactions, t.transactions)
)
STATEMENTS: Mapping[str, sa.Select[Any]] = {
    "revisions": sa.select(t.revisions.c.key, t.revisions.c.revision).where(
        t.revisions.c.key.in_((sa.bindparam("mine"), sa.bindparam("everybody")))
    ),
    "profile": sa.select(*_PROFILE).where(_is(_OWNER[0])),
    "answers": sa.select(*_ANSWER).where(_is(_OWNER[1])),
    "interactions": _history(t.interactions, OF_INTERACTION, _is(_OWNER[2])),
    "transactions": _history(t.transactions, OF_TRANSACTION, _is(_OWNER[3])),
    # The same of many customers, whose ids come first.
    "revisions of many": sa.select(t.revisions.c.key, t.revisions.c.revision).where(
        _is_one_of(t.revisions.c.key)
    ),
    "profiles": sa.select(_OWNER[0], *_PROFILE).where(_is_one_of(_OWNER[0])),
    "answers of many": sa.select(_OWNER[1], *_ANSWER).where(_is_one_of(_OWNER[1])),
    "interactions of many": _history(
        t.interactions, OF_INTERACTION, _is_one_of(_OWNER[2]), _OWNER[2]
    ),
    "transactions of many": _history(
        t.transactions, OF_TRANSACTION, _is_one_of(_OWNER[3]), _OWNER[3]
    ),
}


def spread(names: Sequence[str]) -> dict[str, str]:
    """Put at most `MANY` names, at least one, into the places of a statement about many."""
    return dict(zip(PLACES, [*names, *[names[-1]] * (MANY - len(names))], strict=True))


def key_of(customer_id: str) -> str:
    """Return the key of a customer's revision."""
    return f"c:{customer_id}"


class Reader:
    """Runs the statements above.

    Parameters
    ----------
    engine : Engine
        That reads without transactions.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._near = engine.dialect.name == "sqlite"
        compiled = {name: one.compile(dialect=engine.dialect) for name, one in STATEMENTS.items()}
        self._text = {name: str(one) for name, one in compiled.items()}
        # The driver takes values by their places, as the text has them.
        self._places = {name: tuple(one.positiontup or ()) for name, one in compiled.items()}
        self._mine = threading.local()
        self._open: list[Any] = []

    @contextmanager
    def reading(self) -> Iterator[Fetch]:
        """Give a function that runs a statement by name and returns its rows.

        Raises
        ------
        SQLAlchemyError
            The database does not answer.
        """
        if self._near:
            try:
                yield self._near_fetch
                return
            except self._engine.dialect.loaded_dbapi.Error as error:
                self._mine = threading.local()
                raise sa.exc.OperationalError("a read", None, error) from error
        with self._engine.connect() as connection:
            yield lambda name, values: [
                tuple(row) for row in connection.execute(STATEMENTS[name], values)
            ]

    def close(self) -> None:
        """Close the connections of all threads."""
        while self._open:
            self._open.pop().close()
        self._mine = threading.local()

    def _near_fetch(self, name: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        connection: Any = getattr(self._mine, "connection", None)
        if connection is None:
            lent = self._engine.raw_connection()
            connection = lent.driver_connection
            lent.detach()
            self._mine.connection = connection
            self._open.append(connection)
        bound = tuple(values[place] for place in self._places[name])
        found: list[tuple[Any, ...]] = connection.execute(self._text[name], bound).fetchall()
        return found
