"""Lists for many customers: those of the bundle, or a table of customers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from data.dataset import Dataset
from data.errors import BundleError, SettingsError
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, OFFER_ID, SPENDING_SCORE
from recommender.base import Query, stack
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.serving.lists import Wish
from segmentation.features import customer_features

SCHEMA = pa.schema(
    [
        (CUSTOMER_ID, pa.string()),
        ("rank", pa.int64()),
        (OFFER_ID, pa.string()),
        ("score", pa.float64()),
        ("source", pa.string()),
    ]
)


def recommend_batch(service: Service, given: Dataset | None, wish: Wish) -> pd.DataFrame:
    """Make the lists of a batch as one table; `stream_batch` says more."""
    table = pa.Table.from_batches(stream_batch(service, given, wish)).to_pandas()
    return pd.DataFrame(table).astype({CUSTOMER_ID: "str", OFFER_ID: "str"})


def stream_batch(
    service: Service,
    given: Dataset | None,
    wish: Wish,
    *,
    workers: int = 1,
    on_done: Callable[[int], None] = lambda _: None,
) -> Iterator[pa.RecordBatch]:
    """Make the lists of a batch, some customers at a time.

    Parameters
    ----------
    service : Service
        The model.
    given : Dataset, optional
        The wanted customers; every customer of the bundle if not given.
    wish : Wish
        What the lists should be like.
    workers : int
        Threads that score at the same time.
    on_done : callable
        Told how many customers more are done.

    Yields
    ------
    RecordBatch
        customer_id, rank (from 1), offer_id, score, source; in the order of the customers. At
        least one, which may have no rows.
    """
    ids, query = query_customers(service.bundle, given, wish.at)
    names = pa.array(ids, pa.string())
    offers = pa.array(service.recommender.encoders.offer_ids.tolist(), pa.string())
    sources = pa.array([str(name) for name in service.recommender.hybrid.sources], pa.string())
    yield _empty()
    start = 0
    for ranked in service.rank(query, replace(wish, explain=False), workers):
        person, place = (np.arange(ranked.rows.shape[1]) < ranked.length[:, None]).nonzero()
        columns = [
            names.take(pa.array(start + person)),
            pa.array(place + 1),
            offers.take(pa.array(ranked.rows[person, place])),
            pa.array(ranked.score[person, place]),
            sources.take(pa.array(ranked.source[person, place])),
        ]
        start += len(ranked.rows)
        yield pa.record_batch(columns, schema=SCHEMA)
        on_done(len(ranked.rows))


def _empty() -> pa.RecordBatch:
    return pa.record_batch([pa.array([], field.type) for field in SCHEMA], schema=SCHEMA)


def write_batch(parts: Iterable[pa.RecordBatch], path: Path) -> int:
    """Write the parts of a batch to one .csv or .parquet file as they come.

    The file appears when it is whole.

    Returns
    -------
    int
        How many customers have a list.

    Raises
    ------
    SettingsError
        The file cannot be written.
    """
    if path.is_dir():
        raise SettingsError(f"{path} is a folder.", "Name a file that can be written.")
    beside = path.with_name(f".{path.name}.part")
    make = pq.ParquetWriter if path.suffix == ".parquet" else pa_csv.CSVWriter
    customers = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{path.parent} is no folder and cannot be made one.", "Name a file in another folder."
        ) from error
    try:
        with make(beside, SCHEMA) as writer:
            for part in parts:
                writer.write_batch(part)
                customers += int(pc.sum(pc.equal(part["rank"], 1)).as_py() or 0)
        beside.replace(path)
    except OSError as error:  # Arrow's name no file, and others the one beside
        why = os.strerror(error.errno) if error.errno else str(error)
        raise SettingsError(
            f"{path} cannot be written: {why}.", "Check the path, its permissions and the disk."
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return customers


def query_customers(
    bundle: Bundle, given: Dataset | None, at: pd.Timestamp
) -> tuple[list[str], Query]:
    """Build the queries of a batch.

    Parameters
    ----------
    bundle : Bundle
        With a recommender.
    given : Dataset, optional
        Tables of the wanted customers: who they are and, for those the bundle does not know, what
        they did, bought and answered. Every customer of the bundle if not given.
    at : Timestamp
        Rows of `given` at or after it are not read.

    Returns
    -------
    ids : list of str
        External ids, in the order of the customers table where one is given.
    query : Query
        One row each.
    """
    known = bundle.customers.query
    if known is None or bundle.recommender is None:
        raise BundleError("This model recommends nothing.", "Train it with offers.")
    if given is None:
        return [str(name) for name in bundle.customers.ids], known
    ids = [str(name) for name in given.customers[CUSTOMER_ID]]
    strangers = strangers_of(bundle, given)
    familiar = [name for name in ids if name in bundle.customer_ids]
    parts = [known.take(bundle.customer_ids.rows(familiar))]
    if len(strangers):
        # What can be redeemed again the model's offers say.
        told = replace(told_of(given.before(at), strangers), offers=bundle.offers)
        features = customer_features(told, at).values
        # A percentile among strangers says nothing: only scores that are stated count.
        stated = told.customers.set_index(CUSTOMER_ID)[SPENDING_SCORE]
        features[SPENDING_SCORE] = stated.reindex(features.index)
        parts.append(bundle.recommender.encoders.query_dataset(told, features, strangers))
    place = {name: row for row, name in enumerate([*familiar, *strangers.ids])}
    order = np.array([place[name] for name in ids], dtype=np.int64)
    return ids, stack(parts).take(order)


def strangers_of(bundle: Bundle, given: Dataset) -> IdMap:
    """Return the wanted customers that the bundle does not know: those that rows are read of."""
    return IdMap(name for name in given.customers[CUSTOMER_ID] if name not in bundle.customer_ids)


def told_of(given: Dataset, wanted: IdMap) -> Dataset:
    """Keep the rows of some customers."""

    def of_wanted(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[wanted.known(frame[CUSTOMER_ID])]

    return replace(
        given,
        customers=of_wanted(given.customers),
        transactions=of_wanted(given.transactions),
        interactions=of_wanted(given.interactions),
        survey_answers=of_wanted(given.survey_answers),
    )
