"""The order of a list is settled to the last tie; diversity spreads categories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recommender.serving.ranking import places, spread, top


@given(
    hnp.arrays(np.float64, (3, 17), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0])),
    hnp.arrays(np.bool_, (3, 17)),
    st.integers(1, 20),
    st.randoms(use_true_random=False),
)
def test_top_is_a_full_stable_sort_cut_short(
    score: np.ndarray, allowed: np.ndarray, n: int, random: object
) -> None:
    order = np.arange(17)
    random.shuffle(order)  # type: ignore[attr-defined]
    cost = np.where(allowed, -score, np.inf)[:, order]
    expected = order[np.argsort(cost, axis=1, kind="stable")][:, :n]
    found = top(score, allowed, n, order)
    for row, length in enumerate(np.minimum(allowed.sum(axis=1), n)):
        assert found[row, :length].tolist() == expected[row, :length].tolist()


@given(
    hnp.arrays(np.float64, (3, 17), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0])),
    hnp.arrays(np.bool_, (3, 17)),
    st.integers(1, 20),
)
def test_places_are_those_of_the_whole_list(score: np.ndarray, allowed: np.ndarray, n: int) -> None:
    rows, columns = allowed.nonzero()
    listed = top(score, allowed, n).tolist()
    expected = [
        listed[row].index(column) if column in listed[row] else n
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    assert places(score, allowed, rows, columns, n).tolist() == expected


@pytest.mark.parametrize("n", [1, 10, 40])
def test_the_best_of_long_lists_are_those_of_a_full_sort(n: int) -> None:
    random = np.random.default_rng(n)
    score = random.normal(size=(30, 500))
    score[:10] = score[:10].round()  # ties across the end, many of them
    score[10] = 0.0
    allowed = random.random(score.shape) < random.choice([0.01, 0.5, 1.0], (30, 1))
    found = top(score, allowed, n)
    for row, length in enumerate(np.minimum(allowed.sum(axis=1), n)):
        best = np.argsort(np.where(allowed[row], -score[row], np.inf), kind="stable")
        assert found[row, :length].tolist() == best[:length].tolist()


def test_without_diversity_the_order_stays() -> None:
    rows, score = np.array([4, 2, 0, 1]), np.array([4.0, 3.0, 2.0, 1.0])
    assert spread(rows, score, np.zeros(5, dtype=int), 0.0, 3).tolist() == [4, 2, 0]


def test_an_offer_loses_for_those_of_its_category_above_it() -> None:
    rows, score = np.arange(4), np.array([4.0, 3.9, 3.8, 3.0])
    category = np.array([0, 0, 0, 1])
    assert spread(rows, score, category, 1.0, 4).tolist() == [0, 3, 1, 2]


def test_offers_without_a_category_do_not_stand_in_each_others_way() -> None:
    rows, score = np.arange(3), np.array([3.0, 2.0, 1.0])
    assert spread(rows, score, np.full(3, -1), 5.0, 3).tolist() == [0, 1, 2]
