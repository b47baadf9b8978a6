"""The whole world, part by part: every table of the contract, and the truth behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.ingest import new_folder
from data.synthetic.campaigns import (
    Visits,
    draw_visits,
    logging_policy,
    make_interactions,
    make_log,
    redeemed_purchases,
)
from data.synthetic.catalogue import Catalogue, make_catalogue
from data.synthetic.columns import plain
from data.synthetic.liking import Liking
from data.synthetic.offers import Offers, make_offers
from data.synthetic.parameters import CATEGORIES, WorldParameters
from data.synthetic.people import NEWCOMER_FROM, People, make_people
from data.synthetic.seasons import intensity
from data.synthetic.shopping import make_transactions
from data.synthetic.slates import SlatePolicy
from data.synthetic.truth_tables import planted_anomalies, planted_segments, true_liking

PART = 10_000  # customers that are made, and held in memory, at a time
# Raised whenever the same parameters begin to give another world.
GENERATOR = 2
MOST_PAIRS = 1_000_000  # of customer and offer, that truth/liking lists
COMMON, PEOPLE, SHOPPING, CAMPAIGNS, SURVEY = range(5)

Tables = dict[str, pa.Table]


@dataclass(frozen=True)
class Stage:
    """What all customers of a world share."""

    world: WorldParameters
    catalogue: Catalogue
    offers: Offers
    policy: SlatePolicy
    level: np.ndarray

    @classmethod
    def of(cls, world: WorldParameters) -> Stage:
        """Make items, offers, the logging policy and the calendar."""
        random = _random(world, COMMON, 0)
        catalogue = make_catalogue(world, random)
        offers = make_offers(world, catalogue, random)
        policy = logging_policy(world, offers, random)
        return cls(world, catalogue, offers, policy, intensity(world))

    @property
    def parts(self) -> int:
        """Number of parts the customers are made in."""
        return -(-self.world.customers // PART)

    def people(self, part: int) -> People:
        """Make the customers of a part; always the same ones."""
        rows = range(part * PART, min((part + 1) * PART, self.world.customers))
        return make_people(self.world, rows, self.catalogue, _random(self.world, PEOPLE, part))

    def visits(self, people: People, random: np.random.Generator) -> Visits:
        """Draw the visits of some customers."""
        return draw_visits(self.world, people, self.level, random)

    def tables(self) -> Tables:
        """Return the tables that do not grow with the customers."""
        texts = {"generator": str(GENERATOR), **self.world.as_texts()}
        return {
            "offers": _table(self.offers.table),
            "items": _table(self.catalogue.table),
            "offer_items": _table(self.offers.items),
            "truth/parameters": pa.table({"name": list(texts), "value": list(texts.values())}),
            "truth/items": pa.table(
                {
                    "item_id": self.catalogue.table["item_id"].to_numpy(),
                    "elasticity": self.catalogue.elasticity,
                }
            ),
        }

    def part_tables(self, part: int) -> Tables:
        """Make every table of a part of the customers."""
        world = self.world
        people = self.people(part)
        liking = Liking(people, self.offers)
        random = _random(world, CAMPAIGNS, part)
        log = make_log(world, liking, self.visits(people, random), self.policy, random)
        interactions, redemptions = make_interactions(world, people, self.offers, log, part, random)
        redeemed = redeemed_purchases(self.offers, self.catalogue, log, random)
        transactions, planted = make_transactions(
            world, people, self.catalogue, self.level, redeemed, part,
            _random(world, SHOPPING, part),
        )  # fmt: skip
        return {
            "customers": _table(people.table),
            "transactions": transactions,
            "interactions": interactions,
            "survey_answers": _survey(people, world, _random(world, SURVEY, part)),
            "truth/segments": planted_segments(people),
            "truth/anomalies": planted_anomalies(people),
            "truth/transactions": planted,
            "truth/redemptions": redemptions,
            "truth/liking": true_liking(liking, max(0, MOST_PAIRS // world.offers - part * PART)),
        }


def generate(
    world: WorldParameters, on_step: Callable[[str], None] = lambda _: None
) -> dict[str, pd.DataFrame]:
    """Make every table of a world in memory; the same parameters give the same tables.

    Parameters
    ----------
    on_step : callable
        Told the name of each of the ``count_steps(world)`` steps as it begins.

    Returns
    -------
    dict of str to DataFrame
        The tables of the dataset folder, and under names that start with ``truth/`` what is
        known of the world but must never be read by training.
    """
    made: dict[str, list[pa.Table]] = {}
    for tables in _all_tables(world, on_step):
        for name, table in tables.items():
            made.setdefault(name, []).append(plain(table))
    return {name: pa.concat_tables(parts).to_pandas() for name, parts in made.items()}


def write_world(
    world: WorldParameters, folder: Path, on_step: Callable[[str], None] = lambda _: None
) -> dict[str, int]:
    """Write a world into a new folder, part by part, whole or not at all.

    Memory does not grow with the number of customers.

    Returns
    -------
    dict of str to int
        Rows written, by table.

    Raises
    ------
    UsageError
        The folder is already there and not empty.
    """
    rows: dict[str, int] = {}
    writers: dict[str, pq.ParquetWriter] = {}
    with new_folder(folder) as beside:
        (beside / "truth").mkdir()
        try:
            for tables in _all_tables(world, on_step):
                for name, table in tables.items():
                    if name not in writers:
                        # Without Arrow's own schema, coded columns are read as plain strings.
                        writers[name] = pq.ParquetWriter(
                            beside / f"{name}.parquet", table.schema, store_schema=False
                        )
                    writers[name].write_table(table)
                    rows[name] = rows.get(name, 0) + len(table)
        finally:
            for writer in writers.values():
                writer.close()
    return rows


def count_steps(world: WorldParameters) -> int:
    """Return how many steps the making of a world has."""
    return 1 + -(-world.customers // PART)


def _all_tables(world: WorldParameters, on_step: Callable[[str], None]) -> Iterator[Tables]:
    on_step("items and offers")
    stage = Stage.of(world)
    yield stage.tables()
    for part in range(stage.parts):
        on_step(f"customers, part {part + 1} of {stage.parts}")
        yield stage.part_tables(part)


def _random(world: WorldParameters, stream: int, part: int) -> np.random.Generator:
    """Return the chance of one thing in one part: independent of all others."""
    return np.random.default_rng([world.seed, stream, part])


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def _survey(people: People, world: WorldParameters, random: np.random.Generator) -> pa.Table:
    """Let some people answer which categories are for them; answers follow tastes, with noise."""
    n = len(people.pace)
    newcomer = people.signup_day >= world.days * NEWCOMER_FROM
    answers = random.random(n) < np.where(newcomer, 0.7, 0.25)
    # Each is asked a few categories in an order of one's own.
    order = random.random((n, len(CATEGORIES))).argsort(axis=1)
    asked = np.arange(len(CATEGORIES)) < random.integers(4, 9, n)[:, None]
    who, place = np.nonzero(asked & answers[:, None])
    category = order[who, place]
    likes = people.taste[who, category] * len(CATEGORIES) > 1.0
    truthful = random.random(len(who)) < 0.9
    words = np.array(["no", "yes"], dtype=object)
    questions = np.array([f"category:{name}" for name in CATEGORIES], dtype=object)
    return pa.table(
        {
            "customer_id": pa.array(people.table["customer_id"].to_numpy()[who], pa.string()),
            "question": pa.array(questions[category], pa.string()),
            "answer": pa.array(words[(likes == truthful).astype(int)], pa.string()),
        }
    )
