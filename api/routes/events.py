"""`POST /events` and `POST /transactions`: what happened, durable before the answer."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import APIRouter
from pydantic import TypeAdapter, ValidationError

from api.bodies import (
    Event,
    Events,
    Strict,
    TransactionLine,
    Transactions,
)
from api.dependencies import HouseDependency
from api.errors import told_problem
from api.moments import IN_THE_FUTURE, is_ahead, microseconds
from api.replies import Receipt, Rejected
from api.telemetry import count_rows
from api.values import CustomerId
from data.schema import OFFER_ID

router = APIRouter(tags=["facts"])

ID: TypeAdapter[str] = TypeAdapter(CustomerId)
Row = TypeVar("Row", Event, TransactionLine)


@router.post("/events", status_code=HTTPStatus.ACCEPTED)
def add_events(home: HouseDependency, body: Events) -> Receipt:
    """Record impressions, clicks and redemptions; a repeated event_id changes nothing."""
    rejected: list[Rejected] = []
    events = list(_parsed(Event, body.events, rejected))
    offers = home.offer_ids
    if not offers.issuperset(event.offer_id for _, event in events):
        # An offer may have been put a moment ago, or loaded after the model was trained.
        offers |= {row[OFFER_ID] for row in home.store.offers()}
    rows, places = [], []
    for index, event in events:
        if event.offer_id not in offers:
            detail = f"offer_id: there is no offer {event.offer_id!r}"
            rejected.append(Rejected(index=index, code="UNKNOWN_OFFER", detail=detail))
            continue
        row = _recorded(event)
        row["event_id"] = event.event_id or uuid.uuid4().hex
        rows.append(row)
        places.append(index)
    written = home.store.add_events(rows)
    for place in written.taken:
        detail = f"event_id: {rows[place]['event_id']!r} belongs to another event"
        rejected.append(Rejected(index=places[place], code="EVENT_ID_TAKEN", detail=detail))
    count_rows("interactions", written.accepted, written.duplicates, len(rejected))
    return _receipt(written.accepted, written.duplicates, rejected)


@router.post("/transactions", status_code=HTTPStatus.ACCEPTED)
def add_transactions(home: HouseDependency, body: Transactions) -> Receipt:
    """Record transaction lines; a transaction that is there already is replaced whole.

    What replaces something is accepted; lines of a transaction that says what is on record of it,
    in whatever order, are duplicates.
    """
    rejected: list[Rejected] = []
    lines = list(_parsed(TransactionLine, body.transactions, rejected))
    # A transaction is recorded whole or not at all: half of it would replace a good one.
    broken = {_name_of(body.transactions[one.index]) for one in rejected}
    transactions: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for index, line in lines:
        names = {(line.customer_id, line.transaction_id), (None, line.transaction_id)}
        if line.transaction_id and not broken.isdisjoint(names):
            detail = "another line of this transaction was rejected"
            rejected.append(Rejected(index=index, code="INCOMPLETE_TRANSACTION", detail=detail))
            continue
        row = _recorded(line)
        row["transaction_id"] = line.transaction_id or uuid.uuid4().hex
        transactions.setdefault((line.customer_id, row["transaction_id"]), []).append(row)
    written = home.store.put_transactions(list(transactions.values()))
    count_rows("transactions", written.accepted, written.duplicates, len(rejected))
    return _receipt(written.accepted, written.duplicates, rejected)


def _name_of(raw: Any) -> tuple[str | None, str | None]:
    """Name the transaction of a rejected line; without a customer where the line names none."""
    if not isinstance(raw, dict):
        return None, None
    return _id_of(raw.get("customer_id")), _id_of(raw.get("transaction_id"))


def _id_of(value: Any) -> str | None:
    try:
        return ID.validate_python(value)
    except ValidationError:
        return None


def _parsed(
    kind: type[Row], rows: list[Any], rejected: list[Rejected]
) -> Iterable[tuple[int, Row]]:
    """Judge rows one by one; what is wrong with one does not keep the others out."""
    for index, raw in enumerate(rows):
        try:
            row = kind.model_validate(raw)
        except ValidationError as error:
            detail = told_problem(error)
            rejected.append(Rejected(index=index, code="INVALID_ROW", detail=detail))
            continue
        if row.occurred_at is not None and is_ahead(row.occurred_at):
            detail = f"occurred_at: {IN_THE_FUTURE}"
            rejected.append(Rejected(index=index, code="IN_THE_FUTURE", detail=detail))
            continue
        yield index, row


def _recorded(row: Strict) -> dict[str, Any]:
    """Turn a row into the database's terms."""
    now = datetime.now(UTC)
    values = row.model_dump()
    occurred = values["occurred_at"] or now
    values["occurred_at"] = microseconds(occurred)
    values["recorded_at"] = microseconds(now)
    return values


def _receipt(accepted: int, duplicates: int, rejected: list[Rejected]) -> Receipt:
    rejected.sort(key=lambda one: one.index)
    return Receipt(accepted=accepted, duplicates=duplicates, rejected=rejected)
