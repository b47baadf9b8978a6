"""How much an impression counts by its place, told apart from the offers that stand there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recommender.fitting.examination import looked_at

N = 40_000


def log(random: np.random.Generator, looked: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Show good offers further up than others, and let people click where they look."""
    liking = np.linspace(0.05, 0.5, 10)
    offer = random.integers(0, 10, N)
    place = np.where(random.random(N) < 0.6, 5 - offer // 2, random.integers(1, 6, N))
    clicked = random.random(N) < liking[offer] * looked[place - 1]
    when = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(np.arange(N), unit="min")
    shown = pd.DataFrame(
        {
            "customer_id": np.char.add("c", (np.arange(N) % 500).astype(str)),
            "offer_id": np.char.add("o", offer.astype(str)),
            "occurred_at": when,
            "position": place.astype(float),
        }
    )
    clicks = shown[clicked].assign(
        occurred_at=lambda table: table["occurred_at"] + pd.Timedelta("1s")
    )
    return shown, clicks.drop(columns="position")


def test_places_are_told_apart_from_the_offers_that_stand_there() -> None:
    looked = np.array([1.0, 0.7, 0.5, 0.4, 0.3])
    shown, clicks = log(np.random.default_rng(0), looked)
    weight = looked_at(shown, clicks)
    assert weight.mean() == pytest.approx(1.0)
    by_place = pd.Series(weight).groupby(shown["position"].to_numpy()).first().to_numpy()
    np.testing.assert_allclose(by_place / by_place[0], looked, rtol=0.2)


def test_where_places_do_not_matter_impressions_count_alike() -> None:
    shown, clicks = log(np.random.default_rng(1), np.ones(5))
    np.testing.assert_allclose(looked_at(shown, clicks), 1.0, atol=0.08)


@pytest.mark.parametrize("what", ["no places", "few clicks", "one place", "nothing shown"])
def test_without_evidence_every_impression_counts_once(what: str) -> None:
    shown, clicks = log(np.random.default_rng(2), np.array([1.0, 0.7, 0.5, 0.4, 0.3]))
    if what == "no places":
        shown["position"] = np.nan
    elif what == "few clicks":
        clicks = clicks.head(20)
    elif what == "one place":
        shown["position"] = 1.0
    else:
        shown = shown.head(0)
    np.testing.assert_array_equal(looked_at(shown, clicks), np.ones(len(shown)))


def test_a_row_more_or_in_another_order_changes_little() -> None:
    shown, clicks = log(np.random.default_rng(3), np.array([1.0, 0.7, 0.5, 0.4, 0.3]))
    order = np.random.default_rng(4).permutation(len(shown))
    weight = looked_at(shown, clicks)
    mixed = looked_at(shown.iloc[order], clicks.sample(frac=1.0, random_state=0))
    np.testing.assert_allclose(mixed, weight[order], rtol=1e-9)


def test_an_impression_without_a_place_counts_once_and_spoils_no_other() -> None:
    shown, clicks = log(np.random.default_rng(3), np.array([1.0, 0.7, 0.5, 0.4, 0.3]))
    whole = looked_at(shown, clicks)
    shown.loc[7, "position"] = np.nan
    weight = looked_at(shown, clicks)
    assert weight[7] == 1.0
    np.testing.assert_allclose(np.delete(weight, 7), np.delete(whole, 7), rtol=0.01)


def test_clicks_on_what_has_no_place_are_not_those_of_places() -> None:
    shown, clicks = log(np.random.default_rng(4), np.array([1.0, 0.7, 0.5, 0.4, 0.3]))
    whole = looked_at(shown, clicks)
    mailed = shown.assign(occurred_at=shown["occurred_at"] + pd.Timedelta(days=90), position=np.nan)
    answered = mailed.iloc[::2].drop(columns="position")
    every = pd.concat([shown, mailed], ignore_index=True)
    later = answered.assign(occurred_at=answered["occurred_at"] + pd.Timedelta("1s"))
    weight = looked_at(every, pd.concat([clicks, later], ignore_index=True))
    np.testing.assert_allclose(weight[: len(shown)], whole, rtol=0.01)
    assert (weight[len(shown) :] == 1.0).all()
