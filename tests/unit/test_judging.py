"""Past lists hold what could have been listed, as lists to come do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from recommender.fitting import collaborative as fitting
from recommender.past import judging, random_folds
from recommender.past.at_random import bought_with
from recommender.past.judging import Setting, judge
from recommender.past.random_folds import PARTS
from recommender.past.validation import fold_at, make_folds
from recommender.training import train

START = pd.Timestamp("2024-01-01", tz="UTC")
CUT, END = START + pd.Timedelta(days=50), START + pd.Timedelta(days=80)


@pytest.mark.parametrize("repeatable", [False, True])
def test_what_can_be_taken_once_only_is_not_learnt_from_when_taken_again(repeatable: bool) -> None:
    random = np.random.default_rng(0)
    n = 600
    dataset = Dataset.of(
        {
            "offers": pd.DataFrame(
                {"offer_id": [f"o{n}" for n in range(12)], "repeatable": repeatable}
            ),
            "interactions": pd.DataFrame(
                {
                    "customer_id": [f"c{n}" for n in random.integers(0, 40, n)],
                    "offer_id": [f"o{n}" for n in random.integers(0, 12, n)],
                    "event_type": "redemption",
                    "occurred_at": START + pd.to_timedelta(random.integers(0, 80, n), "D"),
                }
            ),
        }
    )
    judged = judge(fold_at(dataset, CUT, END), Setting())
    before = judged.fitted.query.redeemed[judged.whole.rows].toarray() > 0
    again = before[np.arange(len(before))[:, None], judged.whole.columns]
    for taken, candidate in (
        (judged.whole.taken, judged.whole.candidate),
        (judged.lists.taken, judged.lists.candidate),
    ):
        assert taken.any()
        assert not (taken & ~candidate).any()
        assert (taken & again).any() == repeatable


def test_where_showing_is_logged_all_that_was_shown_is_laid_out() -> None:
    random = np.random.default_rng(1)
    n = 3000
    shown = pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in random.integers(0, 60, n)],
            "offer_id": [f"o{n}" for n in random.integers(0, 40, n)],
            "event_type": "impression",
            "occurred_at": START + pd.to_timedelta(random.integers(0, 80, n), "D"),
            "position": 1,
        }
    )
    hour = pd.Timedelta(hours=1)
    taken = shown[random.random(n) < 0.15].assign(event_type="redemption")
    taken["occurred_at"] += hour
    dataset = Dataset.of(
        {
            "offers": pd.DataFrame({"offer_id": [f"o{n}" for n in range(40)], "repeatable": True}),
            "interactions": pd.concat([shown, taken], ignore_index=True),
        }
    )
    judged = judge(fold_at(dataset, CUT, END), Setting())
    showings = judged.showings
    assert showings is not None
    assert judged.lists.candidate.all()
    there = showings.lists.candidate
    later = shown[shown["occurred_at"] >= CUT]
    people = judged.fitted.ids.ids[showings.lists.rows]
    offers = dataset.offer_ids.ids[showings.lists.columns]
    told = {(str(people[row]), str(offers[row, place])) for row, place in np.argwhere(there)}
    assert told == set(zip(later["customer_id"], later["offer_id"], strict=True))
    assert there.sum() == len(told), "an offer stands there once"
    assert ((showings.shown > 0) == there).all()
    assert (showings.lists.taken & there).sum() == judged.lists.taken.sum() > 50


def joined_with_all_they_have(come_back: bool) -> Dataset:
    """Everybody takes two offers on the day they join, or one and the other a month later."""
    random = np.random.default_rng(2)
    n = 400
    joined = START + pd.to_timedelta(random.integers(0, 50, n), "D")
    first = random.integers(0, 6, n)
    taken = pd.DataFrame({"customer_id": [f"c{n}" for n in range(n)], "event_type": "redemption"})
    later = pd.Timedelta(days=30 if come_back else 0)
    return Dataset.of(
        {
            "offers": pd.DataFrame({"offer_id": [f"o{n}" for n in range(12)]}),
            "interactions": pd.concat(
                [
                    taken.assign(offer_id=[f"o{n}" for n in first], occurred_at=joined),
                    taken.assign(offer_id=[f"o{n}" for n in first + 6], occurred_at=joined + later),
                ]
            ),
        }
    )


def test_a_large_catalogue_is_judged_by_many_lists_and_learnt_from_by_fewer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judging, "MOST_LISTS", 20)
    monkeypatch.setattr(judging, "most_lists", lambda _: 10)
    monkeypatch.setattr(judging, "many_lists", lambda _: 50)
    random = np.random.default_rng(0)
    who, what = np.nonzero(random.random((90, 30)) < 0.3)
    at = pd.Timestamp("2026-01-01", tz="UTC")
    interactions = {
        "customer_id": np.char.add("c", who.astype(str)),
        "offer_id": np.char.add("o", what.astype(str)),
        "event_type": "redemption",
        "occurred_at": at,
    }
    offers = {"offer_id": np.char.add("o", np.arange(30).astype(str))}
    dataset = Dataset.of(
        {"interactions": pd.DataFrame(interactions), "offers": pd.DataFrame(offers)}
    )
    (fold,) = make_folds(dataset, at + pd.Timedelta(days=1))
    small = judge(fold, Setting())
    assert len(small.whole.rows) == 10
    assert small.few() is small
    monkeypatch.setattr(fitting, "MOST_DENSE", 10)
    large = judge(fold, Setting())
    assert len(large.whole.rows) == len(large.lists.rows) == 50
    few = large.few()
    assert len(few.whole.rows) == 20
    np.testing.assert_array_equal(few.whole.rows, few.lists.rows)
    place = np.searchsorted(large.whole.rows, few.whole.rows)
    np.testing.assert_array_equal(large.whole.taken[place], few.whole.taken)
    assert np.diff(place).max() <= 3  # from all of them


def test_pasts_of_newcomers_alone_are_told_of_customers_with_a_history_at_random() -> None:
    folds = make_folds(joined_with_all_they_have(come_back=False), END)
    assert [fold.by_time for fold in folds][-2:] == [True, False]
    last = folds[-1]
    taken = last.taken.groupby("customer_id").size()
    kept = last.past.interactions.groupby("customer_id").size()
    assert (taken.add(kept, fill_value=0) == 2).all(), "a pair is known or held out, never both"
    assert taken.index.isin(kept.index).mean() > 0.5


def test_what_can_be_taken_again_is_held_out_time_by_time() -> None:
    data = joined_with_all_they_have(come_back=False)
    log = data.interactions
    again = replace(
        data,
        offers=data.offers.assign(repeatable=True),
        interactions=pd.concat([log, log], ignore_index=True),
    )
    last = make_folds(again, END)[-1]
    assert not last.by_time
    pair = ["customer_id", "offer_id"]
    kept = last.past.interactions[pair].drop_duplicates()
    both = last.taken.merge(kept, on=pair)
    assert 0.5 < len(both) / len(last.taken) < 1
    assert len(last.past.interactions) == pytest.approx(0.8 * len(again.interactions), rel=0.05)


def test_pasts_of_people_who_come_back_need_no_chance() -> None:
    folds = make_folds(joined_with_all_they_have(come_back=True), END)
    assert folds
    assert all(fold.by_time for fold in folds)


@pytest.mark.slow
def test_nobody_who_came_back_and_no_customers_table_can_be_learnt_from() -> None:
    """Of past moments nobody is known then, so that only chance tells what a history is worth."""
    random = np.random.default_rng(1)
    who = np.repeat(np.arange(300), 3)
    offers = np.concatenate([random.choice(20, 3, replace=False) for _ in range(300)])
    log = {
        "customer_id": np.char.add("c", who.astype(str)),
        "offer_id": np.char.add("o", offers.astype(str)),
        "event_type": "redemption",
        "occurred_at": END - pd.to_timedelta(10 * who, unit="h"),
    }
    tables = {"offers": {"offer_id": np.unique(log["offer_id"])}, "interactions": log}
    dataset = Dataset.of({name: pd.DataFrame(table) for name, table in tables.items()})
    assert train(dataset).recommender is not None


@pytest.mark.parametrize("told_by", ["items", "category"])
def test_what_is_held_out_at_random_is_not_told_by_its_purchase(told_by: str) -> None:
    log = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "offer_id": ["tea", "shoes", "tea"],
            "event_type": "redemption",
            "occurred_at": END,
        }
    )
    lines = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a", "a", "b", "a"],
            "transaction_id": ["1", "1", "2", "3", "1", "4"],
            "item_id": ["green tea", "milk", "boots", None, "green tea", None],
            "category": ["Beverages", None, None, "hats", None, "drinks"],
            "occurred_at": END,
            "amount": 1.0,
        }
    )
    offers = pd.DataFrame({"offer_id": ["tea", "shoes"], "category": ["drinks", "clothes"]})
    items = pd.DataFrame(
        {"item_id": ["green tea", "boots", "milk"], "category": ["drinks", "clothes", "milk"]}
    )
    tables = {"interactions": log, "transactions": lines, "offers": offers, "items": items}
    if told_by == "items":
        tables["offer_items"] = pd.DataFrame({"offer_id": ["tea"], "item_id": ["green tea"]})
    gone = bought_with(Dataset.of(tables), np.array([True, False, False]))
    assert gone.tolist() == [True, True, False, False, False, True]


def at_once(offers: int, taken: float) -> Dataset:
    """What 60 customers were shown, and took, all in one moment."""
    random = np.random.default_rng(3)
    shown = pd.DataFrame(
        {
            "customer_id": np.repeat([f"c{n}" for n in range(60)], offers),
            "offer_id": [f"o{n}" for n in range(offers)] * 60,
            "event_type": "impression",
            "occurred_at": START,
        }
    )
    redeemed = shown[random.random(len(shown)) < taken].assign(event_type="redemption")
    log = pd.concat([shown, redeemed], ignore_index=True)
    offers_table = pd.DataFrame({"offer_id": [f"o{n}" for n in range(offers)]})
    return Dataset.of({"offers": offers_table, "interactions": log})


def test_of_few_redemptions_every_one_is_held_out_once() -> None:
    few = at_once(20, 0.2)
    folds = make_folds(few, END)
    assert len(folds) == PARTS
    pair = ["customer_id", "offer_id"]
    held = pd.concat([fold.taken for fold in folds])
    assert not held.duplicated(pair).any()
    redeemed = few.events("redemption")[pair].drop_duplicates()
    assert sorted(held[pair].itertuples(index=False)) == sorted(redeemed.itertuples(index=False))
    for fold in folds:
        kept = fold.past.events("redemption")[pair]
        assert not len(kept.merge(fold.taken, on=pair))
        assert fold.logged


def test_of_many_redemptions_and_without_showings_one_part_is_held_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = at_once(20, 0.2)
    log = few.interactions
    unlogged = replace(few, interactions=log[log["event_type"] == "redemption"])
    assert len(make_folds(unlogged, END)) == 1
    monkeypatch.setattr(random_folds, "PLENTY", 40)
    assert len(make_folds(few, END)) == 1
