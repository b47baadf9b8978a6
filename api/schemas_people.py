"""A customer as they are known, customers who behave oddly, and the receipt of an erasure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import Answer, Profile, Question, SegmentName, Strict

Kind = Literal["unusual", "possible fraud", "vip", "at risk"]


class CustomerUpdate(Strict):
    """What is to be recorded of a customer; what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"profile": {"age": 41}, "answers": {"category:travel": "yes"}}]
        },
    )

    profile: Profile = Profile()
    answers: dict[Question, Answer] = Field(default_factory=dict, max_length=200)


class PlacedSegment(SegmentName):
    """A customer's segment, how sure that is, and why it is this one."""

    confidence: float = Field(
        description="0.5 on the border to the next segment, 1 at the centre of this one."
    )
    runner_up: SegmentName | None = Field(description="The next segment; null if there is none.")
    reasons: list[str]


class Verdict(BaseModel):
    """That somebody behaves oddly, in which way, and what shows it."""

    kind: str
    score: float | None = Field(description="Higher is odder.")
    p_value: float | None = Field(description="Share of ordinary customers at least as odd.")
    reasons: list[str]


class Customer(BaseModel):
    """A customer as they are known at this moment."""

    customer_id: str
    in_model: bool = Field(description="Whether the model was trained with this customer.")
    profile: dict[str, Any] = Field(description="As it was stated.")
    answers: dict[str, str]
    features: dict[str, float | None] = Field(description="What the segment is found by.")
    segment: PlacedSegment | None
    events: dict[str, int] = Field(description="Recorded interactions by type.")
    transactions: int = Field(description="Recorded transactions.")
    anomaly: Verdict | None = Field(description="Null unless flagged.")


class OddCustomer(Verdict):
    """A customer who is flagged."""

    customer_id: str


class OddPage(BaseModel):
    """Some flagged customers, the oddest first."""

    model_version: str
    total: int = Field(description="How many are flagged, of this kind if one was asked for.")
    anomalies: list[OddCustomer]
    next: str | None = Field(description="Send it as `after` for those who follow.")


class ErasureReceipt(BaseModel):
    """That a person was erased, without saying who."""

    receipt_id: str
    customer_digest: str = Field(description="SHA-256 of the id.")
    erased_at: str
    rows: dict[str, int] = Field(description="Rows removed from the database, by table.")
    models: dict[str, bool] = Field(description="By version, whether the person was in it.")
