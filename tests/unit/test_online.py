"""CTR and conversion on logs small enough to count by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from data.dataset import Dataset
from evaluation.online import NOT_MEASURED, measure_online
from evaluation.significance import Estimate

BEGIN = pd.Timestamp("2025-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
MOMENT = pd.Timedelta(microseconds=1)
Event = tuple[str, str, str, pd.Timedelta]


def measured(*events: Event) -> dict[str, Estimate | str]:
    frame = pd.DataFrame(events, columns=["customer_id", "offer_id", "event_type", "after"])
    frame["occurred_at"] = BEGIN + pd.to_timedelta(frame.pop("after"))
    return measure_online(Dataset.of({"interactions": frame}))


def ctr(*events: Event) -> Estimate:
    one = measured(*events)["ctr"]
    assert isinstance(one, Estimate)
    return one


def conversion(*events: Event) -> Estimate:
    one = measured(*events)["conversion"]
    assert isinstance(one, Estimate)
    return one


def shown(customer: str = "a", offer: str = "x", after: pd.Timedelta = 0 * DAY) -> Event:
    return customer, offer, "impression", after


def test_a_share_of_impressions_is_clicked_and_redeemed() -> None:
    log = [shown(customer) for customer in "abcd"]
    log += [("a", "x", "click", DAY), ("b", "x", "click", DAY), ("a", "x", "redemption", 2 * DAY)]
    found = ctr(*log)
    assert (found.value, found.n) == (0.5, 4)
    assert 0 <= found.low <= 0.5 <= found.high <= 1
    assert conversion(*log).value == 0.25


@pytest.mark.parametrize(("kind", "days"), [("click", 7), ("redemption", 30)])
@pytest.mark.parametrize(("late", "credited"), [(-MOMENT, 1.0), (0 * DAY, 1.0), (MOMENT, 0.0)])
def test_windows_end_where_they_say(
    kind: str, days: int, late: pd.Timedelta, credited: float
) -> None:
    found = measured(shown(), ("a", "x", kind, days * DAY + late))
    one = found["ctr" if kind == "click" else "conversion"]
    assert isinstance(one, Estimate)
    assert one.value == credited


def test_a_click_before_the_impression_is_not_of_it() -> None:
    assert ctr(shown(after=DAY), ("a", "x", "click", DAY - MOMENT)).value == 0.0
    assert ctr(shown(after=DAY), ("a", "x", "click", DAY)).value == 1.0


def test_another_customer_or_another_offer_is_not_credited() -> None:
    log = [shown(), shown("b", "y"), ("a", "y", "click", DAY), ("b", "x", "click", DAY)]
    assert ctr(*log).value == 0.0


def test_credit_goes_to_the_last_impression_only() -> None:
    log = [shown(), shown(after=DAY), shown(after=2 * DAY), ("a", "x", "redemption", 3 * DAY)]
    found = conversion(*log)
    assert (found.value, found.n) == (pytest.approx(1 / 3), 3)


def test_an_impression_after_the_redemption_takes_no_credit() -> None:
    log = [shown(), shown(after=5 * DAY), ("a", "x", "redemption", 3 * DAY)]
    assert conversion(*log).value == 0.5


def test_two_clicks_on_one_impression_count_once() -> None:
    log = [shown(), shown("b"), ("a", "x", "click", DAY), ("a", "x", "click", 2 * DAY)]
    found = ctr(*log)
    assert (found.value, found.n) == (0.5, 2)


def test_two_impressions_with_a_click_each_count_twice() -> None:
    log = [
        shown(),
        ("a", "x", "click", DAY),
        shown(after=2 * DAY),
        ("a", "x", "click", 3 * DAY),
    ]
    assert ctr(*log).value == 1.0


def test_the_order_of_the_log_does_not_matter() -> None:
    log = [
        shown(),
        shown(after=4 * DAY),
        shown("b", after=DAY),
        ("a", "x", "click", 2 * DAY),
        ("b", "x", "click", 2 * DAY),
        ("b", "x", "redemption", 20 * DAY),
    ]
    assert measured(*log) == measured(*reversed(log))
    assert ctr(*log).value == pytest.approx(2 / 3)
    assert conversion(*log).value == pytest.approx(1 / 3)


def test_without_impressions_nothing_is_measured() -> None:
    for log in ([], [("a", "x", "click", DAY), ("a", "x", "redemption", DAY)]):
        for told in measured(*log).values():
            assert isinstance(told, str)
            assert told.startswith(NOT_MEASURED)
            assert "impressions" in told


def test_without_clicks_the_click_rate_is_not_measured() -> None:
    found = measured(shown(), ("a", "x", "redemption", DAY))
    assert isinstance(found["ctr"], str)
    assert found["ctr"].startswith(NOT_MEASURED)
    assert isinstance(found["conversion"], Estimate)
    other = measured(shown(), ("a", "x", "click", DAY))
    assert isinstance(other["ctr"], Estimate)
    assert isinstance(other["conversion"], str)
    assert other["conversion"].startswith(NOT_MEASURED)
