"""`GET /anomalies`: customers who behave oddly, the oddest first, page by page."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated

import pandas as pd
from fastapi import APIRouter, Query

from api.dependencies import HouseDependency
from api.errors import ApiError
from api.schemas_people import Kind, OddCustomer, OddPage, Verdict
from data.schema import CUSTOMER_ID
from recommender.bundle import Bundle

router = APIRouter(tags=["anomalies"])

# Where a page ended, in terms that outlive an erasure and hold no customer's id: the last one's
# p-value and score, and how many of exactly these were told.
CURSOR = re.compile(r"(-?[0-9a-fx.p+-]{1,40})~(-?[0-9a-fx.p+-]{1,40})~([0-9]{1,6})\Z")


@router.get("/anomalies")
async def anomalies(
    home: HouseDependency,
    kind: Annotated[Kind | None, Query(description="Only this kind.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
    after: Annotated[
        str | None, Query(max_length=100, description="`next` of the page before.")
    ] = None,
) -> OddPage:
    """List the customers that the model flags, with what shows it."""
    bundle = home.bundle
    table = bundle.anomalies
    odd = table[table["flagged"].astype(bool)]
    if kind is not None:
        odd = odd[odd["kind"] == kind]
    rest = odd if after is None else odd.iloc[_begin(odd, after) :]
    page = rest.iloc[:limit]
    return OddPage(
        model_version=bundle.version,
        total=len(odd),
        anomalies=[
            OddCustomer(customer_id=str(row[CUSTOMER_ID]), **_verdict(row).model_dump())
            for _, row in page.iterrows()
        ],
        next=_cursor(odd, page) if len(rest) > len(page) else None,
    )


def verdict_of(bundle: Bundle, customer_id: str) -> Verdict | None:
    """Return why a customer is flagged; None where they are not."""
    table = bundle.anomalies
    found = table[(table[CUSTOMER_ID] == customer_id) & table["flagged"].astype(bool)]
    return None if found.empty else _verdict(found.iloc[0])


def _verdict(row: pd.Series) -> Verdict:
    return Verdict(
        kind=str(row["kind"]),
        score=None if pd.isna(row["score"]) else float(row["score"]),
        p_value=None if pd.isna(row["p_value"]) else float(row["p_value"]),
        reasons=[part for part in str(row["reasons"]).split("; ") if part],
    )


def _cursor(odd: pd.DataFrame, page: pd.DataFrame) -> str:
    p_value, score = (float(page[name].iloc[-1]) for name in ("p_value", "score"))
    same = (odd["p_value"] == p_value) & (odd["score"] == score)
    told = same & (odd.index <= page.index[-1])
    return f"{p_value.hex()}~{score.hex()}~{int(told.sum())}"


def _begin(odd: pd.DataFrame, after: str) -> int:
    """Return the place of the first one after a cursor; the table is in the order of both."""
    try:
        p_text, score_text, told = CURSOR.match(after).groups()  # type: ignore[union-attr]
        p_value, score = float.fromhex(p_text), float.fromhex(score_text)
    except (AttributeError, OverflowError, ValueError):
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "BAD_CURSOR",
            "after: is not what a page before gave as `next`",
        ) from None
    odder = (odd["p_value"] < p_value) | ((odd["p_value"] == p_value) & (odd["score"] > score))
    return int(odder.sum()) + int(told)
