"""Splits: nothing of the future is in train, and what could not be listed is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import DataError
from evaluation.checks.leakage import check_pairs, check_rows
from evaluation.protocol import Protocol
from evaluation.reporting import told_cut, told_relevant
from evaluation.splitting import Split, split_dataset

BEGIN = pd.Timestamp("2025-01-01", tz="UTC")
AT = pd.Timestamp("2025-03-01", tz="UTC")
HOUR = pd.Timedelta(hours=1)
Event = tuple[str, str, str, pd.Timestamp]


def offers_of(**validity: tuple[pd.Timestamp | None, pd.Timestamp | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "offer_id": list(validity),
            "valid_from": pd.to_datetime([pair[0] for pair in validity.values()], utc=True),
            "valid_until": pd.to_datetime([pair[1] for pair in validity.values()], utc=True),
        }
    )


def dataset_of(
    offers: pd.DataFrame,
    events: list[Event],
    transactions: list[tuple[str, pd.Timestamp]] | None = None,
) -> Dataset:
    columns = ["customer_id", "offer_id", "event_type", "occurred_at"]
    bought = pd.DataFrame(transactions or [], columns=["customer_id", "occurred_at"])
    tables = {"offers": offers, "interactions": pd.DataFrame(events, columns=columns)}
    if transactions:
        tables["transactions"] = bought.assign(amount=5.0)
    return Dataset.of(tables)


def usual(kind: str = "redemption") -> tuple[pd.DataFrame, list[Event]]:
    """Make three open offers, early events, and two customers who answer after the moment."""
    offers = offers_of(x=(None, None), y=(None, None), z=(None, None))
    events = [
        ("early", "x", kind, BEGIN),
        ("warm", "x", kind, BEGIN + HOUR),
        ("warm", "y", kind, AT + HOUR),
        ("new", "z", kind, AT + 30 * HOUR),
    ]
    return offers, events


def pairs(split: Split) -> set[tuple[str, str]]:
    return set(split.truth[["customer_id", "offer_id"]].itertuples(index=False, name=None))


def test_nothing_at_or_after_the_moment_is_in_train() -> None:
    offers, events = usual()
    events += [("early", "y", "impression", AT), ("early", "y", "impression", AT - HOUR)]
    bought = [("early", AT), ("early", AT - HOUR), ("early", AT + HOUR)]
    split = split_dataset(dataset_of(offers, events, bought), Protocol(AT))
    assert split.by_time
    assert split.at == AT
    for table in (split.train.interactions, split.train.transactions):
        assert len(table)
        assert (table["occurred_at"] < AT).all()
    assert len(split.train.interactions) == 3
    assert len(split.train.transactions) == 1
    assert pairs(split) == {("warm", "y"), ("new", "z")}
    assert split.customers == ["new", "warm"]


def test_an_event_at_the_moment_is_of_the_window_and_one_at_its_end_is_not() -> None:
    offers, events = usual()
    until = AT + 10 * HOUR
    events += [("edge", "x", "redemption", AT), ("late", "x", "redemption", until)]
    split = split_dataset(dataset_of(offers, events), Protocol(AT, until))
    assert pairs(split) == {("warm", "y"), ("edge", "x")}
    assert split.until == until


def test_a_window_ends_with_the_data_and_this_is_told() -> None:
    offers, events = usual()
    dataset = dataset_of(offers, events)
    wished = Protocol(AT, AT + 900 * HOUR)
    split = split_dataset(dataset, wished)
    assert split.until == dataset.moment_after()
    assert pairs(split) == pairs(split_dataset(dataset, Protocol(AT)))
    (note,) = told_cut(wished, split)
    assert split.until.isoformat() in note
    for whole in (Protocol(AT), Protocol(AT, AT + 10 * HOUR)):
        assert told_cut(whole, split_dataset(dataset, whole)) == []


def test_the_default_moment_leaves_the_end_of_the_history_for_the_test() -> None:
    random = np.random.default_rng(0)
    offers = offers_of(x=(None, None), y=(None, None), z=(None, None))
    events = [
        (f"c{i % 30}", str(random.choice(["x", "y", "z"])), "redemption", BEGIN + i * 12 * HOUR)
        for i in range(240)
    ]
    dataset = dataset_of(offers, events)
    split = split_dataset(dataset, Protocol())
    last = BEGIN + 239 * 12 * HOUR
    assert split.by_time
    assert split.until > last
    assert BEGIN < split.at < last
    assert len(split.train.interactions) == pytest.approx(200, abs=2)
    assert (split.train.interactions["occurred_at"] < split.at).all()


def test_campaigns_are_judged_where_they_begin() -> None:
    """Between two campaigns nothing is on offer that is taken later."""
    day = pd.Timedelta(days=1)
    begins = {"a": 0, "b": 40, "c": 90, "d": 110}
    offers = offers_of(
        **{name: (BEGIN + n * day, BEGIN + (n + 9) * day) for name, n in begins.items()}
    )
    events = [
        (f"{who}", name, "redemption", BEGIN + (n + 1 + who % 7) * day)
        for name, n, takers in (("a", 0, 30), ("b", 40, 30), ("c", 90, 40), ("d", 110, 25))
        for who in range(takers)
    ]
    split = split_dataset(dataset_of(offers, events), Protocol())
    assert split.at == BEGIN + 90 * day  # most of the later half's; the last sixth begins after it
    assert {offer for _, offer in pairs(split)} == {"c"}
    asked = split_dataset(dataset_of(offers, events), Protocol(at=BEGIN + 110 * day))
    assert {offer for _, offer in pairs(asked)} == {"d"}
    few = [one for one in events if int(one[0]) < 5]
    with pytest.raises(DataError, match="Choose another --at"):
        split_dataset(dataset_of(offers, few), Protocol())


def test_candidates_are_valid_at_the_moment() -> None:
    _, events = usual()
    offers = offers_of(
        x=(None, None),
        y=(AT, None),
        z=(BEGIN, AT + HOUR),
        ended=(None, AT),
        later=(AT + HOUR, None),
    )
    events += [
        ("warm", "ended", "redemption", AT + HOUR),
        ("warm", "later", "redemption", AT + 2 * HOUR),
    ]
    split = split_dataset(dataset_of(offers, events), Protocol(AT))
    assert split.candidates == {"x", "y", "z"}
    assert pairs(split) == {("warm", "y"), ("new", "z")}
    assert split.set_aside == {"not on offer at the moment": 2}


def test_what_was_redeemed_before_is_relevant_again_only_if_repeatable() -> None:
    offers, events = usual()
    offers["repeatable"] = [False, True, None]
    events += [
        ("warm", "y", "redemption", BEGIN),
        ("early", "z", "redemption", BEGIN),
        ("early", "z", "redemption", AT + HOUR),
        ("warm", "x", "redemption", AT + HOUR),
        ("new", "x", "redemption", AT + HOUR),
    ]
    split = split_dataset(dataset_of(offers, events), Protocol(AT))
    assert pairs(split) == {("warm", "y"), ("new", "z"), ("new", "x")}
    assert split.set_aside == {"redeemed before and not repeatable": 2}


def test_a_click_before_the_moment_does_not_use_an_offer_up() -> None:
    offers, events = usual()
    events.append(("warm", "y", "click", BEGIN))
    assert ("warm", "y") in pairs(split_dataset(dataset_of(offers, events), Protocol(AT)))


def test_cold_customers_have_no_rows_in_train() -> None:
    offers, events = usual()
    events += [
        ("buyer", "x", "redemption", AT + HOUR),
        ("seer", "x", "redemption", AT + HOUR),
        ("seer", "y", "impression", AT - HOUR),
        ("shown", "y", "impression", AT),
        ("shown", "y", "redemption", AT + HOUR),
    ]
    split = split_dataset(dataset_of(offers, events, [("buyer", BEGIN)]), Protocol(AT))
    assert split.cold == {"new", "shown"}
    assert split.cold < set(split.customers)
    for table in (split.train.interactions, split.train.transactions):
        assert not table["customer_id"].isin(split.cold).any()


def test_a_pair_redeemed_twice_in_the_window_is_relevant_once() -> None:
    offers, events = usual()
    events.append(("new", "z", "redemption", AT + 31 * HOUR))
    split = split_dataset(dataset_of(offers, events), Protocol(AT))
    assert len(split.truth) == 2


def many_at(moment: pd.Timestamp, kind: str = "redemption") -> tuple[pd.DataFrame, list[Event]]:
    offers = offers_of(**{f"o{i}": (None, None) for i in range(10)})
    events = [(f"c{i}", f"o{j}", kind, moment) for i in range(20) for j in range(10) if (i + j) % 2]
    return offers, events


def test_without_a_cut_in_time_pairs_are_held_out_at_random() -> None:
    offers, events = many_at(BEGIN)
    split = split_dataset(dataset_of(offers, events), Protocol(), seed=1)
    assert not split.by_time
    assert 0 < len(split.truth) < len(events) / 2
    assert split.candidates == set(offers["offer_id"])
    kept = split.train.interactions[["customer_id", "offer_id"]]
    left = set(kept.itertuples(index=False, name=None))
    assert not left & pairs(split)
    assert left | pairs(split) == {(c, o) for c, o, _, _ in events}


def test_a_held_out_pair_leaves_no_trace_of_another_kind() -> None:
    offers, events = many_at(BEGIN)
    shown = [(c, o, "impression", when) for c, o, _, when in events]
    split = split_dataset(dataset_of(offers, events + shown), Protocol())
    kept = split.train.interactions[["customer_id", "offer_id"]]
    assert not set(kept.itertuples(index=False, name=None)) & pairs(split)


def test_what_was_shown_in_vain_is_held_out_as_well() -> None:
    """Else the pairs that are gone would be those that were taken."""
    offers, events = many_at(BEGIN)
    shown = [(f"c{i}", f"o{j}", "impression", BEGIN) for i in range(20) for j in range(10)]
    dataset = dataset_of(offers, events + shown)
    split = split_dataset(dataset, Protocol())
    kept = split.train.interactions
    gone = len(shown) - int((kept["event_type"] == "impression").sum())
    assert len(split.truth) / gone == pytest.approx(0.5, abs=0.25)
    assert len(split.truth) < gone
    assert split.held is not None
    assert (split.held["event_type"] == "impression").sum() == gone
    assert split_dataset(dataset_of(offers, events), Protocol()).held is None


def test_of_what_can_be_taken_again_single_showings_are_held_out() -> None:
    offers, events = many_at(BEGIN)
    offers["repeatable"] = True
    shown = [(c, o, "impression", when) for c, o, _, when in events]
    dataset = dataset_of(offers, 4 * (events + shown))
    split = split_dataset(dataset, Protocol())
    kept = split.train.interactions[["customer_id", "offer_id"]]
    known = set(kept.itertuples(index=False, name=None))
    assert len(known & pairs(split)) > 0.9 * len(pairs(split))
    assert check_pairs(dataset, split).passed is True
    assert check_rows(dataset, split).passed is True
    for leaky in (
        replace(split, train=dataset_of(offers.assign(repeatable=False), 4 * (events + shown))),
        replace(split, train=dataset_of(offers, 5 * (events + shown))),
    ):
        checks = check_pairs(leaky.train, leaky), check_rows(dataset, leaky)
        assert not all(one.passed for one in checks)


def test_the_random_hold_out_follows_its_seed() -> None:
    dataset = dataset_of(*many_at(BEGIN))
    first, again, other = (split_dataset(dataset, Protocol(), seed=seed) for seed in (1, 1, 2))
    assert pairs(first) == pairs(again)
    assert pairs(first) != pairs(other)


def test_nothing_before_the_cut_falls_back_to_chance() -> None:
    offers, events = many_at(AT)
    bought = [("c0", BEGIN)]  # a history of purchases, every redemption at its end
    split = split_dataset(dataset_of(offers, events, bought), Protocol())
    assert not split.by_time


def test_without_offers_nothing_can_be_evaluated() -> None:
    offers, events = usual()
    with pytest.raises(DataError, match="offers"):
        split_dataset(dataset_of(offers.iloc[:0], events), Protocol(AT))


def test_without_interactions_nothing_can_be_evaluated() -> None:
    offers, events = usual()
    with pytest.raises(DataError, match="interactions"):
        split_dataset(dataset_of(offers, []), Protocol(AT))
    shown = [(c, o, "impression", when) for c, o, _, when in events]
    with pytest.raises(DataError):
        split_dataset(dataset_of(offers, shown), Protocol(AT))


def test_an_empty_window_says_what_to_change() -> None:
    offers, events = usual()
    with pytest.raises(DataError) as caught:
        split_dataset(dataset_of(offers, events), Protocol(AT + 90 * 24 * HOUR))
    assert "--at" in caught.value.remedy


def test_new_offers_are_only_those_that_begin_at_the_moment() -> None:
    _, events = usual()
    offers = offers_of(x=(None, None), y=(AT, None), z=(AT - HOUR, None), w=(AT, AT + HOUR))
    split = split_dataset(dataset_of(offers, events), Protocol(AT, new_offers=True))
    assert split.candidates == {"y", "w"}
    assert pairs(split) == {("warm", "y")}
    assert split.set_aside == {"not on offer at the moment": 1}


def test_clicks_count_where_nothing_is_redeemed() -> None:
    offers, events = usual("click")
    events.append(("early", "y", "impression", AT + HOUR))
    split = split_dataset(dataset_of(offers, events), Protocol(AT))
    assert split.relevant == "click"
    assert pairs(split) == {("warm", "y"), ("new", "z")}
    assert told_relevant(split) == [
        "Nothing was redeemed after the moment: clicks count as relevant."
    ]
    by_chance = split_dataset(dataset_of(*many_at(BEGIN, "click")), Protocol())
    assert told_relevant(by_chance) == ["Nothing was redeemed: clicks count as relevant."]


def test_where_clicks_count_only_what_was_redeemed_is_set_aside() -> None:
    """What was redeemed is never listed again; who only clicked may still be offered it."""
    offers, _ = usual()
    events = [
        ("a", "x", "redemption", BEGIN),
        ("p1", "y", "click", BEGIN),
        ("a", "x", "click", AT + HOUR),
        ("p1", "y", "click", AT + HOUR),
        ("b", "z", "click", AT + HOUR),
    ]
    dataset = dataset_of(offers, events)
    split = split_dataset(dataset, Protocol(AT))
    assert split.relevant == "click"
    assert pairs(split) == {("p1", "y"), ("b", "z")}
    assert split.set_aside == {"redeemed before and not repeatable": 1}
    assert check_pairs(dataset, split).passed is True
    listed = dataset.interactions.iloc[2:4][["customer_id", "offer_id"]]
    assert check_pairs(dataset, replace(split, truth=listed)).passed is False


def test_clicks_do_not_count_beside_redemptions() -> None:
    offers, events = usual()
    events.append(("early", "y", "click", AT + HOUR))
    split = split_dataset(dataset_of(offers, events), Protocol(AT))
    assert split.relevant == "redemption"
    assert ("early", "y") not in pairs(split)
    assert told_relevant(split) == []
