"""One database: opened, asked whether it is there, its revisions kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from data import tables as t
from data.errors import SettingsError
from data.reading import EVERYBODY, MANY, Reader, key_of, spread
from data.rows import text_of

# A pool for the threads of a server; a database that is away is noticed within seconds, be it that
# it refuses, that it vanishes from the network, or that all connections hang.
_OPTIONS: dict[str, dict[str, Any]] = {
    "sqlite": {},
    "postgresql": {
        "pool_pre_ping": True,
        "pool_size": 10,
        "pool_timeout": 3,
        "connect_args": {
            "connect_timeout": 3,
            "tcp_user_timeout": 5000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
        },
    },
}


class Database:
    """A database by its URL; one object serves all threads of a process."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reader = Reader(self._reading)
        self._insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert

    @classmethod
    def open(cls, url: str) -> Self:
        """Open a database and make its tables if they are not there.

        Parameters
        ----------
        url : str
            SQLAlchemy URL: ``sqlite:///path/to/file`` or ``postgresql+psycopg://…``.

        Raises
        ------
        SettingsError
            The URL cannot be used.
        """
        remedy = "Use sqlite:///path/to/file.db or a PostgreSQL URL with its driver installed."
        try:
            parsed = sa.make_url(url)
            if parsed.get_backend_name() not in ("sqlite", "postgresql"):
                raise SettingsError("The database URL names neither SQLite nor PostgreSQL.", remedy)
            if parsed.get_backend_name() == "sqlite":
                if parsed.database in (None, "", ":memory:"):
                    raise SettingsError("A database in memory is seen by one thread only.", remedy)
                Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
            # An error says what could not be done, never of whom.
            options = _OPTIONS[parsed.get_backend_name()]
            engine = sa.create_engine(parsed, hide_parameters=True, **options)
            if engine.dialect.name == "sqlite":
                sa.event.listen(engine, "connect", _prepare_sqlite)
            t.metadata.create_all(engine)
        except (ImportError, OSError, SQLAlchemyError, TypeError, ValueError) as error:
            # The URL may hold a password: neither it nor the cause, which quotes it, is shown.
            raise SettingsError(
                f"The database cannot be opened ({type(error).__name__}).", remedy
            ) from None
        return cls(engine)

    @property
    def name(self) -> str:
        """The database's URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    @property
    def is_near(self) -> bool:
        """Whether a read is of a file here, too short to be worth a thread."""
        return self._engine.dialect.name == "sqlite"

    def keep_connection(self) -> None:
        """Let this thread have a connection of its own for its reads, the quickest way there is."""
        self._reader.keep()

    def close(self) -> None:
        """Give all connections back."""
        self._reader.close()
        self._engine.dispose()

    def ping(self) -> None:
        """Raise SQLAlchemyError if the database does not answer."""
        with self._engine.connect() as connection:
            connection.execute(sa.select(1))

    def revisions(self, customer_id: str) -> tuple[int, int]:
        """Return how often something was recorded of a customer, and of everybody.

        What was read before may be used again as long as neither has grown.
        """
        mine = key_of(customer_id)
        with self._reader.reading() as fetch:
            found = dict(fetch("revisions", {"mine": mine, "everybody": EVERYBODY}))
        return found.get(mine, 0), found.get(EVERYBODY, 0)

    def revisions_of_many(self, customer_ids: Sequence[str]) -> tuple[dict[str, int], int]:
        """Return the same of many customers, by id, and of everybody."""
        found: dict[str, int] = {}
        keys = [EVERYBODY, *map(key_of, customer_ids)]
        with self._reader.reading() as fetch:
            for start in range(0, len(keys), MANY):
                found.update(fetch("revisions of many", spread(keys[start : start + MANY])))
        return {name: found.get(key_of(name), 0) for name in customer_ids}, found.get(EVERYBODY, 0)

    def _add(self, connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> bool:
        """Insert a row unless it is there; tell whether it was not."""
        statement = self._insert(table).values(**row).on_conflict_do_nothing()
        # Not `rowcount`: it is not kept for insertions on every driver.
        return connection.execute(statement.returning(sa.literal(1))).first() is not None

    def _put_own(
        self, connection: sa.Connection, of: str, key: str, columns: Mapping[str, Any]
    ) -> None:
        """Keep the owner's own columns of a customer or an offer; None is kept as an empty one."""
        for name, value in columns.items():
            row = {"of": of, "id": key, "name": name, "value": text_of(value)}
            statement = self._insert(t.attributes).values(**row)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["of", "id", "name"], set_={"value": row["value"]}
                )
            )

    def _raise(self, connection: sa.Connection, *keys: str) -> None:
        raised = t.revisions.c.revision + 1
        for key in keys:
            statement = self._insert(t.revisions).values(key=key, revision=1)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["key"], set_={"revision": raised})
            )

    def _raise_all(self, connection: sa.Connection, customer_ids: Iterable[str]) -> None:
        """Raise customers' revisions, before anything else is written about them.

        In one order everywhere: writers about the same customers never wait in a circle.
        """
        self._raise(connection, *sorted({key_of(name) for name in customer_ids}))


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    # A writer does not block readers; a commit is on disk before it returns; writers queue; what is
    # deleted is overwritten.
    for pragma in (
        "journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "secure_delete=ON"
    ):  # fmt: skip
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
