"""How far past moments look ahead goes by how fast what is taken moves on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.schema import REDEMPTION
from recommender.past.moments import choose_moments

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
