"""Intervals and tests: they cover what they promise, and say nothing where there is nobody."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evaluation.significance import estimate_means, estimate_ratio
from recommender.yardstick import compare


def test_the_interval_of_a_mean_covers_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        sample = random.beta(0.6, 1.4, (40, 1))  # skewed towards 0 as ranking metrics are
        one = estimate_means(sample, seed)[0]
        covered += one.low <= 0.3 <= one.high
    assert 0.90 <= covered / 200 <= 0.99


def test_the_interval_of_a_difference_covers_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for seed in range(200):
        base = random.normal(0.4, 0.2, 30)
        one = compare(base + random.normal(0.05, 0.1, 30), base, seed)
        covered += one.low <= 0.05 <= one.high
    assert 0.90 <= covered / 200 <= 0.99


def test_the_interval_of_a_ratio_covers_although_customers_differ() -> None:
    random = np.random.default_rng(2)
    covered = 0
    for seed in range(200):
        shown = random.integers(10, 40, 60)
        clicked = random.binomial(shown, random.beta(1, 9, 60))
        one = estimate_ratio(clicked.astype(float), shown.astype(float), seed)
        covered += one.low <= 0.1 <= one.high
    assert 0.88 <= covered / 200 <= 0.99


def test_the_test_seldom_finds_a_difference_that_is_not_there() -> None:
    random = np.random.default_rng(3)
    p_values = [
        compare(random.normal(size=25), random.normal(size=25), seed).p_value for seed in range(200)
    ]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.10
    assert 0.4 <= np.mean(p_values) <= 0.6


def test_identical_vectors_do_not_differ() -> None:
    same = np.random.default_rng(0).random(50)
    one = compare(same, same.copy())
    assert (one.value, one.low, one.high, one.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert (one.wins, one.losses, one.n) == (0, 0, 50)


def test_a_clear_difference_has_a_small_p_value() -> None:
    random = np.random.default_rng(0)
    theirs = random.random(80)
    one = compare(theirs + 0.2 + random.normal(0, 0.05, 80), theirs)
    assert one.p_value < 0.01
    assert 0.15 < one.low < one.value < one.high < 0.25
    assert one.wins > 70


def test_the_paired_difference_changes_sign_with_its_sides() -> None:
    random = np.random.default_rng(5)
    a, b = random.random(30), random.random(30)
    one, other = compare(a, b, 4), compare(b, a, 4)
    assert one.value == pytest.approx(-other.value)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert one.p_value == other.p_value
    assert (one.wins, one.losses) == (other.losses, other.wins)


def test_nobody_gives_nan_and_no_interval() -> None:
    means = estimate_means(np.empty((0, 3)))
    assert len(means) == 3
    for one in means:
        assert one.n == 0
        assert all(math.isnan(value) for value in (one.value, one.low, one.high))
    gap = compare(np.empty(0), np.empty(0))
    assert gap.n == gap.wins == gap.losses == 0
    assert all(math.isnan(value) for value in (gap.value, gap.low, gap.high, gap.p_value))


@pytest.mark.parametrize("shown", [np.empty(0), np.zeros(4)])
def test_a_ratio_to_nothing_is_nan(shown: np.ndarray) -> None:
    one = estimate_ratio(np.zeros(len(shown)), shown)
    assert one.n == 0
    assert all(math.isnan(value) for value in (one.value, one.low, one.high))


def test_one_customer_has_an_interval_of_no_width() -> None:
    one = estimate_means(np.array([[0.25]]))[0]
    assert (one.value, one.low, one.high, one.n) == (0.25, 0.25, 0.25, 1)


def test_a_mean_lies_in_its_interval_and_columns_do_not_mix() -> None:
    table = np.column_stack([np.zeros(30), np.ones(30), np.linspace(0, 1, 30)])
    zero, one, spread = estimate_means(table)
    assert (zero.value, zero.low, zero.high) == (0.0, 0.0, 0.0)
    assert (one.value, one.low, one.high) == pytest.approx((1.0, 1.0, 1.0))
    assert 0 < spread.low < spread.value < spread.high < 1
    assert spread.value == pytest.approx(0.5)
    assert spread.n == 30


def test_a_ratio_is_wider_than_a_naive_one_where_customers_differ() -> None:
    shown = np.full(50, 100.0)
    clicked = np.where(np.arange(50) % 5 == 0, 50.0, 0.0)
    one = estimate_ratio(clicked, shown)
    assert one.value == pytest.approx(0.1)
    assert one.n == 5000
    naive = 2 * 1.96 * math.sqrt(0.1 * 0.9 / 5000)
    assert one.high - one.low > 3 * naive


def test_a_ratio_weighs_customers_by_what_they_were_shown() -> None:
    one = estimate_ratio(np.array([1.0, 0.0]), np.array([1.0, 99.0]))
    assert one.value == pytest.approx(0.01)


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    values = np.random.default_rng(0).random((40, 2))
    assert estimate_means(values, 7) == estimate_means(values, 7)
    assert estimate_means(values, 7) != estimate_means(values, 8)
    a, b = values.T
    assert compare(a, b, 7) == compare(a, b, 7)
    assert estimate_ratio(a, b + 1, 7) == estimate_ratio(a, b + 1, 7)


def test_what_never_varies_lies_within_its_interval() -> None:
    (one,) = estimate_means(np.ones((7, 1)))
    assert one.low <= one.value <= one.high
    none = estimate_ratio(np.zeros(50), np.full(50, 4.0))
    assert none.value == none.low == 0.0
    assert 0.005 < none.high < 0.05
