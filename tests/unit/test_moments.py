"""How far past moments look ahead goes by how fast what is taken moves on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.schema import REDEMPTION
from recommender.past.moments import MOST_STARTS, _moments, choose_moments

START, DAYS, OFFERS = pd.Timestamp("2025-01-01", tz="UTC"), 120, 80


@pytest.mark.parametrize(("lasts", "horizon"), [(1.5, 12), (500.0, 20)])
def test_where_news_are_old_in_days_no_list_is_judged_by_weeks(
    lasts: float, horizon: float
) -> None:
    random = np.random.default_rng(0)
    day = np.sort(random.uniform(0, DAYS, 6000))
    now = (day / lasts).astype(int) % OFFERS
    usual = np.minimum(random.geometric(0.05, len(day)), OFFERS) - 1
    offer = np.where(random.random(len(day)) < 0.8, now, usual) if lasts < DAYS else usual
    events = pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in random.integers(0, 900, len(day))],
            "offer_id": [f"o{n:02d}" for n in offer],
            "event_type": REDEMPTION,
            "occurred_at": START + pd.to_timedelta(day, "D"),
        }
    )
    names = pd.DataFrame({"offer_id": [f"o{n:02d}" for n in range(OFFERS)]})
    dataset = Dataset.of({"offers": names, "interactions": events})
    moments, found = choose_moments(dataset, REDEMPTION, START + pd.Timedelta(days=DAYS))
    assert moments
    assert found / pd.Timedelta(days=1) == pytest.approx(horizon, abs=0.1)


def test_starts_of_offers_outside_the_window_take_no_place_whatever_the_order_of_offers() -> None:
    days = 180
    offers = pd.DataFrame(
        {
            "offer_id": [f"o{day:03}" for day in range(days)],
            "valid_from": [START + pd.Timedelta(days=day) for day in range(days)],
        }
    )
    first, at, horizon = START, START + pd.Timedelta(days=days), pd.Timedelta(days=30)
    found = [
        _moments(Dataset.of({"offers": table}), first, at, horizon)
        for table in (offers, offers.iloc[::-1])
    ]
    assert found[0] == found[1]
    assert len(set(found[0]) & set(offers["valid_from"])) >= MOST_STARTS
