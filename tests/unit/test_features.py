"""The feature definitions, on transactions small enough to count by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.dataset import Dataset
from segmentation.features import FEATURES, CustomerFeatures, customer_features

AT = pd.Timestamp("2025-06-01T12:00", tz="UTC")
MONTH = 365.25 / 12
COUNT, VALUE, FREQUENCY = FEATURES[3:]
# customer, days before the moment, amount, transaction_id
Line = tuple[str, float, float, str | None]


def features(lines: Sequence[Line], customers: pd.DataFrame | None = None) -> CustomerFeatures:
    tables = {}
    if lines:
        frame = pd.DataFrame(lines, columns=["customer_id", "days", "amount", "transaction_id"])
        frame["occurred_at"] = AT - pd.to_timedelta(frame.pop("days"), unit="D")
        tables["transactions"] = frame
    if customers is not None:
        tables["customers"] = customers
    return customer_features(Dataset.of(tables), AT)


def test_the_features_are_the_six_in_order() -> None:
    found = features([("a", 3, 10, None)])
    assert tuple(found.values.columns) == FEATURES
    assert (found.values.dtypes == np.float64).all()
    assert found.values.index.equals(found.activity.index)


def test_lines_that_share_an_id_are_one_transaction() -> None:
    found = features([("a", 3, 10, "t1"), ("a", 3, 5, "t1"), ("a", 2, 9, "t2")])
    row = found.values.loc["a"]
    assert row[COUNT] == 2
    assert row[VALUE] == (15 + 9) / 2
    assert found.activity.loc["a", "largest_value"] == 15


def test_the_same_id_of_two_customers_is_two_transactions() -> None:
    found = features([("a", 3, 10, "1"), ("b", 3, 6, "1")])
    assert found.values[COUNT].tolist() == [1, 1]
    assert found.values[VALUE].tolist() == [10, 6]


def test_without_an_id_each_row_is_one_transaction() -> None:
    found = features([("a", 3, 10, None), ("a", 3, 10, None), ("a", 3, 4, "t"), ("a", 3, 6, "t")])
    assert found.values.loc["a", COUNT] == 3
    assert found.values.loc["a", VALUE] == 10


def test_without_the_column_each_row_is_one_transaction() -> None:
    frame = pd.DataFrame({"customer_id": "a", "occurred_at": AT, "amount": [1.0, 2.0]})
    found = customer_features(Dataset.of({"transactions": frame}), AT + pd.Timedelta(days=1))
    assert found.values.loc["a", COUNT] == 2


def test_a_refund_counts_in_spend_and_not_as_a_transaction() -> None:
    found = features([("a", 9, 40, None), ("a", 8, 20, None), ("a", 1, -15, None)])
    row, activity = found.values.loc["a"], found.activity.loc["a"]
    assert row[COUNT] == 2
    assert row[VALUE] == 30
    assert activity["spend"] == 45
    assert activity["refunds"] == 1
    assert activity["recency_days"] == pytest.approx(8)
    # That there are refunds is said once: where tables are checked together.
    assert not any("refund" in note for note in found.notes)


def test_a_refunded_line_does_not_undo_its_transaction() -> None:
    found = features([("a", 9, 40, "t"), ("a", 9, -10, "t")])
    assert found.values.loc["a", COUNT] == 1
    assert found.activity.loc["a", "spend"] == 30


def test_frequency_is_per_month_since_the_first_transaction() -> None:
    found = features([("a", 90, 1, None), ("a", 40, 1, None), ("a", 5, 1, None)])
    assert found.values.loc["a", FREQUENCY] == pytest.approx(3 / (90 / MONTH))


def test_frequency_counts_at_least_one_month() -> None:
    found = features([("a", 2, 1, None), ("a", 1, 1, None), ("b", MONTH, 1, None)])
    assert found.values.loc["a", FREQUENCY] == 2
    assert found.values.loc["b", FREQUENCY] == pytest.approx(1)


def test_activity_tells_days_recency_and_tenure() -> None:
    found = features([("a", 50, 8, None), ("a", 20, 2, None), ("a", 20, 5, None)])
    row = found.activity.loc["a"]
    assert row["tenure_days"] == pytest.approx(50)
    assert row["recency_days"] == pytest.approx(20)
    assert row["active_days"] == 2
    assert row["largest_day"] == 2
    assert row["largest_value"] == 8
    assert row["spend"] == 15


def test_rows_at_or_after_the_moment_are_not_read() -> None:
    known = [("a", 10.0, 5.0, None), ("b", 4.0, 7.0, None)]
    later = [("a", 0.0, 1000.0, None), ("b", -3.0, 1000.0, None)]
    pd.testing.assert_frame_equal(features(known).values, features(known + later).values)
    pd.testing.assert_frame_equal(features(known).activity, features(known + later).activity)


def test_customers_without_transactions_have_no_transaction_features() -> None:
    customers = pd.DataFrame({"customer_id": ["a", "b"], "age": [30, 40]})
    found = features([("a", 10, 5, None)], customers)
    assert found.values.loc["b", [COUNT, VALUE, FREQUENCY]].isna().all()
    assert found.activity.loc["b"].isna().all()
    assert found.values.loc["b", "age"] == 40
    assert np.isnan(found.values.loc["b", "spending_score"])


def test_without_any_transactions_attributes_stand_alone() -> None:
    customers = pd.DataFrame({"customer_id": ["a", "b"], "age": [30, None]})
    found = features([], customers)
    assert found.values["age"].tolist()[0] == 30
    assert found.values[[COUNT, VALUE, FREQUENCY]].isna().all(axis=None)
    assert found.notes == ()


def test_nobody_at_all_gives_an_empty_table() -> None:
    found = features([])
    assert found.values.shape == (0, 6)
    assert len(found.activity) == 0


@pytest.mark.parametrize("n", [1, 3, 4, 100])
def test_a_missing_spending_score_is_the_spend_percentile_rounded_up(n: int) -> None:
    lines = [(f"c{i:03}", 5.0, float(i), None) for i in range(1, n + 1)]
    found = features(lines)
    # ceil(100 · i / n) in whole numbers.
    assert found.values["spending_score"].tolist() == [-(-100 * i // n) for i in range(1, n + 1)]
    assert any("spending score" in note and "derived" in note for note in found.notes)


def test_a_spending_score_is_derived_only_where_it_is_missing() -> None:
    customers = pd.DataFrame({"customer_id": ["a", "b", "c"], "spending_score": [7.0, None, None]})
    lines = [("a", 5.0, 900.0, None), ("b", 5.0, 10.0, None)]
    found = features(lines, customers)
    score = found.values["spending_score"]
    assert score["a"] == 7
    assert score["b"] == 50
    assert np.isnan(score["c"])
    assert any("1 of 3" in note for note in found.notes)


def test_nothing_is_noted_where_every_score_is_there() -> None:
    customers = pd.DataFrame({"customer_id": ["a"], "spending_score": [7.0]})
    assert features([("a", 5, 9, None)], customers).notes == ()


lines = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.integers(0, 4000).map(lambda hours: hours / 24),
        st.integers(-30, 200).map(float),
        st.none() | st.sampled_from(["t1", "t2", "t3"]),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(lines.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_rows_changes_nothing(both: tuple[list[Line], list[Line]]) -> None:
    one, other = (features(rows) for rows in both)
    pd.testing.assert_frame_equal(one.values, other.values, rtol=1e-12)
    pd.testing.assert_frame_equal(one.activity, other.activity, rtol=1e-12)
    assert one.notes == other.notes


@settings(max_examples=12, deadline=None, derandomize=True)
@given(lines)
def test_features_stay_in_their_ranges(rows: list[Line]) -> None:
    found = features(rows)
    read = [row for row in rows if row[1] > 0]
    spend = found.activity["spend"].dropna()
    assert spend.sum() == pytest.approx(sum(row[2] for row in read))
    count = found.values[COUNT].dropna()
    bought = [row for row in read if row[2] >= 0]
    assert count.sum() <= len(bought)
    score = found.values["spending_score"].dropna()
    assert score.between(1, 100).all()
    assert (score == score.round()).all()
    assert (found.values[FREQUENCY].dropna() <= count.max()).all()
