"""Past moments teach the present where what was on offer was about as new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from recommender.past.newness import newness_at
from recommender.past.validation import make_folds

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


def campaigns(since: Sequence[float], n: int = 400) -> Dataset:
    """Mail four coupons to all on each day; a tenth is taken over the weeks after."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "offer_id": [f"{number}-{n}" for number in since for n in range(4)],
            "valid_from": [day(number) for number in np.repeat(since, 4)],
            "valid_until": [day(number + 45) for number in np.repeat(since, 4)],
        }
    )
    people = pd.DataFrame({"customer_id": [f"c{n:03d}" for n in range(n)]})
    pairs = people.merge(table[["offer_id", "valid_from"]], how="cross")
    shown = pairs.assign(event_type="impression", occurred_at=pairs["valid_from"])
    taken = pairs[random.random(len(pairs)) < 0.1].assign(event_type="redemption")
    delay = pd.to_timedelta(random.uniform(4, 20, len(taken)), "D")
    taken = taken.assign(occurred_at=taken["valid_from"] + delay)
    log = pd.concat([shown, taken]).drop(columns="valid_from")
    return Dataset.of({"customers": people, "offers": table, "interactions": log})


@pytest.mark.slow
def test_no_moment_lies_between_a_mailing_and_what_it_led_to() -> None:
    dataset = campaigns([2, 40, 95])
    for end in range(120, 150, 3):
        folds = make_folds(dataset.before(day(end)), day(end))
        assert folds
        assert all(fold.logged for fold in folds)
        assert all(fold.shown["taken"].sum() >= len(fold.taken) for fold in folds)


def test_offers_that_are_known_now_only_are_told_by_others() -> None:
    """After a trial with some, the past holds no moment at which its offers were known."""
    dataset = campaigns([2, 40, 75, 110])
    log = dataset.interactions
    some = log["customer_id"] < "c200"
    tried = replace(dataset, interactions=log[some | (log["occurred_at"] < day(110))])
    *past, half = make_folds(tried.before(day(135)), day(135))
    assert all(fold.at <= day(110) for fold in past)
    assert half.at == day(135)
    assert half.logged
    held = half.shown["customer_id"].unique()
    assert set(half.shown["offer_id"]) == {f"110-{n}" for n in range(4)}
    assert 50 < len(held) < 150  # half of those who were shown them
    known = half.past.interactions
    assert not known.loc[known["occurred_at"] >= day(110), "customer_id"].isin(held).any()
    assert set(known.loc[known["occurred_at"] >= day(110), "offer_id"]) == set(
        half.shown["offer_id"]
    )
    before = dataset.before(day(110))
    assert all(fold.at < day(110) for fold in make_folds(before, day(110)))  # all are new
