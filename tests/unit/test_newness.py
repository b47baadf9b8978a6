"""Past moments teach the present where what was on offer was about as new."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from recommender.newness import newness_at
from recommender.validation import make_folds

START = pd.Timestamp("2024-01-01", tz="UTC")
CAMPAIGNS = (0, 30, 60, 90, 120)  # days on which new offers begin; the last is the present


def day(number: float) -> pd.Timestamp:
    return START + pd.Timedelta(days=number)


def test_an_offer_is_new_until_it_was_met_often() -> None:
    dataset = Dataset.of(
        {
            "offers": pd.DataFrame(
                {"offer_id": ["old", "new"], "valid_from": [day(0), day(10)]},
            ),
            "interactions": pd.DataFrame(
                {
                    "customer_id": "c",
                    "offer_id": "old",
                    "event_type": "impression",
                    "occurred_at": [day(n / 2) for n in range(20)],
                }
            ),
        }
    )
    found = newness_at(dataset, [day(10), day(0), day(5)])
    np.testing.assert_allclose(found, [(0.5 + 1) / 2, 1.0, 20 / 30])
    assert np.isnan(newness_at(dataset, [day(-1)])).all()  # nothing is on offer


@pytest.mark.parametrize("shown", [True, False])
def test_moments_with_offers_as_new_as_now_are_preferred(shown: bool) -> None:
    random = np.random.default_rng(0)
    begin = np.repeat(CAMPAIGNS, 8)
    n = 24_000
    offer = random.integers(0, len(begin), n)
    when = begin[offer] + random.uniform(0.01, 55, n)
    kept = when < 120
    events = pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in random.integers(0, 300, n)],
            "offer_id": [f"o{n:02d}" for n in offer],
            "event_type": "redemption",
            "occurred_at": START + pd.to_timedelta(when, "D"),
        }
    )[kept]
    before = events.assign(
        event_type="impression", occurred_at=events["occurred_at"] - pd.Timedelta("1min")
    )
    dataset = Dataset.of(
        {
            "offers": pd.DataFrame(
                {
                    "offer_id": [f"o{n:02d}" for n in range(len(begin))],
                    "valid_from": START + pd.to_timedelta(begin, "D"),
                    "valid_until": START + pd.to_timedelta(begin + 59, "D"),
                }
            ),
            "interactions": pd.concat([events, before]) if shown else events,
        }
    )
    since = [
        (fold.at - START) / pd.Timedelta(days=30) % 1 for fold in make_folds(dataset, day(120))
    ]
    assert len(since) == 2
    assert (min(since) < 0.01) == shown


def test_no_moment_lies_between_a_mailing_and_what_it_led_to() -> None:
    random = np.random.default_rng(0)
    mailed, n = [2, 40, 95], 400  # coupons by mail for everybody, taken over the weeks after
    offers = [f"{number}-{n}" for number in mailed for n in range(4)]
    table = pd.DataFrame(
        {
            "offer_id": offers,
            "valid_from": [day(number) for number in np.repeat(mailed, 4)],
            "valid_until": [day(number + 45) for number in np.repeat(mailed, 4)],
        }
    )
    pairs = pd.DataFrame({"customer_id": [f"c{n}" for n in range(n)]}).merge(
        table[["offer_id", "valid_from"]], how="cross"
    )
    shown = pairs.assign(event_type="impression", occurred_at=pairs["valid_from"])
    taken = pairs[random.random(len(pairs)) < 0.1].assign(event_type="redemption")
    delay = pd.to_timedelta(random.uniform(4, 20, len(taken)), "D")
    taken = taken.assign(occurred_at=taken["valid_from"] + delay)
    dataset = Dataset.of(
        {
            "offers": table,
            "interactions": pd.concat([shown, taken]).drop(columns="valid_from"),
        }
    )
    for end in range(120, 150, 3):
        folds = make_folds(dataset.before(day(end)), day(end))
        assert folds
        assert all(fold.logged for fold in folds)
        assert all(fold.shown["taken"].sum() >= len(fold.taken) for fold in folds)
