"""`GET /anomalies`: who behaves oddly, and why."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.dependencies import HouseDependency
from api.errors import ApiError
from api.exact import Exact
from data.schema import CUSTOMER_ID

router = APIRouter(tags=["anomalies"], route_class=Exact)

MOST = 200
# Where a page ended, without saying at whom, so that it outlives an erasure and may stand in logs:
# the last score, and how many who have just that were told.
CURSOR = re.compile(r"(-?0x[0-9a-f.]{1,32}p[+-]?[0-9]{1,5})~([0-9]{1,9})\Z")
Kind = Literal["possible fraud", "vip", "at risk", "unusual"]


class Anomaly(BaseModel):
    """What is odd about a customer."""

    kind: str
    score: float
    p_value: float
    reasons: list[str]


class OddCustomer(Anomaly):
    """A customer who behaves oddly."""

    customer_id: str


class Anomalies(BaseModel):
    """A page, the most striking first; `next` goes into `after` for the page that follows."""

    anomalies: list[OddCustomer]
    total: int
    next: str | None


@router.get("/anomalies")
def anomalies(
    home: HouseDependency,
    kind: Annotated[Kind | None, Query(description="Only this kind.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    after: Annotated[str | None, Query(max_length=64, description="`next` of a page.")] = None,
) -> Anomalies:
    """List flagged customers by page."""
    table = home.bundle.anomalies
    table = table[table["flagged"]]
    if kind is not None:
        table = table[table["kind"] == kind]
    table = table.sort_values(["score", CUSTOMER_ID], ascending=[False, True], ignore_index=True)
    start = 0 if after is None else _start(table["score"], after)
    page = table.iloc[start : start + limit]
    more = start + limit < len(table)
    found = [
        OddCustomer(customer_id=row[CUSTOMER_ID], **_told(row)) for row in page.to_dict("records")
    ]
    return Anomalies(
        anomalies=found,
        total=len(table),
        next=_cursor(table["score"], start + limit) if more else None,
    )


def anomaly_of(table: pd.DataFrame, customer_id: str) -> Anomaly | None:
    """Say what is odd about one customer; None where nothing is."""
    own = table[(table[CUSTOMER_ID] == customer_id) & table["flagged"]]
    return None if own.empty else Anomaly(**_told(own.to_dict("records")[0]))


def _told(row: dict[Any, Any]) -> dict[str, Any]:
    reasons = [part for part in str(row["reasons"]).split("; ") if part]
    return {**{name: row[name] for name in ("kind", "score", "p_value")}, "reasons": reasons}


def _cursor(score: pd.Series[float], end: int) -> str:
    last = float(score.iloc[end - 1])
    return f"{last.hex()}~{int((score.iloc[:end] == last).sum())}"


def _start(score: pd.Series[float], after: str) -> int:
    """Return the place of the first one after a page; scores fall."""
    found = CURSOR.match(after)
    try:
        last, told = float.fromhex(found[1]), int(found[2])  # type: ignore[index]
    except (OverflowError, TypeError, ValueError):
        detail = "after: is not what a page gave as its `next`"
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "UNKNOWN_CURSOR", detail) from None
    # Somebody of that score may have been erased since.
    return int((score > last).sum()) + min(told, int((score == last).sum()))
