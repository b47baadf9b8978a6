"""What became of what was shown: by pair, against a count by hand, and with no times to go by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from data.dataset import Dataset
from recommender.past.judging import Setting, judge
from recommender.past.outcomes import is_logged, outcomes_of
from recommender.past.validation import fold_at, make_folds
from recommender.service import Service
from recommender.training import train

START = pd.Timestamp("2024-01-01", tz="UTC")
ROW = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from(["once", "again"]),
    st.sampled_from(["impression", "redemption"]),
    st.integers(0, 5),
)
pytestmark = pytest.mark.usefixtures("spared")


def dataset_of(rows: list[Any]) -> Dataset:
    log = pd.DataFrame(rows, columns=["customer_id", "offer_id", "event_type", "day"])
    return Dataset.of(
        {
            "offers": pd.DataFrame({"offer_id": ["once", "again"], "repeatable": [False, True]}),
            "interactions": log.assign(
                occurred_at=START + pd.to_timedelta(log["day"], "D")
            ).drop(columns="day"),
        }
    )  # fmt: skip


def by_hand(rows: list[Any], offer: str) -> int:
    """Take events in turn; a redemption uses up one showing before it."""
    open_showings = led = 0
    for *_, kind, _day in sorted(rows, key=lambda row: (row[3], row[2])):
        if kind == "impression":
            open_showings += 1
        elif open_showings:
            open_showings, led = open_showings - 1, led + 1
    return led if offer == "again" else min(led, 1)


@given(st.lists(ROW, min_size=1, max_size=40))
def test_a_redemption_is_that_of_a_showing_before_it(rows: list[Any]) -> None:
    dataset = dataset_of(rows)
    log = dataset.interactions
    shown, redeemed = (log[log["event_type"] == kind] for kind in ("impression", "redemption"))
    weight = np.linspace(0.5, 1.5, len(shown))
    found = outcomes_of(dataset, shown, weight, redeemed).set_index(["customer_id", "offer_id"])
    pairs = {(row[0], row[1]) for row in rows if row[2] == "impression"}
    assert set(found.index) == pairs
    assert found["n"].sum() == pytest.approx(weight.sum())
    for customer, offer in pairs:
        own = [row for row in rows if row[:2] == (customer, offer)]
        assert found.loc[(customer, offer), "taken"] == by_hand(own, offer)


def shown_again_and_again(apart: bool, people: int = 300, days: float = 90) -> Dataset:
    """Everybody is shown everything several times; whom it suits takes most of it."""
    random = np.random.default_rng(0)
    n = people * 16
    person, offer = np.repeat(np.arange(people), 16), np.tile(np.repeat(np.arange(4), 4), people)
    fond = (np.arange(people) % 2)[person] == offer % 2
    taken = random.random(n) < np.where(fond, 0.8, 0.3)
    log = pd.DataFrame(
        {
            "customer_id": [f"c{one:03}" for one in person],
            "offer_id": [f"o{one}" for one in offer],
            "event_type": "impression",
            "occurred_at": START + pd.to_timedelta(random.uniform(0, days, n) * apart, "D"),
        }
    )
    redeemed = log[taken].assign(event_type="redemption")
    redeemed["occurred_at"] += pd.Timedelta(minutes=1)
    return Dataset.of(
        {
            "customers": pd.DataFrame(
                {
                    "customer_id": [f"c{one:03}" for one in range(people)],
                    "gender": np.where(np.arange(people) % 2, "Male", "Female"),
                }
            ),
            "offers": pd.DataFrame({"offer_id": [f"o{one}" for one in range(4)], "repeatable": 1}),
            "interactions": pd.concat([log, redeemed], ignore_index=True),
        }
    )


def test_what_is_taken_several_times_counts_each_time() -> None:
    dataset = shown_again_and_again(apart=True)
    fold = fold_at(dataset, START + pd.Timedelta(days=60), dataset.moment_after())
    assert fold.logged
    assert fold.shown["taken"].max() > 1
    showings = judge(fold, Setting()).showings
    assert showings is not None
    assert showings.taken.sum() == fold.shown["taken"].sum()
    log = dataset.interactions
    later = log[log["occurred_at"] >= fold.at]
    redeemed = int((later["event_type"] == "redemption").sum())
    assert redeemed - 3 <= showings.taken.sum() <= redeemed  # at the moment one may be cut off


def test_suspects_teach_neither_what_they_took_nor_what_they_did_not() -> None:
    dataset = shown_again_and_again(apart=True)
    fold = fold_at(dataset, START + pd.Timedelta(days=60), dataset.moment_after())
    suspects = frozenset({"c000", "c007"})
    judged = judge(fold, Setting(suspects=suspects))
    assert judged.showings is not None
    there = judged.fitted.ids.ids[judged.showings.lists.rows]
    assert len(there) > 100
    assert not suspects & set(map(str, there))


def test_without_times_what_was_not_taken_is_held_out_as_well() -> None:
    dataset = shown_again_and_again(apart=False)
    fold = make_folds(dataset, dataset.moment_after())[0]
    assert (fold.logged, fold.by_time) == (True, False)
    assert fold.shown["taken"].sum() / fold.shown["n"].sum() == pytest.approx(0.55, abs=0.04)
    kept, every = fold.past.interactions, dataset.interactions
    assert len(kept) / len(every) == pytest.approx(0.8, abs=0.03)
    # Single showings of what can be taken again: whether it is shows in no other way.
    pairs = [len(one.groupby(["customer_id", "offer_id"])) for one in (kept, every)]
    assert pairs[0] > 0.99 * pairs[1]


def test_times_too_short_to_cut_tell_nothing_of_which_showing_it_was() -> None:
    dataset = shown_again_and_again(apart=True, days=4)
    folds = [one for one in make_folds(dataset, dataset.moment_after()) if not one.by_time]
    for fold in folds:
        assert fold.shown["taken"].sum() / fold.shown["n"].sum() == pytest.approx(0.55, abs=0.04)
    assert folds


def test_without_times_what_goes_once_only_is_held_out_pair_by_pair() -> None:
    dataset = shown_again_and_again(apart=False)
    dataset.offers["repeatable"] = False
    fold = make_folds(dataset, dataset.moment_after())[0]
    kept = set(fold.past.interactions.groupby(["customer_id", "offer_id"]).groups)
    assert not kept & set(zip(fold.shown["customer_id"], fold.shown["offer_id"], strict=True))


@pytest.mark.parametrize("apart", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_probabilities_are_true_of_strangers_and_of_people_met_before(apart: bool) -> None:
    bundle = train(shown_again_and_again(apart))
    service = Service(bundle)
    query = bundle.customers.query
    assert service.calibrated
    assert query is not None
    strangers = query.without_history().without_purchases()
    for asked in (query, strangers):
        chance = expit(service.recommender.blend(asked).score)
        fond = (np.arange(len(chance)) % 2)[:, None] == (np.arange(4) % 2)
        assert chance[fond].mean() == pytest.approx(0.8, abs=0.07)
        assert chance[~fond].mean() == pytest.approx(0.3, abs=0.07)


def test_showing_is_logged_where_most_of_what_was_taken_was_shown() -> None:
    pairs = pd.DataFrame({"customer_id": ["a", "a", "b"], "offer_id": ["x", "y", "x"]})
    assert is_logged(pairs, pairs.head(2))
    assert not is_logged(pairs, pairs.head(1))


def test_nothing_that_was_shown_has_aged_beyond_the_data() -> None:
    random = np.random.default_rng(0)
    n, end = 20_000, START + pd.Timedelta(days=90)
    # A campaign of the last days; what it leads to comes a week later, of which little is seen.
    day = np.where(random.random(n) < 0.5, random.uniform(84, 90, n), random.uniform(0, 90, n))
    rows = pd.DataFrame(
        {
            "customer_id": [f"c{one:04}" for one in random.integers(0, 2000, n)],
            "offer_id": [f"o{one}" for one in random.integers(0, 40, n)],
            "event_type": "impression",
            "occurred_at": START + pd.to_timedelta(day, "D"),
        }
    )
    taken = rows[random.random(n) < 0.2].assign(event_type="redemption")
    taken["occurred_at"] += pd.to_timedelta(random.exponential(7, len(taken)), "D")
    table = pd.DataFrame({"offer_id": rows["offer_id"].unique(), "repeatable": True})
    whole = Dataset.of({"offers": table, "interactions": pd.concat([rows, taken])})
    for fold in make_folds(whole.before(end), end):
        assert fold.shown["taken"].sum() / fold.shown["n"].sum() == pytest.approx(0.2, rel=0.2)
