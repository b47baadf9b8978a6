"""The facts the service knows, in a database.

With `data.database`, `data.loading`, `data.reading`, `data.registers` and `data.stored` the only
one that speaks SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import sqlalchemy as sa

from data import stored
from data import tables as t
from data.corrections import say_the_same
from data.loading import OF_TRANSACTION, Loader, Written
from data.reading import EVERYBODY, MANY, PROFILE
from data.registers import KeyRegister, OfferRegister
from data.rows import Row
from data.states import CustomerState, state_of, states_of


class Store(Loader, OfferRegister, KeyRegister):
    """The store behind a small interface; one object serves all threads of a process."""

    def customer_state(self, customer_id: str, since: int | None = None) -> CustomerState:
        """Read what is known about one customer.

        Parameters
        ----------
        customer_id : str
            External id.
        since : int, optional
            Only interactions and transactions recorded at or after this moment (microseconds),
            unless something recorded before it was corrected after it: then all of them.
        """
        with self._reader.reading() as fetch:
            return state_of(fetch, customer_id, since)

    def customer_states(self, since: Mapping[str, int | None]) -> dict[str, CustomerState]:
        """Read what is known about many customers, each as `customer_state` does.

        Parameters
        ----------
        since : mapping of str to int or None
            By customer id, only what was recorded at or after this moment.
        """
        found: dict[str, CustomerState] = {}
        names = list(since)
        if len(names) == 1:
            return {names[0]: self.customer_state(names[0], since[names[0]])}
        with self._reader.reading() as fetch:
            for start in range(0, len(names), MANY):
                part = names[start : start + MANY]
                found |= states_of(fetch, {name: since[name] for name in part})
        return found

    def put_customer(
        self,
        customer_id: str,
        profile: Mapping[str, Any],
        answers: Mapping[str, str],
        if_new: Mapping[str, Any] | None = None,
    ) -> bool:
        """Add or update a customer; only what is given changes.

        Parameters
        ----------
        profile : mapping
            Columns of the customers table, the owner's own ones as well; times in microseconds.
        answers : mapping of str to str
            By question.
        if_new : mapping, optional
            Known columns that a customer who is new has where `profile` is silent.

        Returns
        -------
        bool
            True if the customer is new: nothing was on record of them.
        """
        stated = {name: value for name, value in profile.items() if value is not None}
        given = {name: stated.pop(name) for name in PROFILE if name in stated}
        with self._engine.begin() as connection:
            self._raise_all(connection, [customer_id])
            new = not _is_known(connection, customer_id)
            row = {**(if_new or {} if new else {}), **given, "customer_id": customer_id}
            added = self._add(connection, t.customers, row)
            self._put_own(connection, t.customers.name, customer_id, stated)
            if given and not added:
                connection.execute(
                    sa.update(t.customers)
                    .where(t.customers.c.customer_id == customer_id)
                    .values(**given)
                )
            for question, answer in answers.items():
                row = {"customer_id": customer_id, "question": question, "answer": answer}
                statement = self._insert(t.survey_answers).values(**row)
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=["customer_id", "question"], set_={"answer": answer}
                    )
                )
        return new

    def add_events(self, rows: Sequence[Row]) -> Written:
        """Add interactions; a row whose event_id is there already changes nothing."""
        accepted, taken = 0, []
        said = [t.interactions.c[name] for name in ("customer_id", "offer_id", "event_type")]
        with self._engine.begin() as connection:
            self._raise_all(connection, (row["customer_id"] for row in rows))
            for place, row in enumerate(rows):
                if self._add(connection, t.interactions, row):
                    accepted += 1
                    continue
                mine = t.interactions.c.event_id == row["event_id"]
                there = connection.execute(sa.select(*said).where(mine)).mappings().one()
                if any(there[name] != row[name] for name in there):
                    taken.append(place)
        return Written(accepted, len(rows) - accepted - len(taken), tuple(taken))

    def put_transactions(self, transactions: Sequence[Sequence[Row]]) -> Written:
        """Add transactions, each a list of its lines; one that is there is replaced whole.

        One that says what is there already, its lines in whatever order, leaves it as it is: what
        was learnt of it holds.

        Returns
        -------
        Written
            In lines; `duplicates` are those of transactions that say what was there already.
        """
        accepted = duplicates = 0
        given = [lines for lines in transactions if lines]
        with self._engine.begin() as connection:
            self._raise_all(connection, (lines[0]["customer_id"] for lines in given))
            for lines in given:
                mine = sa.and_(
                    *(t.transactions.c[name] == lines[0][name] for name in OF_TRANSACTION)
                )
                known = sa.select(t.transactions).where(mine).order_by(t.transactions.c.line)
                there = [dict(row) for row in connection.execute(known).mappings()]
                if there and say_the_same(there, lines):
                    duplicates += len(lines)
                    continue
                accepted += len(lines)
                if there:
                    connection.execute(sa.delete(t.transactions).where(mine))
                    self._correct(connection, there, lines)
                rows = [{**row, "line": line} for line, row in enumerate(lines)]
                connection.execute(sa.insert(t.transactions), rows)
        return Written(accepted, duplicates)

    def erase_customer(self, customer_id: str) -> dict[str, int]:
        """Take every row of a customer out, for good.

        Returns
        -------
        dict of str to int
            Rows removed by table.
        """
        with self._engine.begin() as connection:
            self._raise_all(connection, [customer_id])
            gone = stored.delete_customer(connection, customer_id)
            self._raise(connection, EVERYBODY)
        stored.forget_log(self._reading)
        return gone

    def find_everywhere(self, customer_id: str) -> dict[str, int]:
        """Count the rows that name a customer, by table; only tables that have some."""
        with self._reading.connect() as connection:
            return stored.find_customer(connection, customer_id)

    def read_tables(self) -> dict[str, pd.DataFrame]:
        """Read everything recorded as the tables of a dataset folder, for training."""
        with self._engine.connect() as connection:
            return stored.read_tables(connection)

    def _correct(
        self, connection: sa.Connection, there: Sequence[Row], lines: Sequence[Row]
    ) -> None:
        """Note that lines are gone, and since when others are in their place."""
        mine = {
            "customer_id": lines[0]["customer_id"],
            "recorded_at": min(row["recorded_at"] for row in there),
        }
        corrected = {"corrected_at": max(row["recorded_at"] for row in lines)}
        statement = self._insert(t.corrections).values(**mine, **corrected)
        connection.execute(
            statement.on_conflict_do_update(index_elements=list(mine), set_=corrected)
        )


def _is_known(connection: sa.Connection, customer_id: str) -> bool:
    """Tell whether anything is on record of a customer."""
    return any(
        connection.execute(
            sa.select(table).where(table.c.customer_id == customer_id).limit(1)
        ).first()
        for table in t.PEOPLE
    )
