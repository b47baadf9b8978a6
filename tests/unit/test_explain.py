"""Rules, smallest moves, identity over time, drift and lift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import Dataset
from data.errors import UsageError
from segmentation.explain import find_rules
from segmentation.habits import HABITS, habit_features
from segmentation.identity import keep_identity, measure_drift, stability_index
from segmentation.kmeans import Segmentation, segment_customers
from segmentation.moves import smallest_moves
from segmentation.outcome import later_redeemers, lift_table, segment_rates
from segmentation.reporting import build_segment_report
from tests.conftest import EARLIER, sparing

TWO = {"annual_income": 1.0, "spending_score": 1.0}


def four_groups(n: int = 120, seed: int = 0, shift: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    centres = np.array([(25, 20), (25, 80), (85, 20), (85, 80)])
    x = centres[np.repeat(np.arange(4), n // 4)] + random.normal(0, 4, (n, 2)) + shift
    ids = pd.Index([f"c{row}" for row in range(n)], name="customer_id")
    return pd.DataFrame(x, columns=["annual_income", "spending_score"], index=ids)


@pytest.fixture(scope="module")
def result() -> Segmentation:
    return segment_customers(four_groups(), features=TWO, k=4)


def test_rules_place_everybody_as_the_segments_do(result: Segmentation) -> None:
    table = four_groups()
    rules = find_rules(table, result.labels.to_numpy(), result.model)
    assert rules.accuracy == 1
    assert rules.cost == pytest.approx(1)
    assert rules.leaves == 4
    for segment, text in enumerate(rules.texts):
        placed = table.query(text).index
        assert set(placed) == set(result.labels.index[result.labels == segment])


def test_rules_of_noise_say_how_wrong_they_are() -> None:
    table = pd.DataFrame(np.random.default_rng(0).normal(50, 10, (300, 2)), columns=list(TWO))
    found = segment_customers(table, features=TWO, k=5)
    rules = find_rules(table, found.labels.to_numpy(), found.model)
    assert rules.leaves <= 7
    assert 0.5 < rules.accuracy < 1
    assert rules.cost > 1


@given(st.integers(0, 119), st.integers(1, 3))
def test_the_smallest_move_crosses_the_border_and_less_does_not(
    result: Segmentation, row: int, seed: int
) -> None:
    model = result.model
    table = four_groups(seed=seed)
    moves = smallest_moves(table, model)
    customer = table.index[row]
    move = moves.loc[customer]
    here = table.loc[[customer]]
    own = model.assign(here.to_numpy()).segment[0]
    for share, expected in ((1.001, move["would_join"]), (0.98, own)):
        moved = here.copy()
        step = move["needed"] - move["value"]
        moved[move["feature"]] = move["value"] + share * step
        assert model.assign(moved[list(model.features)].to_numpy()).segment[0] == expected


def test_nothing_known_has_no_move_and_nothing_becomes_negative(result: Segmentation) -> None:
    table = pd.DataFrame([[np.nan, np.nan], [1.0, 50.0]], columns=list(TWO), index=["a", "b"])
    moves = smallest_moves(table, result.model)
    assert moves.index.tolist() == ["b"]
    assert (moves["needed"] >= 0).all()


def test_segments_keep_their_numbers_and_names_over_a_refit(result: Segmentation) -> None:
    old = replace(result.model, names=("one", "two", "three", "four"))
    table = four_groups(seed=7)
    again = segment_customers(table, features=TWO, k=4, previous=old)
    assert again.model.names == old.names
    before = old.assign(table.to_numpy()).segment
    np.testing.assert_array_equal(again.labels.to_numpy(), before)
    np.testing.assert_array_equal(again.model.assign(table.to_numpy()).segment, before)


def test_a_segment_that_was_not_there_gets_a_new_name(result: Segmentation) -> None:
    old = replace(result.model, centroids=result.model.centroids[:3], names=("one", "two", "three"))
    model, place = keep_identity(old, result.model, four_groups())
    assert set(model.names[:3]) <= {"one", "two", "three", *result.model.names}
    assert sorted(place) == [0, 1, 2, 3]
    assert len(set(model.names)) == 4


def test_drift_tells_who_moved_and_what(result: Segmentation) -> None:
    before = four_groups()
    same = measure_drift(result.model, before, before)
    assert same.stay_share == 1
    assert same.verdict == "keep"
    assert np.trace(same.migration.to_numpy()) == same.migration.to_numpy().sum() == 120
    now = before.copy()
    now.iloc[:30, 1] += 60  # the first group becomes the second
    moved = measure_drift(result.model, before, now)
    assert moved.stay_share == pytest.approx(0.75)
    assert moved.psi["spending_score"] > moved.psi["annual_income"] == pytest.approx(0)
    assert moved.verdict == "refit"
    assert "spending_score" in moved.reason
    with pytest.raises(UsageError, match="both moments"):
        measure_drift(result.model, before.iloc[:0], now)


@given(st.integers(0, 50))
def test_the_stability_index_is_zero_for_the_same_and_grows(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = pd.Series(random.normal(size=400))
    assert stability_index(values, values) == pytest.approx(0)
    near, far = (stability_index(values, values + gap) for gap in (0.2, 1.0))
    assert 0 < near < far
    assert stability_index(values, values.mask(values > 0)) > 0.25


def test_lift_compares_with_everybody() -> None:
    labels = pd.Series([0] * 10 + [1] * 30, index=[f"c{row}" for row in range(40)])
    table = lift_table(labels, ("a", "b"), pd.Index([f"c{row}" for row in range(8)]))
    assert table["acted"].tolist() == [8, 0]
    assert table["lift"].tolist() == [4.0, 0.0]
    assert (table["low"] <= table["lift"]).all()
    assert (table["high"] >= table["lift"]).all()


def test_rates_of_small_segments_are_shrunk() -> None:
    labels, acted = np.array([0] * 100 + [1]), np.array([1.0] * 20 + [0.0] * 80 + [1.0])
    few = segment_rates(labels, acted, 3)
    assert few[0] == pytest.approx(0.2, abs=0.01)
    assert 0.2 < few[1] < 0.3
    assert few[2] == pytest.approx(21 / 101)


def test_what_was_taken_off_is_read_however_a_till_writes_it() -> None:
    moments = pd.to_datetime(["2025-01-01", "2025-01-02", "2025-01-03"], utc=True)
    lines = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "occurred_at": moments,
            "amount": [10.0, 10.0, 20.0],
            "discount": [-10.0, 0.0, 0.0],
            "transaction_id": ["t1", "t2", "t3"],
            "coupon_discount": ["", "2.5", "none"],
        }
    )
    at = pd.Timestamp("2025-02-01", tz="UTC")
    with_coupon = habit_features(Dataset.of({"transactions": lines}), at)
    assert with_coupon["discount_share"].tolist() == [10 / 30, 0.0]
    assert with_coupon["coupon_share"].tolist() == [0.5, 0.0]
    alone = Dataset.of({"transactions": lines.drop(columns="discount")})
    assert habit_features(alone, at)["coupon_transactions"].tolist() == [1.0, 0.0]


def test_habits_are_counted_before_the_moment_only() -> None:
    moments = pd.to_datetime(["2025-01-01", "2025-01-05", "2025-01-05", "2025-02-01"], utc=True)
    lines = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a", "a"],
            "occurred_at": moments,
            "amount": [10.0, 20.0, 10.0, 99.0],
            "discount": [0.0, 5.0, 5.0, 99.0],
            "transaction_id": ["t1", "t2", "t2", "t3"],
            "category": ["x", "y", "x", "y"],
        }
    )
    log = pd.DataFrame(
        {"customer_id": ["a"], "offer_id": ["o"], "event_type": ["redemption"],
         "occurred_at": moments[:1]}
    )  # fmt: skip
    dataset = Dataset.of({"transactions": lines, "interactions": log})
    row = habit_features(dataset, pd.Timestamp("2025-01-15", tz="UTC")).loc["a"]
    assert row["recency_days"] == 10
    assert row["discount_share"] == pytest.approx(10 / 50)
    assert row["coupon_transactions"] == 1
    assert row["coupon_share"] == 0.5
    assert row["redemptions"] == 1
    assert row["share:x"] == row["share:y"] == 0.5
    nothing = habit_features(
        Dataset.of({"customers": pd.DataFrame({"customer_id": ["a"]})}), moments[0]
    )
    assert nothing[list(HABITS)].isna().all(axis=None)


def test_the_report_is_one_value_that_says_what_happened_afterwards(small_dataset: Dataset) -> None:
    dataset, before = small_dataset, EARLIER - pd.Timedelta(days=30)
    with sparing():
        report = build_segment_report(dataset, EARLIER, k=4, since=before)
    assert report.drift is not None
    assert report.lift is not None
    assert report.lift["customers"].sum() == len(report.result.labels)
    assert later_redeemers(dataset, dataset.moment_after()) is None
    told = report.as_json()
    assert len(told["segments"]) == 4
    assert {one["stability"] for one in told["segments"]}
    assert told["drift"]["verdict"] in ("keep", "watch", "refit")


@pytest.mark.slow
def test_noise_is_answered_with_one_segment() -> None:
    random = np.random.default_rng(3)
    customers = pd.DataFrame(
        {
            "customer_id": [f"c{row}" for row in range(150)],
            "age": random.normal(40, 9, 150).clip(18, 80),
            "annual_income": random.normal(60, 15, 150).clip(5),
            "spending_score": random.normal(50, 12, 150).clip(1, 100),
        }
    )
    dataset = Dataset.of({"customers": customers})
    weights = {"age": 1.0, "annual_income": 1.0, "spending_score": 1.0}
    report = build_segment_report(dataset, dataset.moment_after(), features=weights)
    assert not report.structure.found
    assert report.verdict in ("constructive", "none")
    if report.verdict == "none":
        assert report.result.model.n_segments == 1
        assert any("no segments" in note for note in report.notes)
