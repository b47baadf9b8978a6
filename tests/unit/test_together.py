"""What is said of tables beside each other: rows of the future, offers that are never valid."""

from __future__ import annotations

import pandas as pd
import pytest

from api.values import as_answered
from data.checks import Checked, check_rows
from data.schema import TABLES
from data.together import check_together

NOW = pd.Timestamp("2026-02-01T12:00:00Z")


def together(**tables: dict[str, list[str]]) -> dict[str, Checked]:
    checked = {
        name: check_rows(pd.DataFrame(columns, dtype="str"), TABLES[name], name)
        for name, columns in tables.items()
    }
    check_together(checked, NOW)
    return checked


def bought(*when: str) -> Checked:
    rows = {
        "customer_id": ["a"] * len(when),
        "occurred_at": list(when),
        "amount": ["1"] * len(when),
    }
    return together(transactions=rows)["transactions"]


def test_rows_of_the_future_are_kept_and_remarked() -> None:
    table = bought("2025-01-01T00:00Z", "never", "2105-01-01T00:00Z", "2026-03-01T00:00Z")
    (note,) = table.notes
    assert note.startswith("transactions: 2 rows lie after the present, the latest at 2105")
    assert "--at" in note
    assert len(table.frame) == 3


@pytest.mark.parametrize("when", [(), ("2025-01-01T00:00Z",), ("2026-02-02T02:00:00Z",)])
def test_nothing_is_said_of_the_past_nor_of_another_zone(when: tuple[str, ...]) -> None:
    assert not bought(*when).notes


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        (["5", "-2", "0"], "1 refund (negative amount) counts"),
        (["-5", "-2", "3"], "2 refunds (negative amounts) count"),
    ],
)
def test_refunds_are_remarked(amounts: list[str], told: str) -> None:
    when = ["2025-01-01T00:00Z"] * 3
    rows = {"customer_id": ["a"] * 3, "occurred_at": when, "amount": amounts}
    table = together(transactions=rows)["transactions"]
    assert table.notes == [f"transactions: {told} in spend, not as transactions."]


def test_offers_that_end_before_they_begin_are_remarked() -> None:
    offers = {
        "offer_id": ["a", "b", "c", "d", "e"],
        "valid_from": [
            "2025-01-01T00:00Z",
            "2025-01-02T00:00Z",
            "2025-01-02T00:00Z",
            "",
            "2025-01-02T00:00Z",
        ],
        "valid_until": [
            "2025-01-02T00:00Z",
            "2025-01-01T00:00Z",
            "2025-01-02T00:00Z",
            "2025-01-01T00:00Z",
            "",
        ],
    }
    table = together(offers=offers)["offers"]
    (note,) = table.notes
    assert note.startswith("offers: 2 offers ('b') are never valid")
    assert len(table.frame) == 5


def test_yes_and_no_are_read_in_any_case_and_names_keep_theirs() -> None:
    told = {"category:food": "Yes", "offer:o1": " NO ", "plan": "Gold", "own": "Yes"}
    read = {"category:food": "yes", "offer:o1": "no", "plan": "Gold", "own": "Yes"}
    rows = {"customer_id": ["a"] * 4, "question": list(told), "answer": list(told.values())}
    frame = together(survey_answers=rows)["survey_answers"].frame
    assert dict(zip(frame["question"], frame["answer"], strict=True)) == read
    assert as_answered(told) == read
