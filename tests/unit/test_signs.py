"""Signs of single transactions, and which of them stand out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.synthetic import WorldParameters, generate
from segmentation.anomaly import find_anomalies
from segmentation.features import customer_features
from segmentation.signs import customer_signs, transaction_signs
from segmentation.sprees import COLUMNS, find_odd_transactions

START = pd.Timestamp("2025-03-01", tz="UTC")


def dataset_of(rows: list[tuple[str, float, float]], discount: float = 0.0) -> Dataset:
    """Make transactions of (customer, hours since the start, amount)."""
    frame = pd.DataFrame(rows, columns=["customer_id", "hours", "amount"])
    frame["occurred_at"] = START + pd.to_timedelta(frame.pop("hours") * 3600, unit="s")
    return Dataset.of({"transactions": frame.assign(discount=discount)})


def test_windows_look_ahead_and_keep_customers_apart() -> None:
    rows = [("a", 0, 10.0), ("a", 0.5, 20.0), ("a", 1.2, 30.0), ("a", 60, 10.0), ("b", 0, 5.0)]
    # The usual day of a: (20 + 10) / 2.
    signs = transaction_signs(dataset_of(rows), START + pd.Timedelta(days=30))
    of_a = signs[signs["customer_id"] == "a"]
    assert of_a["in_an_hour"].tolist() == [2, 2, 1, 1]
    assert (15 * of_a["two_days"]).tolist() == pytest.approx([60, 50, 30, 10])
    assert (15 * of_a["times_usual"]).tolist() == pytest.approx([10, 20, 30, 10])
    assert signs[signs["customer_id"] == "b"]["in_an_hour"].tolist() == [1]
    found = customer_signs(signs)
    assert found.loc["a"].to_dict() == {
        "usual_transaction": 15, "busiest_hour": 2, "two_day_spend": 4, "discounts": 0,
    }  # fmt: skip


def test_what_comes_later_and_refunds_are_not_read() -> None:
    rows = [("a", 0, 10.0), ("a", 1, -10.0), ("a", 500, 10.0)]
    assert len(transaction_signs(dataset_of(rows), START + pd.Timedelta(days=3))) == 1


def test_discounts_are_shares_of_the_full_price() -> None:
    signs = transaction_signs(dataset_of([("a", 0, 30.0)], discount=10.0), START.ceil("365D"))
    assert signs["off"].tolist() == [0.25]


def test_few_transactions_have_no_odd_ones() -> None:
    found = find_odd_transactions(dataset_of([("a", 0, 10.0)]), START + pd.Timedelta(days=1))
    assert found.empty
    assert list(found.columns) == COLUMNS


@pytest.fixture(scope="module")
def odd_world() -> dict[str, pd.DataFrame]:
    return generate(WorldParameters(customers=600, offers=20, days=120, odd=0.06, seed=4))


def test_planted_probing_is_found_with_few_false_ones(odd_world: dict[str, pd.DataFrame]) -> None:
    dataset = Dataset.of(odd_world)
    found = find_odd_transactions(dataset, dataset.moment_after())
    planted = odd_world["truth/transactions"]
    assert found["transaction_id"].isin(planted["transaction_id"]).mean() > 0.85
    probing = planted.loc[planted["pattern"] == "card testing", "transaction_id"]
    assert probing.isin(found["transaction_id"]).mean() > 0.6
    assert (found["reasons"] != "").all()


@pytest.mark.slow
def test_planted_customers_are_found_by_kind(odd_world: dict[str, pd.DataFrame]) -> None:
    dataset = Dataset.of(odd_world)
    at = dataset.moment_after()
    found = find_anomalies(customer_features(dataset, at), dataset, at)
    both = found.merge(odd_world["truth/anomalies"], on="customer_id", suffixes=("", "_planted"))
    odd = both[both["pattern"] != ""]
    assert odd["flagged"].mean() > 0.5
    flagged = odd[odd["flagged"]]
    assert (flagged["kind"] == flagged["kind_planted"]).mean() > 0.8
    assert both[both["pattern"] == ""]["flagged"].mean() < 0.05
    assert (found["q_value"] >= found["p_value"] - 1e-12).all()


@pytest.mark.slow
def test_a_rich_segment_is_not_odd_but_one_far_beyond_it_is() -> None:
    world = generate(replace(WorldParameters(customers=800, offers=10, days=120, seed=2), odd=0.0))
    world["customers"].loc[5, "annual_income"] = 2500.0
    dataset = Dataset.of(world)
    at = dataset.moment_after()
    found = find_anomalies(customer_features(dataset, at), dataset, at)
    flagged = found[found["flagged"]]
    by_income = flagged[flagged["reasons"].str.startswith("annual income")]
    assert "c0000005" in set(by_income["customer_id"])
    rich = world["truth/segments"].set_index("customer_id")["segment"] == "private clients"
    assert rich.reindex(by_income["customer_id"]).mean() < 0.5
    assert np.isfinite(found["score"]).all()
