"""Customers differ in how readily they answer: probabilities know it, lists do not depend on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from data.dataset import Dataset
from data.schema import REDEMPTION
from recommender.features.habits import (
    EVENTS,
    STRENGTH,
    log_habits,
    odds_of_habits,
    responses_of,
    responses_of_one,
    usual_rates,
)
from recommender.features.sparse import rows_of
from recommender.learning.calibration import FEWEST_TAKEN, Calibration, Trials, fit_calibration

MOMENT = pd.Timestamp("2024-05-01", tz="UTC")
events = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.sampled_from(EVENTS)), min_size=1
)


def shop(log: list[tuple[str, str, str]]) -> Dataset:
    """A log of offers of which x can be redeemed again."""
    frame = pd.DataFrame(log, columns=["customer_id", "offer_id", "event_type"])
    offers = pd.DataFrame({"offer_id": ["x", "y"], "repeatable": [True, False]})
    return Dataset.of({"interactions": frame.assign(occurred_at=MOMENT), "offers": offers})


def of_one(
    log: list[tuple[str, str, str]], name: str, before: set[str] | None = None
) -> dict[int, float]:
    own: list[tuple[str, str, int | None]] = [(o, kind, None) for c, o, kind in log if c == name]
    return responses_of_one(own, {"x"}, before or set())


@settings(deadline=None)
@given(events)
def test_one_customer_is_counted_as_all_of_them_are(log: list[tuple[str, str, str]]) -> None:
    dataset = shop(log)
    people = dataset.customer_ids
    alone = rows_of([of_one(log, name) for name in people.ids], len(EVENTS))
    np.testing.assert_array_equal(responses_of(dataset, people).toarray(), alone.toarray())


@given(events, events)
def test_what_comes_later_adds_up_with_what_was_known(
    first: list[tuple[str, str, str]], later: list[tuple[str, str, str]]
) -> None:
    before = {offer for name, offer, kind in first if name == "a" and kind == REDEMPTION}
    parts = [of_one(first, "a"), of_one(later, "a", before), of_one([*first, *later], "a")]
    known, since, whole = rows_of(parts, len(EVENTS)).toarray()
    np.testing.assert_array_equal(known + since, whole)


def test_what_can_be_redeemed_once_counts_once() -> None:
    log = [("a", "y", REDEMPTION)] * 3 + [("a", "x", REDEMPTION)] * 2 + [("b", "y", REDEMPTION)]
    dataset = shop(log)
    assert responses_of(dataset, dataset.customer_ids).toarray()[:, 2].tolist() == [3, 1]
    assert of_one(log, "a", {"y"}) == {2: 2.0}


def test_a_habit_is_held_to_the_usual_as_far_as_little_was_shown() -> None:
    habit = log_habits(np.array([0, 1, 100, 200, 2]), np.array([0, 1, 100, 100, 1]))
    np.testing.assert_allclose(habit[:4], [0, 0, 0, np.log((200 + STRENGTH) / (100 + STRENGTH))])
    assert 0 < habit[4] < habit[3]


def test_a_habit_in_log_odds_is_that_of_a_rate() -> None:
    counts = sp.csr_matrix([[0, 0, 0], [10, 5, 0], [1000, 900, 0], [4, 9, 0]])
    habit = odds_of_habits(counts, np.array([0.5, 0.0]))
    assert habit[:2, 0] == pytest.approx(0)
    assert habit[2, 0] == pytest.approx(logit(901 / 1002))
    assert habit[3, 0] > 0  # clicks that nobody logged a showing of
    assert np.isfinite(habit).all()
    assert habit[:, 1] == pytest.approx(0, abs=0.01)
    more = sp.csr_matrix([[1, 2, 0], [1, 9, 0], [0, 3, 0], [10, 0, 0], [100, 0, 0], [10, 15, 0]])
    for usual in (0.5, 1.5):  # more answers than showings, of one or of everybody
        bent = odds_of_habits(more, np.array([usual, 0.0]))
        assert (np.abs(bent[:, 0]) < 7).all()
    seldom = sp.csr_matrix([[1000, 3, 0]])
    rare = np.array([0.001, 0.0])
    np.testing.assert_allclose(
        odds_of_habits(seldom, rare), [[log_habits(3, 1), 0.0]], rtol=2e-3, atol=2e-3
    )


def test_without_impressions_nothing_is_usual() -> None:
    assert usual_rates(sp.csr_matrix([[0, 5, 2]])).tolist() == [0, 0]
    assert usual_rates(sp.csr_matrix([[10, 5, 2], [10, 0, 0]])).tolist() == [0.25, 0.1]


def trials_of(score: np.ndarray, taken: np.ndarray, about: np.ndarray) -> Trials:
    """Every pair was shown once, to a customer of its own."""
    people = np.arange(len(score))
    return Trials(score, np.ones(len(score)), taken.astype(float), about, people)


def test_calibration_finds_what_customers_differ_by() -> None:
    random = np.random.default_rng(0)
    score, about = random.normal(size=(20_000, 1)), random.normal(size=(20_000, 2))
    chance = expit(-2 + 0.7 * score[:, 0] + about @ [1.5, 0.0])
    taken = random.random(len(chance)) < chance
    found = fit_calibration([trials_of(score[:, 0], taken, about)])
    assert found.calibrated
    assert found.intercept == pytest.approx(-2, abs=0.1)
    np.testing.assert_allclose([found.slope, *found.about], [0.7, 1.5, 0.0], atol=0.08)


def test_scores_that_are_all_alike_are_probabilities_all_the_same() -> None:
    """Offers that all were new: how much a score counts cannot be told, how often they were is."""
    taken = np.arange(2000) < 200
    found = fit_calibration([trials_of(np.full(2000, 3.0), taken, np.zeros((2000, 0)))])
    assert found.calibrated
    assert found.slope == pytest.approx(1.0)
    assert expit(found.intercept + found.slope * 3.0) == pytest.approx(0.1, rel=1e-3)
    # Nor does a little evidence to the contrary turn everything upside down.
    found = fit_calibration([trials_of(taken[::-1] * 0.1, taken, np.zeros((2000, 0)))])
    assert found.calibrated
    assert 0 < found.slope < 1


def test_what_is_the_same_for_all_is_left_to_the_intercept() -> None:
    random = np.random.default_rng(0)
    taken = random.random(2000) < 0.2
    trials = trials_of(random.normal(size=2000) + taken, taken, np.zeros((2000, 1)))
    assert fit_calibration([trials]).about[0] == pytest.approx(0.0, abs=1e-9)


def test_few_takers_calibrate_nothing() -> None:
    taken = np.arange(1000) < FEWEST_TAKEN - 1
    trials = trials_of(taken * 1.0, taken, np.ones((1000, 3)))
    found = fit_calibration([trials])
    assert (found.slope, found.intercept, found.calibrated) == (1.0, 0.0, False)
    assert found.about.tolist() == [0, 0, 0]
    assert not fit_calibration([]).calibrated


def test_two_kinds_of_people_get_the_probabilities_they_live_up_to() -> None:
    """Who answers and who does not are told apart by what they did before."""
    random = np.random.default_rng(1)
    rate = np.where(np.arange(600) < 300, 0.2, 0.01)
    counts = np.column_stack([np.full(600, 50), random.binomial(50, rate), np.zeros(600)])
    habit = odds_of_habits(sp.csr_matrix(counts), usual_rates(sp.csr_matrix(counts)))
    person = np.repeat(np.arange(600), 20)
    taken = random.random(len(person)) < rate[person]
    score = random.normal(size=len(person))
    trials = replace(trials_of(score + taken, taken, habit[person]), owner=person)
    plain = fit_calibration([replace(trials, about=np.empty((len(person), 0)))])
    found = fit_calibration([trials])
    told = expit(found.intercept + found.slope * trials.score + trials.about @ found.about)
    alike = expit(plain.intercept + plain.slope * trials.score)
    for group in (person < 300, person >= 300):
        true = logit(taken[group].mean())
        error = abs(logit(told[group].mean()) - true)
        assert error < abs(logit(alike[group].mean()) - true) / 2


def by_person(of_each: int, told: float, columns: int = 40) -> Trials:
    """Show 300 people so many offers; each starts elsewhere, of which a profile tells `told`."""
    random = np.random.default_rng(4)
    people = np.repeat(np.arange(300), of_each)
    about = random.normal(size=(300, columns))
    start = told * about[:, 0] + random.normal(0, 1.5, 300)
    score = random.normal(size=len(people))
    taken = random.random(len(people)) < expit(start[people] - 0.5 + 0.7 * score)
    ones = np.ones(len(people))
    return Trials(score, ones, taken.astype(float), about[people], people)


@pytest.mark.parametrize(("told", "least", "most"), [(0.0, 0.0, 0.45), (1.5, 1.0, 2.0)])
def test_many_columns_of_a_profile_are_not_believed_for_what_a_few_people_did_often(
    told: float, least: float, most: float
) -> None:
    trials = by_person(40, told)
    found = fit_calibration([trials], of_profile=trials.about.shape[1])
    assert least <= np.sqrt((found.about**2).sum()) < most
    free = fit_calibration([trials])
    assert np.abs(found.about[1:]).sum() < 0.9 * np.abs(free.about[1:]).sum()


def test_a_newton_step_that_goes_too_far_is_halved() -> None:
    """Nearly separable outcomes, far from the start."""
    score = np.r_[np.linspace(-80, -1, 500), np.linspace(1, 80, 500)]
    taken = (score > 0).astype(float)
    taken[[250, 750]] = 1 - taken[[250, 750]]
    found = fit_calibration([trials_of(score, taken, np.zeros((1000, 0)))])
    assert found.calibrated
    told = expit(found.intercept + found.slope * score)
    assert told.sum() == pytest.approx(taken.sum(), rel=1e-3)
    assert (np.diff(told) >= 0).all()


def test_what_is_masked_says_where_strangers_start_and_nothing_else() -> None:
    random = np.random.default_rng(5)
    n = 4000
    met = np.tile([0.0, 1.0], (n, 1))  # nothing known, history
    score = random.normal(size=n)
    taken = random.random(n) < expit(-1 + 0.8 * score)
    real = trials_of(score, taken, met)
    masked = replace(real, score=0.1 * score - 2.0, about=met[:, ::-1])
    alone = fit_calibration([real], of_corners=2)
    found = fit_calibration([real], [masked], of_corners=2)
    assert (found.slope, found.intercept) == (alone.slope, alone.intercept)
    assert found.about[1] == pytest.approx(alone.about[1], abs=0.05)

    def total(one: Trials, by: Calibration) -> float:
        return float(expit(by.intercept + by.slope * one.score + one.about @ by.about).sum())

    assert total(real, found) == pytest.approx(taken.sum(), rel=0.02)
    assert total(masked, alone) < 0.6 * taken.sum()
    assert total(masked, found) == pytest.approx(taken.sum(), rel=0.1)
