"""Polishing follows the lists where they speak clearly, and else leaves the weights alone."""

from __future__ import annotations

import numpy as np

from recommender.polish import Sums, polish


def sums(n: int = 400, offers: int = 30) -> Sums:
    """The first part tells what is taken, the second is noise, the third harms."""
    random = np.random.default_rng(0)
    liking = random.normal(size=(n, offers))
    taken = liking + random.normal(size=(n, offers)) > 2.2
    parts = np.stack([liking, random.normal(size=(n, offers)) * 0.1, -2.0 * liking])
    return Sums(parts, taken, np.ones((n, offers), dtype=bool))


def test_what_harms_is_turned_down() -> None:
    found = polish([sums()], np.ones(3))
    assert found[2] < 0.3
    assert found[0] >= 1


def test_what_makes_no_difference_stays() -> None:
    one = sums()
    start = np.array([1.0, 1.0, 0.01])
    assert polish([one], start)[1] == 1.0


def test_a_part_at_zero_may_come_back() -> None:
    start = np.array([0.0, 1.0, 0.0])
    assert polish([sums()], start)[0] > 0


def test_without_lists_the_start_stands() -> None:
    np.testing.assert_array_equal(polish([], np.array([0.3, 2.0])), [0.3, 2.0])


def test_a_handful_of_lists_is_chance() -> None:
    few = sums(n=12)
    start = np.array([1.0, 1.0, 0.1])
    np.testing.assert_array_equal(polish([few], start)[1:], start[1:])
