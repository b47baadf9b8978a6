"""Verdicts: which logs can tell of another policy, and why others cannot."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.off_policy.estimators import self_normalised
from evaluation.off_policy.overlap import ESTIMABLE, Overlap, judge_overlap, unsupported_share


def judged(
    n: int = 1000, *, answered: float = 0.1, matches: float = 0.5, **options: float
) -> Overlap:
    """Judge a fixed policy on a log that shows what it would in a share of all rows."""
    rows = np.arange(n)
    target = (rows % 100 < 100 * matches).astype(float)
    reward = (rows // 100 % 10 < 10 * answered).astype(float)
    return judge_overlap(reward, np.full(n, matches), target, **options)


def test_a_log_with_enough_of_the_policy_is_estimable() -> None:
    found = judged()
    assert found.verdict == ESTIMABLE
    assert found.reasons == ()
    assert found.effective_sample_size == pytest.approx(500)
    assert found.effective_share == pytest.approx(0.5)
    assert found.mean_weight == pytest.approx(1)
    assert found.largest_weight == 2
    assert found.largest_share == pytest.approx(1 / 500)
    assert found.answers == found.expected_answers == pytest.approx(50)


def test_too_few_rows_that_count_are_refused() -> None:
    found = judged(answered=1.0, matches=0.05)
    assert (
        found.verdict == "not estimable: 1,000 shown positions are worth 50.0 of it, 100 are needed"
    )


def test_a_share_below_a_thousandth_is_refused_however_many_rows_there_are() -> None:
    n = 1_000_000
    target = (np.arange(n) < 500).astype(float)
    found = judge_overlap(np.ones(n), np.full(n, 0.0005), target)
    assert found.effective_sample_size == pytest.approx(500)
    assert "1,000 are needed" in found.verdict


def test_one_row_that_outweighs_the_others_is_refused() -> None:
    propensity = np.full(5000, 0.5)
    propensity[0] = 1e-3
    found = judge_overlap(np.ones(5000), propensity, np.full(5000, 0.5))
    assert "one position is 9% of all weight" in found.verdict


def test_hardly_any_answer_is_refused_though_rows_abound() -> None:
    assert "the answers are worth 0.0, 10 are needed" in judged(answered=0.0).verdict
    target = np.ones(1000)
    reward = (np.arange(1000) < 9).astype(float)
    assert "the answers are worth 9.0" in judge_overlap(reward, target, target).verdict


def test_answers_of_light_rows_alone_do_not_make_a_policy_estimable() -> None:
    """Where no heavy row was answered all answers weigh alike, and as much as they are."""
    n = 10_000
    target = np.where(np.arange(n) % 20 == 0, 0.81, 0.01)
    reward = (np.arange(n) % 200 == 1).astype(float)
    found = judge_overlap(reward, np.full(n, 0.05), target)
    assert found.answers == pytest.approx(50)
    assert found.verdict == (
        "not estimable: at the logged rate what it would show has 3.8 answers, 10 are needed"
    )


def test_intervals_of_what_is_estimable_cover_the_rate_where_no_policy_matters() -> None:
    random, explore = np.random.default_rng(0), 0.2
    by_answers, estimable = [], []
    # One match in 34 and few answers; and enough of both.
    for chance, rate in [(1 / 34, 0.0047), (4 / 34, 0.047)] * 75:
        propensity = np.full(10_000, chance)
        target = explore * chance + (1 - explore) * (random.random(10_000) < chance)
        reward = (random.random(10_000) < rate).astype(float)
        found = judge_overlap(reward, propensity, target)
        one = self_normalised(reward, propensity, target)
        covers = one.low <= rate <= one.high
        by_answers += [covers] if found.answers >= 10 else []
        estimable += [covers] if found.estimable else []
    assert np.mean(by_answers) < 0.9 < np.mean(estimable)
    assert len(estimable) > 50


def test_what_was_never_shown_cannot_be_estimated() -> None:
    assert judged(unsupported=0.04).estimable
    assert "20% of what it shows was never logged" in judged(unsupported=0.2).verdict


def test_weights_that_do_not_average_one_betray_wrong_propensities() -> None:
    target = np.full(1000, 0.5)
    found = judge_overlap(np.ones(1000), np.full(1000, 0.25), target)
    assert "weights average 2.00 where 1.00 is due" in found.verdict
    # Where its list is shorter, less is due.
    mass = (np.arange(1000) < 500).astype(float)
    assert judge_overlap(np.ones(1000), np.ones(1000), mass, mass=mass).estimable


def test_nothing_in_common_and_a_single_customer_are_refused() -> None:
    zeros = np.zeros(500)
    found = judge_overlap(np.ones(500), np.full(500, 0.5), zeros, mass=zeros)
    assert found.verdict == "not estimable: nothing of what it would show was logged"
    alone = judge_overlap(np.ones(500), np.ones(500), np.ones(500), np.zeros(500))
    assert alone.verdict == "not estimable: one customer tells nothing of others"


def test_support_is_lacking_where_the_chance_is_zero_or_unknown() -> None:
    target = np.array([[0.5, 0.3, 0.2], [0.1, 0.9, 0.0]])
    propensity = np.array([[0.5, 0.0, 0.5], [np.nan, 1.0, np.nan]])
    assert unsupported_share(target, propensity) == pytest.approx(0.4 / 2)
    assert unsupported_share(np.zeros(3), np.ones(3)) == 0
