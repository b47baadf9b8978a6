"""An impression counts as far as its time has passed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from recommender.fitting.delays import FEWEST, Delays, fit_delays

START = pd.Timestamp("2026-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)


def campaign(n: int, days: int, delay: float, seed: int = 0) -> Dataset:
    """Show an offer every day to somebody; half redeem it, after about so many days."""
    random = np.random.default_rng(seed)
    shown = pd.DataFrame(
        {
            "customer_id": [f"c{row}" for row in range(n)],
            "offer_id": "o",
            "event_type": "impression",
            "occurred_at": START + pd.to_timedelta(random.random(n) * days, "D"),
        }
    )
    taken = shown[random.random(n) < 0.5].assign(event_type="redemption")
    taken["occurred_at"] += pd.to_timedelta(random.exponential(delay, len(taken)), "D")
    log = pd.concat([shown, taken], ignore_index=True)
    log = log[log["occurred_at"] < START + days * DAY]
    return Dataset.of({"offers": pd.DataFrame({"offer_id": ["o"]}), "interactions": log})


def test_the_share_that_has_passed_is_that_of_the_planted_delays() -> None:
    dataset, until = campaign(8000, 60, 4.0), START + 60 * DAY
    delays = fit_delays(dataset, until)
    for age in (1, 3, 8):
        one = pd.DataFrame({"occurred_at": [until - age * DAY]})
        assert delays.passed(one, until)[0] == pytest.approx(1 - np.exp(-age / 4.0), abs=0.03)


def test_rates_of_late_and_of_old_impressions_agree_then() -> None:
    dataset, until = campaign(8000, 60, 4.0), START + 60 * DAY
    shown, taken = dataset.events("impression"), dataset.events("redemption")
    passed = fit_delays(dataset, until).passed(shown, until)
    late = (shown["occurred_at"] >= until - 5 * DAY).to_numpy()
    hit = shown["customer_id"].isin(taken["customer_id"]).to_numpy()
    assert hit[late].mean() < 0.35
    assert hit[late].sum() / passed[late].sum() == pytest.approx(0.5, abs=0.06)
    assert hit[~late].sum() / passed[~late].sum() == pytest.approx(0.5, abs=0.03)


def test_with_few_delays_every_impression_counts_in_full() -> None:
    dataset, until = campaign(FEWEST, 60, 4.0), START + 60 * DAY
    shown = dataset.events("impression")
    np.testing.assert_array_equal(fit_delays(dataset, until).passed(shown, until), 1.0)
    none = Dataset.of({"offers": pd.DataFrame({"offer_id": ["o"]})})
    assert not len(fit_delays(none, until).known)


def test_what_was_shown_later_has_had_no_time() -> None:
    delays = Delays(np.array([1e6, 2e6]))
    shown = pd.DataFrame({"occurred_at": [START + DAY, START, START - pd.Timedelta("1.5s")]})
    np.testing.assert_array_equal(delays.passed(shown, START), [0.0, 0.0, 0.5])
