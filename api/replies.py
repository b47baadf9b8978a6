"""What goes out over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class Rejected(BaseModel):
    """A row that was not taken."""

    index: int
    code: str
    detail: str


class Receipt(BaseModel):
    """What became of a batch."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


class SegmentName(BaseModel):
    """A segment by number and name."""

    id: int
    name: str


class Segment(SegmentName):
    """A segment as people see it."""

    description: str
    size: int
    share: float
    centroid: dict[str, float]


class Compared(BaseModel):
    """The mean of a feature in a segment beside everybody's; null where nobody has a value."""

    label: str
    segment: float | None
    everybody: float | None


class SegmentDetail(Segment):
    """One segment with its profile and a nameless sample of its people."""

    confidence: float | None = Field(
        description="Mean over its customers: 0.5 on the border to the next one, 1 at the centre."
    )
    profile: dict[str, Compared]
    axes: list[str] = Field(description="The features whose values a point holds.")
    points: list[list[float]] = Field(description="Rounded values of sampled customers, no ids.")


class ListedOffer(BaseModel):
    """One offer of a list, with the parts its score is the sum of."""

    rank: int
    offer_id: str
    title: str | None
    category: str | None
    score: float
    source: str
    contributions: dict[str, float]
    reasons: list[str]


class OfferList(BaseModel):
    """A list of offers for one customer."""

    request_id: str
    decision_id: str
    model_version: str
    generated_at: datetime
    customer_id: str
    known: bool
    segment: SegmentName | None
    strategy: str
    calibrated: bool
    offers: list[ListedOffer]


class DegradedList(OfferList):
    """A list made while the database was away: from the model alone."""

    degraded: Literal[True] = True


class ListResult(BaseModel):
    """What became of one request: a list, or why there is none."""

    status: int
    list: OfferList | DegradedList | None = None
    code: str | None = None
    detail: str | None = None


class ListResults(BaseModel):
    """The results in the order of the requests."""

    results: list[ListResult]


class NextQuestion(BaseModel):
    """A question worth asking next, and what may be answered; it may be skipped as well."""

    question: str
    text: str
    answers: list[Literal["yes", "no"]] = ["yes", "no"]


class ProfileColumn(BaseModel):
    """Something that a profile may state and the model reads."""

    name: str
    values: list[str] | None = Field(description="Those of a category; null for a number.")


class NextQuestions(BaseModel):
    """What is worth asking next."""

    customer_id: str | None
    settled: bool = Field(description="No further answer is expected to change the list much.")
    questions: list[NextQuestion]
    profile: list[ProfileColumn] = Field(description="What may be asked besides.")


class Welcome(BaseModel):
    """What a new customer gets at once."""

    customer_id: str
    segment: SegmentName | None
    next_questions: list[NextQuestion]
    recommendations: OfferList


class Problem(BaseModel):
    """An error."""

    detail: str
    code: str
    errors: list[dict[str, Any]] | None = None
