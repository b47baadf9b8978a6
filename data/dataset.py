"""The facts of a company as typed frames: what every floor above reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import pandas as pd

from data.idmap import IdMap
from data.schema import (
    BOUGHT,
    CLICK,
    CUSTOMER_ID,
    EVENT_TYPE,
    IMPRESSION,
    ITEM_ID,
    OCCURRED_AT,
    OFFER_ID,
    REDEMPTION,
    TABLES,
    TRANSACTION_ID,
    Kind,
    Table,
)

DTYPES = {
    Kind.ID: "str",
    Kind.TEXT: "str",
    Kind.NUMBER: "float64",
    Kind.TIME: "datetime64[us, UTC]",
    Kind.FLAG: "boolean",
}
FARTHEST = pd.Timestamp("2260-01-01", tz="UTC")


def complete(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Give a frame every known column of its table, typed, absent values missing.

    Columns that the table does not know are kept behind the known ones as attributes; spans of time
    among them are numbers of days, as nobody who reads attributes knows of spans.
    """
    known = {}
    for column in table.columns:
        dtype = DTYPES[column.kind]
        if column.name in frame.columns:
            known[column.name] = frame[column.name].astype(dtype)  # type: ignore[call-overload]
        else:
            known[column.name] = pd.Series(dtype=dtype).reindex(frame.index)
    extra = {name: frame[name] for name in frame.columns if name not in known}
    for name, values in extra.items():
        if is_of_spans(values):
            extra[name] = values.dt.total_seconds() / 86_400
    return pd.DataFrame({**known, **extra}, index=frame.index)


def is_of_spans(values: pd.Series) -> bool:
    """Tell whether a column holds spans of time, as Parquet keeps them."""
    return bool(pd.api.types.is_timedelta64_dtype(values))


def empty(table: Table) -> pd.DataFrame:
    """Return a table without rows."""
    return complete(pd.DataFrame(index=pd.RangeIndex(0)), table)


