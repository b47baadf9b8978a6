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
ANSWER, OWN, CORRECTION = range(3)  # the kinds of what is told of a customer
OF_KEY = ("name", "digest", "scopes", "expires_at")
LONGEST_WAIT = 250  # milliseconds
MANY = 256  # ids in one statement, always as many: the text is the same and compiled once
PLACES = tuple(f"id_{place}" for place in range(MANY))
OF_INTERACTION = ("offer_id", "event_type", "occurred_at", "recorded_at")
OF_TRANSACTION = (
    "transaction_id", "occurred_at", "recorded_at", "amount", "item_id", "category", "merchant",
)  # fmt: skip

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


def _told(
    whose: Callable[[sa.Column[Any]], sa.ColumnElement[bool]], *, named: bool = False
) -> sa.CompoundSelect[Any]:
    """Read answers, the owner's own columns and corrections at once.

    A row is whose it is if `named`, one of the kinds, and two texts: a name and a value, or the
    moments of a correction.
    """
    answer, own, corrected = t.survey_answers.c, t.attributes.c, t.corrections.c
    answers = sa.select(
        *[answer.customer_id] * named, _kind(ANSWER), answer.question, answer.answer
    ).where(whose(answer.customer_id))
    columns = sa.select(*[own.id] * named, _kind(OWN), own.name, own.value).where(
        own.of == sa.literal_column("'customers'"), whose(own.id)
    )
    moments = (sa.cast(of, sa.Text) for of in (corrected.recorded_at, corrected.corrected_at))
    corrections = sa.select(*[corrected.customer_id] * named, _kind(CORRECTION), *moments).where(
        whose(corrected.customer_id)
    )
    return sa.union_all(answers, columns, corrections)


def _kind(number: int) -> sa.ColumnElement[int]:
    return sa.literal_column(str(number), sa.Integer)


_PROFILE = tuple(t.customers.c[name] for name in PROFILE)
_WHO, _ACTED, _BOUGHT = (
    table.c.customer_id for table in (t.customers, t.interactions, t.transactions)
)
STATEMENTS: Mapping[str, sa.Select[Any] | sa.CompoundSelect[Any]] = {
    "revisions": sa.select(t.revisions.c.key, t.revisions.c.revision).where(
        t.revisions.c.key.in_((sa.bindparam("mine"), sa.bindparam("everybody")))
    ),
    "profile": sa.select(*_PROFILE).where(_is(_WHO)),
    "keys": sa.select(*(t.api_keys.c[name] for name in OF_KEY)).order_by(t.api_keys.c.name),
    "told": _told(_is),
    "interactions": _history(t.interactions, OF_INTERACTION, _is(_ACTED)),
    "transactions": _history(t.transactions, OF_TRANSACTION, _is(_BOUGHT)),
    # The same of many customers, whose ids come first.
    "revisions of many": sa.select(t.revisions.c.key, t.revisions.c.revision).where(
        _is_one_of(t.revisions.c.key)
    ),
    "profiles": sa.select(_WHO, *_PROFILE).where(_is_one_of(_WHO)),
    "told of many": _told(_is_one_of, named=True),
    "interactions of many": _history(t.interactions, OF_INTERACTION, _is_one_of(_ACTED), _ACTED),
    "transactions of many": _history(t.transactions, OF_TRANSACTION, _is_one_of(_BOUGHT), _BOUGHT),
}


def spread(names: Sequence[str]) -> dict[str, str]:
    """Put at most `MANY` names, at least one, into the places of a statement about many."""
    return dict(zip(PLACES, [*names, *[names[-1]] * (MANY - len(names))], strict=True))


def key_of(customer_id: str) -> str:
    """Return the key of a customer's revision."""
    return f"c:{customer_id}"


class _Closed(sa.exc.InterfaceError):
    """A connection was closed by whoever ended all of them."""

    def __init__(self) -> None:
        super().__init__("a read", None, ConnectionError("closed"))


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
        # The driver takes values by their places, as the text has them, or else by name.
        self._places = {name: one.positiontup for name, one in compiled.items()}
        self._mine = threading.local()
        self._open: set[Any] = set()
        self._busy: set[Any] = set()
        self._lock = threading.Lock()
        self._closings = 0

    def keep(self) -> None:
        """Let this thread have a connection of its own until all are closed.

        With a file every thread has one, and another after a closing.
        """
        self._mine.keeps_since = self._closings

    @contextmanager
    def reading(self) -> Iterator[Fetch]:
        """Give a function that runs a statement by name and returns its rows.

        Raises
        ------
        SQLAlchemyError
            The database does not answer.
        """
        if self._near or hasattr(self._mine, "keeps_since"):
            try:
                yield self._own_fetch
                return
            except self._engine.dialect.loaded_dbapi.Error as error:
                raise sa.exc.OperationalError("a read", None, error) from error
        with self._engine.connect() as connection:
            yield lambda name, values: [
                tuple(row) for row in connection.execute(STATEMENTS[name], values)
            ]

    def close(self) -> None:
        """Close the connections of all threads; one that is being used, once it is not any more."""
        with self._lock:
            self._closings += 1
            left, self._open = self._open - self._busy, set()
        for connection in left:
            connection.close()

    def _own_fetch(self, name: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        used = getattr(self._mine, "connection", None)
        try:
            return self._run(self._connect() if used is None else used, name, values)
        except _Closed:
            self._mine.connection = None
        except self._engine.dialect.loaded_dbapi.Error:
            self._drop()
            if used is None or self._near:
                raise
        # A server that was started again knows nothing of older connections.
        return self._run(self._connect(), name, values)

    def _run(self, connection: Any, name: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        places = self._places[name]
        bound = values if places is None else tuple(values[place] for place in places)
        with self._lock:
            if connection not in self._open:
                raise _Closed
            self._busy.add(connection)
        try:
            found: list[tuple[Any, ...]] = connection.execute(self._text[name], bound).fetchall()
        finally:
            with self._lock:
                self._busy.discard(connection)
                closed_meanwhile = connection not in self._open
            if closed_meanwhile:
                connection.close()
        return found

    def _connect(self) -> Any:
        closings = self._closings
        # A thread that a closing found at work opens nothing that nobody would close.
        if getattr(self._mine, "keeps_since", closings) != closings:
            raise _Closed
        lent = self._engine.raw_connection()
        connection: Any = lent.driver_connection
        lent.detach()
        if self._near:
            # Readers do not wait for writers; where one has to wait all the same, not for long.
            connection.execute(f"PRAGMA busy_timeout={LONGEST_WAIT}")
        else:
            connection.autocommit = True
        with self._lock:
            kept = closings == self._closings
            if kept:
                self._open.add(connection)
        if not kept:  # it took longer than whoever asked for it was there
            connection.close()
            raise _Closed
        self._mine.connection = connection
        return connection

    def _drop(self) -> None:
        """Give up this thread's connection."""
        connection = getattr(self._mine, "connection", None)
        self._mine.connection = None
        if connection is not None:
            with self._lock:
                self._open.discard(connection)
            connection.close()
