"""Incremental conversions, counted by hand and against customers assigned by chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from evaluation.depth.uplift import measure_uplift
from evaluation.online import NOT_MEASURED

DAY = pd.Timestamp("2025-01-01", tz="UTC")


def log(events: list[tuple[str, str, str | None]]) -> pd.DataFrame:
    """Return interactions from (customer, event, policy)."""
    frame = pd.DataFrame(events, columns=["customer_id", "event_type", "policy"])
    return frame.assign(offer_id="x", occurred_at=DAY)


def given(redeemers: list[str], **attributes: list[object]) -> Dataset:
    n = len(next(iter(attributes.values())))
    customers = pd.DataFrame({"customer_id": [str(row) for row in range(n)], **attributes})
    events = [(name, "redemption", None) for name in redeemers]
    return Dataset.of({"customers": customers, "interactions": log(events)})


def measured(dataset: Dataset) -> dict[str, Any]:
    found = measure_uplift(dataset)
    assert isinstance(found, dict), found
    return found


@pytest.mark.parametrize(
    "attribute",
    [
        {"holdout": [True] * 4 + [False] * 6},
        {"control": ["yes"] * 4 + ["no"] * 6},
        {"holdout": [1.0] * 4 + [0.0] * 6},
        {"group": ["Holdout"] * 4 + ["A", "B"] * 3},
        {"arm": ["control"] * 4 + ["treated"] * 6},
    ],
)
def test_redeemers_per_customer_are_compared(attribute: dict[str, list[object]]) -> None:
    # Twice the same redeemer is one; who redeems without being a customer of the table is none.
    found = measured(given(["0", "4", "5", "5", "6", "stranger"], **attribute))
    assert found["holdout"]["customers"] == 4
    assert found["holdout"]["redeemers"] == 1
    assert found["treated"]["conversion"] == 0.5
    assert found["difference"]["value"] == 0.25
    assert found["incremental"]["value"] == 1.5
    assert found["named_by"] == f"customers.{next(iter(attribute))}"
    assert found["mixed"] == 0


def test_the_interval_is_that_of_newcombe() -> None:
    # Newcombe (1998), table II: 56/70 - 48/80, method 10: .0524 to .3339.
    held = [False] * 70 + [True] * 80
    redeemers = [str(row) for row in (*range(56), *range(70, 118))]
    found = measured(given(redeemers, holdout=list(held)))
    assert found["difference"]["low"] == pytest.approx(0.0524, abs=5e-5)
    assert found["difference"]["high"] == pytest.approx(0.3339, abs=5e-5)


def test_impressions_of_a_policy_named_holdout_name_it_as_well() -> None:
    events = [(name, "impression", "holdout") for name in "abcd"]
    events += [(name, "impression", "hybrid") for name in "defghi"]
    # z was shown nothing: nobody knows which group that would be.
    events += [(name, "redemption", None) for name in "aefz"]
    found = measured(Dataset.of({"interactions": log(events)}))
    assert (found["holdout"]["customers"], found["holdout"]["redeemers"]) == (3, 1)
    assert (found["treated"]["customers"], found["treated"]["redeemers"]) == (5, 2)
    assert found["mixed"] == 1
    assert found["named_by"] == "interactions.policy"


def test_who_is_in_no_group_counts_in_none() -> None:
    found = measured(given(["4"], holdout=["true", "true", "false", "false", None]))
    assert found["treated"]["customers"] == found["holdout"]["customers"] == 2
    assert found["treated"]["redeemers"] == 0


@pytest.mark.parametrize(
    ("dataset", "why"),
    [
        (given(["0"], age=[20.0, 30.0]), "no holdout group is named"),
        (given(["0"], group=["A", "B"]), "no holdout group is named"),
        (given(["0"], holdout=["about half", "none"]), "no holdout group is named"),
        (given([], holdout=[True, True, False, False]), "no redemptions are logged"),
        (given(["0"], holdout=[True, False, False]), "1 customer is in the group holdout"),
        (given(["0"], holdout=[True, True, True]), "0 customers are in the group treated"),
        (Dataset.of({}), "no holdout group is named"),
    ],
)
def test_without_groups_nothing_is_claimed(dataset: Dataset, why: str) -> None:
    assert measure_uplift(dataset) == f"{NOT_MEASURED}: {why}"


@pytest.mark.slow
def test_groups_drawn_by_chance_tell_the_effect() -> None:
    covered = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        held = random.random(400) < 0.4
        redeems = random.random(400) < np.where(held, 0.1, 0.18)
        found = measured(given([str(row) for row in np.flatnonzero(redeems)], holdout=list(held)))
        covered += found["difference"]["low"] <= 0.08 <= found["difference"]["high"]
    assert 0.88 <= covered / 100 <= 0.99