@dataclass(frozen=True)
class Dataset:
    """The tables of one dataset folder; an absent table has no rows.

    Every frame has all columns that `data.schema` knows for it, so a reader asks whether a value is
    there, never whether a column is.
    """

    customers: pd.DataFrame
    offers: pd.DataFrame
    items: pd.DataFrame
    offer_items: pd.DataFrame
    transactions: pd.DataFrame
    interactions: pd.DataFrame
    survey_answers: pd.DataFrame

    @classmethod
    def of(cls, tables: Mapping[str, pd.DataFrame]) -> Dataset:
        """Build a dataset from whatever tables there are, by name."""
        return cls(
            **{
                name: complete(tables[name].reset_index(drop=True), table)
                if name in tables
                else empty(table)
                for name, table in TABLES.items()
            }
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables that have rows, by name."""
        frames = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: frame for name, frame in frames.items() if len(frame)}

    @cached_property
    def customer_ids(self) -> IdMap:
        """Everybody who is in any table."""
        sources = (self.customers, self.transactions, self.interactions, self.survey_answers)
        return IdMap(_different(pd.concat([frame[CUSTOMER_ID] for frame in sources])))

    @cached_property
    def offer_ids(self) -> IdMap:
        """The offers of the offers table."""
        return IdMap(_different(self.offers[OFFER_ID]))

    @cached_property
    def repeatable(self) -> np.ndarray:
        """What can be redeemed again: shape (offers,), in the order of `offer_ids`."""
        table = self.offers.set_index(OFFER_ID)["repeatable"].reindex(self.offer_ids.ids)
        return np.asarray(table.fillna(False).to_numpy(dtype=bool))

    @cached_property
    def item_ids(self) -> IdMap:
        """Every item that is in any table."""
        sources = (self.items, self.offer_items, self.transactions)
        return IdMap(_different(pd.concat([frame[ITEM_ID] for frame in sources]).dropna()))

    @cached_property
    def fingerprint(self) -> str:
        """Twelve characters that are the same for the same tables."""
        digest = hashlib.sha256()
        for name, frame in self.tables().items():
            digest.update(name.encode())
            digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
        return digest.hexdigest()[:12]

    def before(self, at: pd.Timestamp) -> Dataset:
        """Return the dataset as it was known just before a moment; itself if that was all."""
        earlier = {
            name: (getattr(self, name)[OCCURRED_AT] < at).to_numpy(dtype=bool)
            for name in ("transactions", "interactions")
        }
        if all(mask.all() for mask in earlier.values()):
            return self
        return replace(self, **{name: getattr(self, name)[mask] for name, mask in earlier.items()})

    def moment_after(self) -> pd.Timestamp:
        """Return the moment just after the last row, the default `at` of everything."""
        events = pd.concat([self.transactions[OCCURRED_AT], self.interactions[OCCURRED_AT]])
        if events.empty:
            events = pd.concat([self.customers["signup_at"], self.offers["valid_from"]])
        last = events.max()
        if pd.isna(last):
            # Tables without any time: nothing can depend on the moment, so any fixed one will do.
            return pd.Timestamp("2000-01-01", tz="UTC")
        return just_after(pd.Timestamp(last))

    def events(self, event_type: str) -> pd.DataFrame:
        """Return the interactions of one type."""
        return self.interactions[self.interactions[EVENT_TYPE] == event_type]

    def takings(self, event_type: str) -> pd.DataFrame:
        """Return the interactions of one type, of what can be redeemed once only each one's first.

        That somebody redeems it again says nothing of whom to offer it to.
        """
        return self._redeemed if event_type == REDEMPTION else self.events(event_type)

    @cached_property
    def _redeemed(self) -> pd.DataFrame:
        events = self.events(REDEMPTION)
        owner, people = pd.factorize(events[CUSTOMER_ID])
        offer, offers = pd.factorize(events[OFFER_ID])
        repeatable = self.offers["repeatable"].fillna(False).astype(bool)
        once = ~offers.isin(self.offers.loc[repeatable, OFFER_ID])[offer]
        pair = pd.Series(owner + len(people) * offer.astype(np.int64))
        several = np.flatnonzero(once & pair.duplicated(keep=False).to_numpy())
        when = microseconds(events[OCCURRED_AT].iloc[several]).argsort(kind="stable").to_numpy()
        ordered = several[when]
        kept = np.ones(len(events), dtype=bool)
        kept[ordered] = ~pair.iloc[ordered].duplicated().to_numpy()
        return events[kept]

    def positive_type(self) -> str | None:
        """Return the event that counts as relevant: redemption, else click, else nothing.

        Before all, what was bought, where that stands for redemptions.
        """
        return positive_among(self.interactions)

    def has_impressions(self) -> bool:
        """Tell whether what was shown was logged."""
        return bool((self.interactions[EVENT_TYPE] == IMPRESSION).any())


def positive_among(interactions: pd.DataFrame) -> str | None:
    """Return the event that counts as relevant among some interactions (see `positive_type`)."""
    seen = set(interactions[EVENT_TYPE].unique())
    return next((kind for kind in (BOUGHT, REDEMPTION, CLICK) if kind in seen), None)


def _different(ids: pd.Series[str]) -> np.ndarray:
    """Return different ids as plain objects: to go through those of a series takes far longer."""
    return np.asarray(pd.Series(ids.unique()).to_numpy(dtype=object))


def just_after(last: pd.Timestamp) -> pd.Timestamp:
    """Return the moment after the last row, but none that nanoseconds since 1970 cannot tell."""
    return min(last, FARTHEST) + pd.Timedelta(microseconds=1)


def transaction_numbers(transactions: pd.DataFrame) -> np.ndarray:
    """Return for each line the number of the transaction that it belongs to.

    Lines of one customer with the same number are one transaction; a line without a transaction_id
    is one of its own.

    Returns
    -------
    ndarray of int, shape (lines,)
    """
    number = pd.factorize(transactions[TRANSACTION_ID])[0].astype(np.int64)
    alone = number < 0
    number[alone] = number.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return np.asarray(number)


def valid_at(offers: pd.DataFrame, at: pd.Timestamp) -> np.ndarray:
    """Mask of the offers that are valid at a moment: valid_from ≤ at < valid_until."""
    begun = offers["valid_from"].isna() | (offers["valid_from"] <= at)
    running = offers["valid_until"].isna() | (offers["valid_until"] > at)
    return np.array(begun & running, dtype=bool)


def microseconds(times: pd.Series[pd.Timestamp]) -> pd.Series[int]:
    """Turn UTC times into whole microseconds since 1970; missing stays missing."""
    whole = times.dt.tz_localize(None).astype("datetime64[us]").astype("int64").astype("Int64")
    return whole.mask(times.isna())
