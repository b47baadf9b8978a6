"""More splits: windows in a row, customers and offers nobody has seen, one that says it leaks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import DataError
from evaluation.depth.folds import (
    held_out_customers,
    leave_last_out,
    new_offer_split,
    rolling_protocols,
)
from evaluation.protocol import Protocol
from evaluation.splitting import Split, split_dataset

BEGIN = pd.Timestamp("2025-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)


def world(
    rows: list[tuple[str, str, str, float]],
    starts: dict[str, float | None] | None = None,
    repeatable: tuple[str, ...] = (),
) -> Dataset:
    """Make interactions at days since the begin, and offers with the days they start."""
    log = pd.DataFrame(rows, columns=["customer_id", "offer_id", "event_type", "day"])
    log["occurred_at"] = BEGIN + log["day"] * DAY
    offers = dict.fromkeys(sorted(set(log["offer_id"]))) | (starts or {})
    table = pd.DataFrame(
        {
            "offer_id": list(offers),
            "valid_from": pd.to_datetime(
                [None if day is None else BEGIN + day * DAY for day in offers.values()], utc=True
            ),
            "repeatable": [name in repeatable for name in offers],
        }
    )
    people = pd.DataFrame({"customer_id": sorted(set(log["customer_id"])), "gender": "female"})
    bought = log[["customer_id", "occurred_at"]].assign(amount=1.0)
    return Dataset.of(
        {
            "interactions": log.drop(columns="day"),
            "offers": table,
            "customers": people,
            "transactions": bought,
        }
    )


def busy(days: int = 120) -> Dataset:
    return world([(f"c{day % 40}", f"o{day % 7}", "redemption", float(day)) for day in range(days)])


def pairs(split: Split) -> set[tuple[str, str]]:
    return set(split.truth[["customer_id", "offer_id"]].itertuples(index=False, name=None))


def test_windows_follow_each_other_to_the_end_of_the_data() -> None:
    dataset = busy()
    plain = split_dataset(dataset, Protocol())
    found = rolling_protocols(dataset)
    assert len(found) == 3
    assert (found[-1].at, found[-1].until) == (plain.at, plain.until)
    for one, after in pairwise(found):
        assert one.until == after.at
    lengths = {one.until - one.at for one in found if one.until and one.at}
    assert len(lengths) == 1
    for one in found:
        split = split_dataset(dataset, one)
        assert (split.train.interactions["occurred_at"] < split.at).all()
        assert split.by_time
        assert not split.leaky


def test_windows_keep_what_the_protocol_says() -> None:
    until = BEGIN + 100 * DAY
    given = Protocol(BEGIN + 90 * DAY, until, new_offers=True)
    found = rolling_protocols(busy(), given, folds=4)
    assert [one.at for one in found] == [BEGIN + day * DAY for day in (60, 70, 80, 90)]
    assert all(one.new_offers for one in found)


def test_windows_without_a_history_before_them_are_left_out() -> None:
    given = Protocol(BEGIN + 60 * DAY, BEGIN + 100 * DAY)
    assert [one.at for one in rolling_protocols(busy(), given)] == [BEGIN + 60 * DAY]
    assert rolling_protocols(busy(5)) == []
    assert rolling_protocols(Dataset.of({})) == []


def test_hidden_customers_keep_their_profile_and_nothing_else() -> None:
    dataset = busy()
    plain = split_dataset(dataset, Protocol())
    split = held_out_customers(dataset, share=0.5, seed=1)
    hidden = set(split.customers)
    assert pairs(split) < pairs(plain)
    assert split.cold == hidden
    for table in (split.train.interactions, split.train.transactions):
        assert not table["customer_id"].isin(hidden).any()
        assert len(table)
    assert hidden <= set(split.train.customers["customer_id"])
    kept = split.train.interactions["customer_id"].nunique()
    assert 0.25 < kept / plain.train.interactions["customer_id"].nunique() < 0.75
    assert pairs(held_out_customers(dataset, share=0.5, seed=1)) == pairs(split)
    assert pairs(held_out_customers(dataset, share=0.5, seed=2)) != pairs(split)


def test_hiding_too_few_customers_says_so() -> None:
    with pytest.raises(DataError, match="held out"):
        held_out_customers(busy(), share=0.0)


def test_new_offers_are_those_that_begin_in_the_window_however_late() -> None:
    rows = [("c0", "old", "redemption", 0.0), ("c1", "teased", "impression", 30.0)]
    rows += [
        (who, offer, "redemption", 58.0)
        for who in ("c0", "c1")
        for offer in ("old", "started", "unnamed", "teased", "first")
    ]
    starts = {"started": 55.0, "unnamed": None, "teased": 55.0, "later": 59.5, "first": 50.0}
    dataset = world([*rows, ("c9", "old", "redemption", 60.0)], starts)
    given = Protocol(BEGIN + 50 * DAY)
    split = new_offer_split(dataset, given)
    assert split.candidates == {"started", "unnamed", "later", "first"}
    assert pairs(split) == {(c, o) for c in ("c0", "c1") for o in ("started", "unnamed", "first")}
    assert not split.train.interactions["offer_id"].isin(split.candidates).any()
    table = split.train.offers.set_index("offer_id")
    assert (table.loc[sorted(split.candidates), "valid_from"] == split.at).all()
    plain = split_dataset(dataset, Protocol(BEGIN + 50 * DAY, new_offers=True))
    assert plain.candidates == {"unnamed", "first"}


def test_without_a_past_there_are_no_new_offers() -> None:
    with pytest.raises(DataError, match="No interaction is known before"):
        new_offer_split(busy(), Protocol(BEGIN))


def test_the_last_of_each_customer_is_held_out_with_all_that_led_to_it() -> None:
    rows = [
        ("a", "x", "redemption", 1.0),
        ("a", "y", "impression", 2.0),
        ("a", "y", "click", 3.0),
        ("a", "z", "redemption", 4.0),
        ("a", "y", "redemption", 5.0),
        ("a", "w", "click", 6.0),
        ("b", "x", "redemption", 9.0),
        ("c", "x", "redemption", 2.0),
        ("c", "r", "redemption", 3.0),
        ("c", "r", "redemption", 8.0),
    ]
    split = leave_last_out(world(rows, repeatable=("r",)))
    assert pairs(split) == {("a", "y"), ("c", "r")}
    left = split.train.interactions[["customer_id", "offer_id", "event_type"]]
    assert set(left.itertuples(index=False, name=None)) == {
        ("a", "x", "redemption"),
        ("a", "z", "redemption"),
        ("b", "x", "redemption"),
        ("c", "x", "redemption"),
        ("c", "r", "redemption"),
    }
    assert len(split.train.transactions) == 7
    assert "for comparison only" in split.leaky
    assert pairs(leave_last_out(world(rows, repeatable=("r",)), n=2)) == {("a", "y"), ("a", "z")}
    again = leave_last_out(world(rows))
    assert pairs(again) == {("a", "y")}
    assert again.set_aside == {"redeemed before and not repeatable": 1}


def test_the_last_click_is_held_out_though_it_was_clicked_before() -> None:
    rows = [("a", "x", "click", 1.0), ("a", "y", "click", 2.0), ("a", "x", "click", 3.0)]
    split = leave_last_out(world(rows))
    assert split.relevant == "click"
    assert pairs(split) == {("a", "x")}
    assert split.set_aside == {}


def test_nothing_last_is_an_error() -> None:
    once = world([(f"c{who}", "x", "redemption", float(who)) for who in range(9)])
    with pytest.raises(DataError, match="more than 1"):
        leave_last_out(once)
    random = np.random.default_rng(0)
    still = [(f"c{random.integers(5)}", f"o{number}", "redemption", 0.0) for number in range(30)]
    with pytest.raises(DataError, match="order of time"):
        leave_last_out(world(still))
