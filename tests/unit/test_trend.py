"""A trend is what an offer gained beyond what all offers did."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset
from recommender.fitting.trend import trend_of

AT = pd.Timestamp("2024-07-01", tz="UTC")


def dataset_of(days: dict[str, list[int]], begin: dict[str, int] | None = None) -> Dataset:
    """Let offers be redeemed so many days before the moment; some begin late."""
    events = [(offer, day) for offer, all_days in days.items() for day in all_days]
    starts = {offer: AT - pd.Timedelta(days=day) for offer, day in (begin or {}).items()}
    return Dataset.of(
        {
            "offers": pd.DataFrame(
                {"offer_id": list(days), "valid_from": [starts.get(offer) for offer in days]}
            ).astype({"valid_from": "datetime64[us, UTC]"}),
            "interactions": pd.DataFrame(
                {
                    "customer_id": [f"c{n}" for n in range(len(events))],
                    "offer_id": [offer for offer, _ in events],
                    "event_type": "redemption",
                    "occurred_at": [AT - pd.Timedelta(days=day) for _, day in events],
                }
            ),
        }
    )


def test_what_is_taken_more_of_late_gains() -> None:
    steady = list(range(1, 301, 3))
    risen, fallen = list(range(1, 51)), list(range(250, 300))
    found = trend_of(dataset_of({"a": steady, "b": risen, "c": fallen}), AT)
    assert found[1] > 0.5 > found[0] > found[2]
    assert found[2] < -1


def test_dates_that_were_moved_are_no_trend() -> None:
    days = {"a": list(range(1, 301)), "b": list(range(1, 301))}
    moved = trend_of(dataset_of(days, begin={"b": 1}), AT)
    np.testing.assert_allclose(moved, trend_of(dataset_of(days), AT), atol=0.02)


def test_a_season_good_for_all_is_no_trend() -> None:
    days = list(range(1, 31)) * 5 + list(range(31, 300))
    np.testing.assert_allclose(trend_of(dataset_of({"a": days, "b": days}), AT), 0, atol=1e-9)


def test_a_late_beginning_is_no_trend() -> None:
    late = list(range(1, 31))
    days = {"a": list(range(1, 301)), "b": late}
    without, told = (trend_of(dataset_of(days, begin), AT) for begin in (None, {"b": 31}))
    assert without[1] > 0.5
    assert abs(told[1]) < 0.1


def test_what_nobody_took_has_no_trend() -> None:
    assert trend_of(dataset_of({"a": [], "b": [3, 9]}), AT)[0] == 0
    assert (trend_of(dataset_of({"a": []}), AT) == 0).all()
