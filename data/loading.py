"""A whole dataset into the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import sqlalchemy as sa

from data import tables as t
from data.database import Database
from data.dataset import Dataset
from data.reading import EVERYBODY
from data.rows import (
    attribute_rows,
    chunks,
    customer_rows,
    interaction_rows,
    offer_rows,
    transaction_rows,
)

OF_TRANSACTION = ("customer_id", "transaction_id")  # what names one


@dataclass(frozen=True)
class Written:
    """How many rows of a batch were new and how many were there already.

    `taken` are places of rows whose id belongs to a row that says something else.
    """

    accepted: int
    duplicates: int
    taken: tuple[int, ...] = ()


class Loader(Database):
    """Loads datasets, and tells what was loaded."""

    def counts(self) -> dict[str, int]:
        """Count the rows of every table of facts."""
        with self._engine.connect() as connection:
            return {
                name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for name, table in t.FACTS.items()
            }

    def is_empty(self) -> bool:
        """Tell whether the database holds no fact about anybody."""
        with self._engine.connect() as connection:
            return not any(
                connection.execute(sa.select(table).limit(1)).first() for table in t.PEOPLE
            )

    def has_loaded(self, dataset: Dataset) -> bool:
        """Tell whether this very dataset was loaded before."""
        with self._engine.connect() as connection:
            row = sa.select(t.loads).where(t.loads.c.fingerprint == dataset.fingerprint)
            return connection.execute(row).first() is not None

    def load(
        self, dataset: Dataset, on_step: Callable[[str], None] = lambda _: None
    ) -> dict[str, Written]:
        """Load a dataset whole or not at all; what is there already is left as it is.

        That holds of a transaction as a whole: with some lines of one table and some of another
        it would be one that nobody ever told.

        Returns
        -------
        dict of str to Written
            By table.
        """
        before = self.counts()
        with self._engine.begin() as connection:
            on_step("customers")
            self._load(connection, t.customers, customer_rows(dataset))
            self._load(connection, t.attributes, attribute_rows(dataset))
            self._load(connection, t.offers, offer_rows(dataset))
            self._load(connection, t.offer_items, dataset.offer_items)
            self._load(connection, t.items, dataset.items)
            on_step("survey answers")
            self._load(connection, t.survey_answers, dataset.survey_answers)
            on_step("transactions")
            self._load_transactions(connection, transaction_rows(dataset))
            on_step("interactions")
            self._load(connection, t.interactions, interaction_rows(dataset))
            mark = self._insert(t.loads).values(fingerprint=dataset.fingerprint)
            connection.execute(mark.on_conflict_do_nothing())
            self._raise(connection, EVERYBODY)
        given = dataset.tables()
        return {
            name: Written(count - before[name], len(given.get(name, ())) - count + before[name])
            for name, count in self.counts().items()
        }

    def _load(self, connection: sa.Connection, table: sa.Table, frame: pd.DataFrame) -> None:
        names = [column.name for column in table.columns if column.name in frame.columns]
        statement = self._insert(table).on_conflict_do_nothing()
        for rows in chunks(frame[names]):
            connection.execute(statement, rows)

    def _load_transactions(self, connection: sa.Connection, lines: pd.DataFrame) -> None:
        """Add the lines of transactions of which none was there before."""
        table = t.transactions
        last = connection.execute(sa.select(sa.func.max(table.c.row_id))).scalar_one()
        if last is None:
            self._load(connection, table, lines)
            return
        names = [column.name for column in table.columns if column.name in lines.columns]
        # Not by the columns' names: those stand for what is inserted.
        new = {name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
        there = sa.exists().where(
            *(table.c[name] == new[name] for name in OF_TRANSACTION), table.c.row_id <= last
        )
        rest = sa.select(*new.values()).where(~there)
        statement = self._insert(table).from_select(names, rest).on_conflict_do_nothing()
        for rows in chunks(lines[names].add_prefix("new_")):
            connection.execute(statement, rows)
