"""An event is credited to the last impression of its pair before it, within the window."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.crediting import credited, last_impressions

START = pd.Timestamp("2026-01-01", tz="UTC")


def rows(*told: tuple[str, str, float]) -> pd.DataFrame:
    customer, offer, hour = zip(*told, strict=True)
    when = START + pd.to_timedelta(hour, "h")
    return pd.DataFrame({"customer_id": customer, "offer_id": offer, "occurred_at": when})


SHOWN = rows(("a", "x", 5), ("a", "x", 1), ("b", "x", 2), ("a", "y", 3))


def test_the_last_one_before_it_is_found_whatever_the_order_of_the_rows() -> None:
    found = last_impressions(SHOWN, rows(("a", "x", 9), ("a", "x", 4), ("b", "y", 9)))
    assert found["occurred_at"].is_monotonic_increasing
    assert found["row"].fillna(-1).tolist() == [1, 0, -1]
    assert found["shown_at"].iloc[1] == SHOWN["occurred_at"].iloc[0]


def test_what_comes_before_or_after_the_window_is_not_credited() -> None:
    late, early = rows(("a", "x", 9)), rows(("a", "y", 2))
    assert not credited(SHOWN, late, pd.Timedelta("3h")).any()
    assert not credited(SHOWN, early).any()
    np.testing.assert_array_equal(credited(SHOWN, late), [True, False, False, False])


def test_of_one_moment_as_many_are_credited_as_there_were_events() -> None:
    same = rows(("a", "x", 1), ("a", "x", 1), ("a", "x", 1), ("b", "x", 1), ("a", "x", 0))
    twice = rows(("a", "x", 2), ("a", "x", 3))
    np.testing.assert_array_equal(credited(same, twice), [False, True, True, False, False])
    often = pd.concat([twice] * 3)
    np.testing.assert_array_equal(credited(same, often), [True, True, True, False, False])


def test_a_second_click_on_the_same_impression_is_no_click_on_an_earlier_one() -> None:
    clicks = rows(("a", "x", 6), ("a", "x", 7))
    np.testing.assert_array_equal(credited(SHOWN, clicks), [True, False, False, False])
