"""Intervals and tests: they cover what they promise, and say nothing where there is nobody."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, ttest_rel

from evaluation.significance import compare_paired, estimate_means, estimate_ratio, wilson
from recommender.learning.yardstick import compare


@pytest.mark.slow
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
    # A level that is shared among many tries has to be within reach.
    assert one.p_value == 1 / 1001
    assert compare(theirs + 0.2, theirs, flips=20_000).p_value == 1 / 20_001


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


def test_one_customer_tells_hardly_anything() -> None:
    one = estimate_means(np.array([[0.25]]))[0]
    ratio = estimate_ratio(np.array([500.0]), np.array([1000.0]))
    assert (one.value, one.n) == (0.25, 1)
    for found in (one, ratio):
        assert found.low < 0.1
        assert found.high > 0.8


def test_the_same_ratio_of_everybody_does_not_vary() -> None:
    shown = np.arange(1.0, 41.0)
    one = estimate_ratio(0.1 * shown, shown)
    assert (one.low, one.high) == pytest.approx(wilson(0.1, 40))


def test_a_mean_lies_in_its_interval_and_columns_do_not_mix() -> None:
    table = np.column_stack([np.zeros(30), np.ones(30), np.linspace(0, 1, 30)])
    zero, one, spread = estimate_means(table)
    assert (zero.value, zero.low, zero.high) == (0.0, *wilson(0.0, 30))
    assert (one.value, one.low, one.high) == pytest.approx((1.0, *wilson(1.0, 30)))
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
    # Four showings to one customer are not four trials.
    assert (none.value, none.low, none.high) == (0.0, *wilson(0.0, 50))


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (37, 4000), (1, 1)])
def test_the_interval_of_a_share_is_wilsons(hits: int, n: int) -> None:
    told = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((told.low, told.high), abs=1e-6)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(1, 400), st.floats(0, 1))
def test_the_interval_of_a_share_holds_it_and_turns_with_it(n: int, share: float) -> None:
    low, high = wilson(share, n)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    assert wilson(1 - share, n) == pytest.approx((1 - high, 1 - low), abs=1e-9)
    assert high - low > 0


@pytest.mark.parametrize("n", [20, 50, 200])
def test_the_interval_of_a_share_covers_by_the_exact_distribution(n: int) -> None:
    """No chance in this: every outcome is weighed with its probability."""
    hits = np.arange(n + 1)
    low, high = np.array([wilson(k / n, n) for k in hits]).T
    truths = np.linspace(0.05, 0.95, 91)
    covered = [binom.pmf(hits, n, p)[(low <= p) & (p <= high)].sum() for p in truths]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)
    assert min(covered) > 0.89


def test_a_comparison_is_the_difference_and_says_how_large_it_is() -> None:
    random = np.random.default_rng(2)
    theirs = random.random(60)
    ours = theirs + np.where(np.arange(60) % 3 == 0, 0.0, random.normal(0.1, 0.2, 60))
    plain, one = compare(ours, theirs, 4), compare_paired(ours, theirs, 4)
    for name in ("value", "low", "high", "p_value", "wins", "losses", "n"):
        assert getattr(one, name) == getattr(plain, name)
    assert one.ties == 20
    assert one.wins + one.losses + one.ties == one.n
    gap = ours - theirs
    assert one.effect_size == pytest.approx(gap.mean() / gap.std(ddof=1))
    # d_z is Student's paired t in other units.
    told = ttest_rel(ours, theirs).statistic
    assert one.effect_size * math.sqrt(one.n) == pytest.approx(told)


def test_the_effect_turns_with_its_sides_and_keeps_its_scale() -> None:
    a, b = np.random.default_rng(8).random((2, 40))
    one, other, larger = compare_paired(a, b), compare_paired(b, a), compare_paired(9 * a, 9 * b)
    assert one.effect_size == pytest.approx(-other.effect_size)
    assert one.detectable == pytest.approx(other.detectable)
    assert larger.effect_size == pytest.approx(one.effect_size)
    assert larger.detectable == pytest.approx(9 * one.detectable)
    more = compare_paired(np.tile(a, 4), np.tile(b, 4))
    assert more.detectable == pytest.approx(one.detectable / 2, rel=0.05)


def test_what_does_not_vary_has_no_effect_size() -> None:
    same = np.linspace(0, 1, 20)
    none = compare_paired(same, same)
    assert (none.effect_size, none.detectable, none.ties) == (0.0, 0.0, 20)
    shifted = compare_paired(same + 0.1, same)
    assert math.isnan(shifted.effect_size)
    assert shifted.detectable == pytest.approx(0.0, abs=1e-12)
    for n in (0, 1):
        few = compare_paired(np.ones(n), np.zeros(n))
        assert math.isnan(few.effect_size)
        assert math.isnan(few.detectable)


@pytest.mark.slow
def test_the_detectable_effect_is_found_four_times_in_five() -> None:
    random = np.random.default_rng(4)
    n, spread, tries = 40, 0.3, 300
    effect = compare_paired(random.normal(0, spread, 4 * n), np.zeros(4 * n)).detectable * 2
    found = 0
    for seed in range(tries):
        gap = random.normal(effect, spread, n)
        found += compare_paired(gap, np.zeros(n), seed).p_value <= 0.05
    low, high = binom.interval(0.99, tries, 0.8)
    assert low - 0.03 * tries <= found <= high + 0.03 * tries  # the spread is estimated as well


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30),
    st.integers(0, 5),
)
def test_p_values_are_shares_alike_for_both_sides(
    pairs: list[tuple[float, float]], seed: int
) -> None:
    ours, theirs = np.array(pairs).T
    one, other = compare_paired(ours, theirs, seed), compare_paired(theirs, ours, seed)
    assert 0 < one.p_value <= 1
    assert one.p_value == other.p_value
    assert (one.wins, one.losses, one.ties) == (other.losses, other.wins, other.ties)


@pytest.mark.slow
def test_alike_policies_differ_as_often_as_the_level_says() -> None:
    """A/A: both sides are drawn alike, skewed and with ties as ranking metrics are."""
    random = np.random.default_rng(6)
    runs, customers = 2000, 60
    found = np.zeros((2, runs), dtype=bool)
    for seed in range(runs):
        ours, theirs = random.beta(0.5, 1.5, (2, customers)) * (random.random((2, customers)) < 0.6)
        one = compare_paired(ours, theirs, seed)
        found[:, seed] = one.p_value <= 0.05, not one.low <= 0 <= one.high
    low, high = binom.interval(0.99, runs, 0.05)
    assert low <= found[0].sum() <= high
    # A percentile interval of 60 customers is a little too short (Efron & Tibshirani 1993).
    assert found[1].mean() <= 0.08


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 200])
def test_intervals_cover_a_known_mean_and_difference(n: int) -> None:
    random = np.random.default_rng(n)
    runs, covered = 600, np.zeros(2)
    for seed in range(runs):
        values = random.beta(0.6, 1.4, (n, 2))
        mean = estimate_means(values[:, :1], seed)[0]
        gap = compare_paired(values[:, 0] + 0.05, values[:, 1], seed)
        covered += (mean.low <= 0.3 <= mean.high, gap.low <= 0.05 <= gap.high)
    assert ((covered / runs >= 0.92) & (covered / runs <= 0.97)).all()
