"""`GET /anomalies`: who behaves oddly, and why."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.dependencies import HouseDependency
from api.errors import ApiError
from data.schema import CUSTOMER_ID

router = APIRouter(tags=["anomalies"])

MOST = 200
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
    next: str | None


@router.get("/anomalies")
def anomalies(
    home: HouseDependency,
    kind: Annotated[Kind | None, Query(description="Only this kind.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    after: Annotated[str | None, Query(max_length=128, description="`next` of a page.")] = None,
) -> Anomalies:
    """List flagged customers by page."""
    table = home.bundle.anomalies
    table = table[table["flagged"]]
    if kind is not None:
        table = table[table["kind"] == kind]
    table = table.sort_values(["score", CUSTOMER_ID], ascending=[False, True], kind="stable")
    start = 0
    if after is not None:
        place = (table[CUSTOMER_ID] == after).to_numpy().nonzero()[0]
        if not len(place):
            detail = "after: is no longer among them; begin again without it"
            raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "UNKNOWN_CURSOR", detail)
        start = int(place[0]) + 1
    page = table.iloc[start : start + limit]
    more = start + limit < len(table)
    found = [
        OddCustomer(customer_id=row[CUSTOMER_ID], **_told(row)) for row in page.to_dict("records")
    ]
    return Anomalies(anomalies=found, next=found[-1].customer_id if more and found else None)


def anomaly_of(table: pd.DataFrame, customer_id: str) -> Anomaly | None:
    """Say what is odd about one customer; None where nothing is."""
    own = table[(table[CUSTOMER_ID] == customer_id) & table["flagged"]]
    return None if own.empty else Anomaly(**_told(own.to_dict("records")[0]))


def _told(row: dict[Any, Any]) -> dict[str, Any]:
    reasons = [part for part in str(row["reasons"]).split("; ") if part]
    return {**{name: row[name] for name in ("kind", "score", "p_value")}, "reasons": reasons}
