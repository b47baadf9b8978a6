"""Odd customers: planted ones are found with their reason, ordinary ones seldom flagged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from segmentation.anomaly import find_anomalies
from segmentation.detector import TREES
from segmentation.features import FEATURES, CustomerFeatures, customer_features
from segmentation.odd_page import odd_map, write_anomalies

COLUMNS = ["customer_id", "score", "p_value", "q_value", "flagged", "kind", "reasons"]
ACTIVITY = [
    "spend",
    "refunds",
    "recency_days",
    "tenure_days",
    "active_days",
    "largest_day",
    "largest_value",
    "smallest_value",
]
AT = pd.Timestamp("2025-06-01", tz="UTC")


@pytest.fixture(autouse=True)
def fewer_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is planted here is seen by a tenth of the trees; they are nearly all of the time."""
    monkeypatch.setitem(TREES, "improved", 100)


def ids(n: int) -> pd.Index:
    return pd.Index([f"c{i:04}" for i in range(n)], dtype="str", name="customer_id")


def by_attributes(n: int, seed: int = 0) -> CustomerFeatures:
    """Make Gaussian customers without transactions."""
    random = np.random.default_rng(seed)
    values = pd.DataFrame(
        {
            "age": random.normal(42, 8, n),
            "annual_income": random.normal(60, 10, n),
            "spending_score": random.normal(50, 10, n),
        },
        index=ids(n),
    ).reindex(columns=list(FEATURES))
    return CustomerFeatures(values, pd.DataFrame(np.nan, index=ids(n), columns=ACTIVITY))


def by_transactions(n: int, seed: int = 0) -> CustomerFeatures:
    """Make customers with ordinary habits, straight as features."""
    random = np.random.default_rng(seed)
    count = random.poisson(30, n) + 5.0
    average = random.lognormal(3.5, 0.25, n)
    values = by_attributes(n, seed).values.assign(
        number_of_transactions=count,
        average_transaction_value=average,
        transaction_frequency=count / 6,
    )
    activity = pd.DataFrame(
        {
            "spend": count * average,
            "refunds": random.poisson(0.5, n).astype(float),
            "recency_days": random.exponential(5, n),
            "tenure_days": 180.0,
            "active_days": count,
            "largest_day": random.integers(1, 3, n).astype(float),
            "largest_value": average * random.uniform(1.5, 2.5, n),
            "smallest_value": average * random.uniform(0.4, 0.7, n),
        },
        index=ids(n),
    )
    return CustomerFeatures(values, activity)


def weekly_customers(silent_for: int, n: int = 60) -> CustomerFeatures:
    """Make customers who buy every seventh day; the first one stopped some days ago."""
    rows = []
    for customer in range(n):
        last = silent_for if customer == 0 else 1 + customer % 6
        for week in range(20):
            rows.append((f"c{customer:04}", AT - pd.Timedelta(days=last + 7 * week), 20.0))
    frame = pd.DataFrame(rows, columns=["customer_id", "occurred_at", "amount"])
    return customer_features(Dataset.of({"transactions": frame}), AT)


def row_of(found: pd.DataFrame, customer: str) -> pd.Series:
    return found.set_index("customer_id").loc[customer]


@pytest.mark.parametrize(
    ("feature", "value", "words"),
    [
        ("annual_income", 250.0, "annual income"),
        ("age", 118.0, "age"),
        ("spending_score", -90.0, "spending score"),
    ],
)
def test_a_planted_attribute_is_flagged_and_named(feature: str, value: float, words: str) -> None:
    features = by_attributes(600)
    features.values.loc[["c0010", "c0400"], feature] = value
    found = find_anomalies(features)
    for customer in ("c0010", "c0400"):
        row = row_of(found, customer)
        assert row["flagged"]
        assert row["reasons"].startswith(f"{words} ")
        assert f"{value:.4g}" in row["reasons"]
        assert "typical" in row["reasons"]
        assert row["kind"] == "unusual"


def test_a_burst_with_probing_amounts_is_flagged_as_possible_fraud() -> None:
    features = by_transactions(600)
    count = features.values.loc["c0123", "number_of_transactions"]
    features.activity.loc["c0123", ["largest_day", "refunds"]] = [count, 40.0]
    features.activity.loc["c0123", "largest_value"] *= 8
    features.activity.loc["c0123", "smallest_value"] *= 0.02
    row = row_of(find_anomalies(features), "c0123")
    assert row["flagged"]
    assert row["kind"] == "possible fraud"
    assert "busiest day" in row["reasons"]


