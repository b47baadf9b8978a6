"""`GET /anomalies`: who behaves oddly, and why."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.dependencies import HouseDependency
from data.schema import CUSTOMER_ID

router = APIRouter(tags=["anomalies"])

MOST = 200
# Where a page ended, not who stood there: it holds when that customer is erased meanwhile.
CURSOR = r"^-?[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?~[^\x00-\x1f]{1,128}$"
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
    after: Annotated[str | None, Query(pattern=CURSOR, description="`next` of a page.")] = None,
) -> Anomalies:
    """List flagged customers by page."""
    table = home.bundle.anomalies
    table = table[table["flagged"]]
    if kind is not None:
        table = table[table["kind"] == kind]
    table = table.sort_values(["score", CUSTOMER_ID], ascending=[False, True], kind="stable")
    if after is not None:
        score, _, name = after.partition("~")
        below = table["score"] < float(score)
        table = table[below | ((table["score"] == float(score)) & (table[CUSTOMER_ID] > name))]
    page = table.head(limit)
    more = len(table) > limit
    found = [
        OddCustomer(customer_id=row[CUSTOMER_ID], **_told(row)) for row in page.to_dict("records")
    ]
    last = f"{found[-1].score!r}~{found[-1].customer_id}" if more else None
    return Anomalies(anomalies=found, next=last)


def anomaly_of(table: pd.DataFrame, customer_id: str) -> Anomaly | None:
    """Say what is odd about one customer; None where nothing is."""
    own = table[(table[CUSTOMER_ID] == customer_id) & table["flagged"]]
    return None if own.empty else Anomaly(**_told(own.to_dict("records")[0]))


def _told(row: dict[Any, Any]) -> dict[str, Any]:
    reasons = [part for part in str(row["reasons"]).split("; ") if part]
    return {**{name: row[name] for name in ("kind", "score", "p_value")}, "reasons": reasons}
