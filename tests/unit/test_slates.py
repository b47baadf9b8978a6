"""Slate policies know the exact chance of every offer at every place."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.synthetic import plackett_luce
from data.synthetic.plackett_luce import position_chances
from data.synthetic.slates import SlatePolicy

WEIGHTS = st.lists(st.floats(0.01, 100.0), min_size=1, max_size=6)
FLOOR = 0.15


def enumerated(weights: list[float], slate: int) -> np.ndarray:
    """Sum over every slate there is."""
    n = len(weights)
    chances = np.zeros((n, slate))
    for order in permutations(range(n), min(slate, n)):
        left, chance = sum(weights), 1.0
        for offer in order:
            chance *= weights[offer] / left
            left -= weights[offer]
        for place, offer in enumerate(order):
            chances[offer, place] += chance
    return chances


def policy_of(
    offers: int = 20, days: int = 6, slate: int = 4, seed: int = 0
) -> tuple[SlatePolicy, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    begin = random.integers(0, days, offers)
    begin[:2] = 0
    end = begin + random.integers(1, days, offers)
    end[:2] = days
    weights = random.lognormal(0, 1, (2, offers))
    return SlatePolicy.of(weights, begin, end, days, slate, FLOOR), begin, end


@given(WEIGHTS, st.integers(1, 5))
def test_chances_equal_those_of_every_slate_there_is(weights: list[float], slate: int) -> None:
    found = position_chances(np.array(weights), slate)
    np.testing.assert_allclose(found, enumerated(weights, slate), atol=1e-10)


@pytest.mark.parametrize("offers", [13, 15])
@pytest.mark.parametrize("spread", [0.0, 1.0, 2.0])
def test_the_integral_equals_the_sum_over_sets(offers: int, spread: float) -> None:
    weights = np.random.default_rng(offers).lognormal(0, spread, (3, offers))
    shares = (1 - FLOOR) * weights / weights.sum(axis=1, keepdims=True) + FLOOR / offers
    summed = plackett_luce._by_sets(shares, 5)
    np.testing.assert_allclose(plackett_luce._by_clocks(shares, 5), summed, atol=1e-10)


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 1000))
def test_every_place_that_can_be_filled_is_filled_for_certain(
    offers: int, slate: int, seed: int
) -> None:
    weights = np.random.default_rng(seed).lognormal(0, 1, offers)
    chances = position_chances(weights / weights.sum() * (1 - FLOOR) + FLOOR / offers, slate)
    assert chances.shape == (offers, slate)
    filled = min(offers, slate)
    np.testing.assert_allclose(chances[:, :filled].sum(axis=0), 1.0, atol=1e-9)
    assert not chances[:, filled:].any()
    assert (chances.sum(axis=1) <= 1 + 1e-9).all()


def test_slates_are_drawn_as_often_as_the_chances_say() -> None:
    policy, _, _ = policy_of()
    context = np.repeat(policy.context[1, 3], 40_000)
    offer, propensity = policy.draw(context, np.random.default_rng(1))
    dense = policy.dense(np.array([policy.context[1, 3]]), 20)[0]
    for place in range(offer.shape[1]):
        share = np.bincount(offer[:, place], minlength=20) / len(offer)
        error = np.sqrt(dense[:, place] * (1 - dense[:, place]) / len(offer))
        assert (np.abs(share - dense[:, place]) <= 4.5 * error + 1e-12).all()
    rows = np.arange(len(offer))[:, None] * 0
    np.testing.assert_array_equal(propensity, dense[offer, np.arange(4) + rows])


def test_a_slate_repeats_no_offer_and_shows_what_is_valid_that_day() -> None:
    policy, begin, end = policy_of(offers=8, days=10)
    for day in range(10):
        offer, propensity = policy.draw(
            np.repeat(policy.context[0, day], 200), np.random.default_rng(day)
        )
        valid = np.flatnonzero((begin <= day) & (day < end))
        filled = min(len(valid), 4)
        assert set(offer[:, :filled].ravel()) <= set(valid)
        assert (offer[:, filled:] == -1).all()
        assert (propensity[:, :filled] > 0).all()
        assert not propensity[:, filled:].any()
        ordered = np.sort(offer[:, :filled], axis=1)
        assert (np.diff(ordered, axis=1) > 0).all()


def test_a_day_without_offers_has_empty_slates() -> None:
    policy = SlatePolicy.of(
        np.ones((1, 2)), np.array([0, 2]), np.array([1, 3]), days=3, slate=2, floor=FLOOR
    )
    offer, propensity = policy.draw(policy.context[0, [0, 1, 2]], np.random.default_rng(0))
    assert offer.tolist() == [[0, -1], [-1, -1], [1, -1]]
    assert propensity.tolist() == [[1, 0], [0, 0], [1, 0]]


def test_the_floor_keeps_every_valid_offer_in_play() -> None:
    weights = np.array([[1e9] + [1.0] * 29])
    policy = SlatePolicy.of(weights, np.zeros(30), np.ones(30), days=1, slate=3, floor=FLOOR)
    assert policy.chance[:, 0].min() >= FLOOR / 30 - 1e-12


def test_chances_are_looked_up_pair_by_pair() -> None:
    policy, _, _ = policy_of()
    random = np.random.default_rng(3)
    context, offer = policy.context[0, random.integers(0, 6, 50)], random.integers(0, 20, 50)
    position = random.integers(1, 5, 50)
    dense = policy.dense(context, 20)[np.arange(50), offer, position - 1]
    np.testing.assert_array_equal(policy.at(context, offer, position), dense)
    assert (dense == 0).any()  # not valid that day
