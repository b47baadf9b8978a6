"""A trend is what an offer gained beyond what all offers did."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from data.dataset import Dataset
from recommender.facts import Facts
from recommender.fitting.showings import Showings
from recommender.fitting.trend import Takings, trend_of
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.training import train
from segmentation.features import DAY

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


def trend(days: dict[str, list[int]], begin: dict[str, int] | None = None) -> np.ndarray:
    moment = AT.value // 1000
    return trend_of(Takings.of(dataset_of(days, begin), moment), moment)


def test_what_is_taken_more_of_late_gains() -> None:
    steady = list(range(1, 301, 3))
    risen, fallen = list(range(1, 51)), list(range(250, 300))
    found = trend({"a": steady, "b": risen, "c": fallen})
    assert found[1] > 0.5 > found[0] > found[2]
    assert found[2] < -1


def test_dates_that_were_moved_are_no_trend() -> None:
    days = {"a": list(range(1, 301)), "b": list(range(1, 301))}
    moved = trend(days, begin={"b": 1})
    np.testing.assert_allclose(moved, trend(days), atol=0.02)


def test_a_season_good_for_all_is_no_trend() -> None:
    days = list(range(1, 31)) * 5 + list(range(31, 300))
    np.testing.assert_allclose(trend({"a": days, "b": days}), 0, atol=1e-9)


def test_a_late_beginning_is_no_trend() -> None:
    late = list(range(1, 31))
    days = {"a": list(range(1, 301)), "b": late}
    without, told = (trend(days, begin) for begin in (None, {"b": 31}))
    assert without[1] > 0.5
    assert abs(told[1]) < 0.1


def test_what_nobody_took_has_no_trend() -> None:
    assert trend({"a": [], "b": [3, 9]})[0] == 0
    assert (trend({"a": []}) == 0).all()


def by_showings(shown: list[list[float]], taken: list[list[float]]) -> np.ndarray:
    """Let offers be shown and taken so many days before the moment."""

    def lay_out(days: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
        offer = np.repeat(np.arange(len(days)), [len(one) for one in days])
        when = AT.value // 1000 - np.concatenate([np.array(one) for one in days]) * DAY
        order = np.argsort(when, kind="stable")
        return offer[order], when[order]

    offer, when = lay_out(taken)
    never = np.full(len(shown), np.inf)
    logged = Showings.gather(*lay_out(shown), np.ones(sum(map(len, shown))), len(shown))
    takings = Takings(offer, np.arange(len(offer)), when, -never, never, logged)
    return trend_of(takings, AT.value // 1000)


def test_to_be_shown_more_of_late_is_no_trend() -> None:
    steady, of_late = list(np.linspace(300, 0.5, 3000)), list(np.linspace(30, 0.5, 3000))
    found = by_showings([steady, of_late], [steady[::10], of_late[::10]])
    np.testing.assert_allclose(found, 0, atol=0.05)


def test_to_be_taken_more_often_when_shown_is_a_trend() -> None:
    steady = list(np.linspace(300, 0.5, 3000))
    found = by_showings([steady] * 3, [steady[::10], steady[-600::5], steady[:600:5]])
    assert found[1] > 0.5 > found[0] > found[2]


def test_what_was_never_shown_has_no_trend_where_showing_is_logged() -> None:
    steady = list(np.linspace(300, 0.5, 3000))
    assert by_showings([steady, []], [steady[::10], [1.0, 2.0]])[1] == 0


def test_showings_are_gathered_without_loss() -> None:
    random = np.random.default_rng(0)
    offer, chance = random.integers(0, 3, 5000), random.random(5000)
    when = random.uniform(0, 100 * DAY, 5000)
    found = Showings.gather(offer, when, chance, 4)
    whole = np.bincount(offer, chance, minlength=4)
    np.testing.assert_allclose(found.between(-np.inf, np.inf), whole)
    faded = np.bincount(offer, chance * 0.5 ** ((100 * DAY - when) / (10 * DAY)), minlength=4)
    np.testing.assert_allclose(found.lately(100 * DAY, 10 * DAY), faded, rtol=0.01)
    none = Showings.gather(offer[:0], when[:0], chance[:0], 4)
    assert (none.lately(0.0, DAY) == 0).all()


@pytest.mark.slow
def test_where_showing_is_logged_strangers_get_what_is_liked_of_late() -> None:
    random = np.random.default_rng(0)
    n, offers = 12_000, [f"o{one}" for one in range(8)]
    place, day = random.integers(0, 8, n), random.uniform(0, 120, n)
    # The first half is liked ever less, the other half ever more.
    change = np.where(place < 4, -1.0, 1.0) * (day / 60 - 1)
    rows = pd.DataFrame(
        {
            "customer_id": [f"c{one % 600}" for one in range(n)],
            "offer_id": np.array(offers)[place],
            "event_type": "impression",
            "occurred_at": AT - pd.Timedelta(days=120) + pd.to_timedelta(day, "D"),
        }
    )
    taken = rows[random.random(n) < expit(-2.0 + 1.5 * change)].assign(event_type="redemption")
    taken["occurred_at"] += pd.Timedelta(minutes=5)
    table = pd.DataFrame({"offer_id": offers, "repeatable": True})
    dataset = Dataset.of({"offers": table, "interactions": pd.concat([rows, taken])})
    service = Service(train(dataset, at=AT))
    [listing] = service.recommend(service.query("new", Facts(), AT), Wish(at=AT, n=8))
    best = [service.shown(one.row)[0] for one in listing.offers[:4]]
    assert sorted(best) == offers[4:]