def test_a_great_spender_is_flagged_as_vip() -> None:
    features = by_transactions(600)
    features.values.loc["c0123", "average_transaction_value"] *= 12
    features.activity.loc["c0123", ["spend", "largest_value", "smallest_value"]] *= 12
    row = row_of(find_anomalies(features), "c0123")
    assert row["flagged"]
    assert row["kind"] == "vip"
    assert "spend" in row["reasons"] or "transaction value" in row["reasons"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_impossible_value_among_many_ordinary_ones_is_flagged(seed: int) -> None:
    features = by_transactions(600, seed)
    features.values.loc["c0123", "annual_income"] = 900.0  # ordinary: 30 to 90
    row = row_of(find_anomalies(features, seed=seed), "c0123")
    assert row["flagged"]
    assert "annual income (k) 900" in row["reasons"]


@pytest.mark.parametrize("seed", [0, 1])
def test_ordinary_customers_are_flagged_as_seldom_as_asked(seed: int) -> None:
    found = find_anomalies(by_attributes(1000, seed), alarm_rate=0.02, seed=seed)
    assert 0.005 <= found["flagged"].mean() <= 0.04
    assert found["flagged"].equals(found["p_value"] <= 0.02)


def test_a_higher_alarm_rate_flags_more() -> None:
    features = by_attributes(400)
    few = find_anomalies(features, alarm_rate=0.01)
    many = find_anomalies(features, alarm_rate=0.1)
    assert set(few.loc[few["flagged"], "customer_id"]) < set(
        many.loc[many["flagged"], "customer_id"]
    )


def test_the_table_is_complete_and_the_oddest_stand_first() -> None:
    features = by_transactions(200)
    found = find_anomalies(features)
    assert found.columns.tolist() == COLUMNS
    assert set(found["customer_id"]) == set(features.values.index)
    assert found["p_value"].is_monotonic_increasing
    assert found["p_value"].between(0, 1, inclusive="right").all()
    told = found["kind"] != ""
    assert told.equals(found["flagged"].astype(bool))
    assert (found["reasons"] != "").equals(told)


@pytest.mark.parametrize("n", [0, 1, 5, 19])
def test_few_customers_give_an_empty_table(n: int) -> None:
    found = find_anomalies(by_attributes(n))
    assert found.empty
    assert found.columns.tolist() == COLUMNS


def test_customers_of_whom_nothing_is_known_are_not_in_the_table() -> None:
    features = by_attributes(40)
    features.values.iloc[:3] = np.nan
    found = find_anomalies(features)
    assert len(found) == 37
    features.values.iloc[:] = np.nan
    assert find_anomalies(features).empty


def test_a_regular_customer_who_falls_silent_is_at_risk_with_the_numbers() -> None:
    found = find_anomalies(weekly_customers(silent_for=90))
    row = row_of(found, "c0000")
    assert row["flagged"]
    assert row["kind"] == "at risk"
    assert "90 days" in row["reasons"]
    assert "7.0" in row["reasons"]
    assert found.loc[found["kind"] == "at risk", "customer_id"].tolist() == ["c0000"]


def test_a_silence_within_the_own_rhythm_is_no_risk() -> None:
    found = find_anomalies(weekly_customers(silent_for=10))
    assert not (found["kind"] == "at risk").any()


def test_a_rare_buyer_is_not_at_risk_for_being_rare() -> None:
    features = weekly_customers(silent_for=3)
    rare = {"recency_days": 120.0, "tenure_days": 160.0, "active_days": 2.0}
    for name, value in rare.items():
        features.activity.loc["c0000", name] = value
    assert row_of(find_anomalies(features), "c0000")["kind"] != "at risk"


def test_the_same_seed_gives_the_same_table() -> None:
    features = by_transactions(150)
    pd.testing.assert_frame_equal(
        find_anomalies(features, seed=3), find_anomalies(features, seed=3)
    )


def test_features_are_not_changed() -> None:
    features = by_transactions(60)
    values, activity = features.values.copy(), features.activity.copy()
    find_anomalies(features)
    pd.testing.assert_frame_equal(features.values, values)
    pd.testing.assert_frame_equal(features.activity, activity)


def test_constant_and_missing_features_do_not_crash() -> None:
    features = by_attributes(60)
    features.values["age"] = 40.0
    features.values["spending_score"] = np.nan
    found = find_anomalies(features, alarm_rate=0.1)
    assert len(found) == 60
    assert np.isfinite(found["score"]).all()


def test_customers_who_are_all_alike_are_not_odd() -> None:
    features = by_attributes(60)
    features.values[["age", "annual_income", "spending_score"]] = [40.0, 50.0, 60.0]
    assert not find_anomalies(features)["flagged"].any()


def test_no_income_is_not_divided_by() -> None:
    features = by_transactions(60)
    features.values.loc[["c0001", "c0002"], "annual_income"] = 0.0
    found = find_anomalies(features)
    assert np.isfinite(found["score"]).all()


@pytest.mark.slow
def test_very_many_odd_ones_are_drawn_in_part(tmp_path: Path) -> None:
    n = 12_000
    values = pd.DataFrame(
        {"age": np.linspace(20, 70, n), "annual_income": np.linspace(20, 90, n)}, index=ids(n)
    ).reindex(columns=list(FEATURES))
    found = pd.DataFrame(
        {
            "customer_id": values.index,
            "score": 0.5,
            "p_value": 0.5,
            "q_value": 0.5,
            "flagged": np.arange(n) % 2 == 0,
            "kind": np.where(np.arange(n) % 4 == 0, "vip", "at risk"),
            "reasons": "why",
        }
    )
    transactions = pd.DataFrame(columns=["customer_id", "reason"])
    write_anomalies(found, transactions, values, tmp_path, seed=0)
    assert "Who stands out: 1,000 of 6,000" in (tmp_path / "anomalies.html").read_text()
    assert len(pd.read_csv(tmp_path / "anomalies.csv")) == n
    kinds = odd_map(found, values).to_dict()["datasets"].values()
    assert {row["kind"] for rows in kinds for row in rows} == {"ordinary", "vip", "at risk"}
