"""A ridge on whatever is known: its solution, its penalty, and what kin tell of a new offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from recommender.features.attributes import Attributes
from recommender.features.kinship import Kinship
from recommender.fitting.lifts import Kin, fit_traits
from recommender.fitting.penalties import PENALTIES
from recommender.fitting.rates import Chances
from recommender.scoring.traits import TraitRidge, Traits

N, COLUMNS, OFFERS = 300, 4, 6


def chances_of(events: np.ndarray, shown: np.ndarray | None = None) -> Chances:
    return Chances(
        events=sp.csr_matrix(events),
        shown=None if shown is None else sp.csr_matrix(shown),
        present=np.ones(events.shape[0], dtype=bool),
        live=np.ones(events.shape[1]),
        spend=np.zeros(events.shape[1]),
        dated=np.zeros(events.shape[1], dtype=bool),
        met=np.ones(events.shape[1], dtype=bool),
        placed=np.ones(events.shape[1], dtype=bool),
        attributes=sp.csr_matrix((events.shape[1], 0)),
        columns=Attributes(*(np.empty(0, dtype=np.str_),) * 2, np.empty(0), np.empty(0)),
    )


def no_kin(n: int = N, offers: int = OFFERS) -> Kin:
    return Kin(
        Kinship(False, np.empty(0, dtype=np.str_)),
        sp.csr_matrix((offers, 0)),
        lambda rows: sp.csr_matrix((len(rows), offers)),
        sp.csr_matrix((n, 0)),
    )


def fit(
    value: np.ndarray,
    chances: Chances,
    kin: Kin | None = None,
    families: Sequence[np.ndarray] = (),
) -> TraitRidge:
    known = np.ones(value.shape, dtype=bool)
    kin = no_kin(*chances.events.shape) if kin is None else kin
    return fit_traits(
        lambda rows: Traits(value[rows], known[rows]),
        [families or [np.arange(value.shape[1])]],
        chances,
        kin,
        np.zeros(chances.events.shape[1], dtype=bool),
        np.zeros((chances.events.shape[1], 0)),
    )


def example() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    value = random.integers(0, 2, (N, COLUMNS)).astype(float)
    rate = 0.1 + 0.3 * value[:, [0, 0, 1, 2, 3, 3]]
    return value, (random.random((N, OFFERS)) < rate).astype(float)


@settings(max_examples=20)
@given(st.sets(st.integers(0, COLUMNS - 1), min_size=1))
def test_any_part_of_the_columns_has_the_ridge_of_that_part(part: set[int]) -> None:
    value, events = example()
    ridge = fit(value, chances_of(events))
    known = np.zeros((N, COLUMNS), dtype=bool)
    here = sorted(part)
    known[:, here] = True
    ours = ridge.coefficients(Traits(value, known)) @ ridge.cross
    theirs = Ridge(alpha=ridge.penalty[0]).fit(value[:, here], events)
    np.testing.assert_allclose(
        ours, theirs.predict(value[:, here]) - events.mean(axis=0), atol=1e-8
    )


@pytest.mark.slow
def test_the_penalty_is_the_best_when_customers_are_left_out_one_by_one() -> None:
    value, events = example()
    chosen = fit(value, chances_of(events)).penalty[0]

    def error(alpha: float) -> float:
        total = 0.0
        for row in range(0, N):
            rest = np.arange(N) != row
            model = Ridge(alpha=alpha).fit(value[rest], events[rest])
            total += float(((model.predict(value[[row]]) - events[row]) ** 2).sum())
        return total

    errors = {alpha: error(alpha) for alpha in PENALTIES[::4]}
    assert error(chosen) <= min(errors.values()) + 1e-3


def test_what_tells_nothing_does_not_drown_what_does() -> None:
    random = np.random.default_rng(2)
    value = random.integers(0, 2, (1000, 41)).astype(float)
    rate = 0.05 + 0.1 * value[:, :1] * np.ones((1, OFFERS))
    chances = chances_of((random.random((1000, OFFERS)) < rate).astype(float))
    one, other = np.arange(1), np.arange(1, 41)
    together = fit(value, chances)
    apart = fit(value, chances, families=[one, other])
    assert apart.penalty[1] > together.penalty[1] > apart.penalty[0]

    def error(ridge: TraitRidge) -> float:
        known = np.ones(value.shape, dtype=bool)
        found = ridge.coefficients(Traits(value, known)) @ ridge.cross - rate + rate.mean()
        return float((found**2).mean())

    assert error(apart) < 0.5 * error(together)


def test_customers_of_whom_nothing_is_known_are_as_everybody() -> None:
    value, events = example()
    ridge = fit(value, chances_of(events))
    nobody = Traits(np.zeros((2, COLUMNS)), np.zeros((2, COLUMNS), dtype=bool))
    np.testing.assert_allclose(ridge.lift(nobody), 0.0, atol=1e-12)


def test_what_was_shown_more_often_is_no_liking() -> None:
    random = np.random.default_rng(1)
    value = np.r_[np.zeros(1000), np.ones(1000)][:, None]
    shown = np.where(value == 1, 8.0, 2.0) * np.ones((1, 3))
    events = random.binomial(1, 1 - 0.98**shown).astype(float)
    plain, fair = (fit(value, chances_of(events, seen)) for seen in (None, shown))
    one = Traits(np.ones((1, 1)), np.ones((1, 1), dtype=bool))
    assert plain.lift(one).mean() > 0.3
    assert abs(fair.lift(one).mean()) < 0.15


@pytest.mark.parametrize(("shown", "least"), [((2.0, 20.0), 0.2), ((20.0, 2.0), 0.35)])
def test_what_a_group_likes_is_told_by_those_who_saw_much(
    shown: tuple[float, float], least: float
) -> None:
    """Who has the trait takes what is shown twice as often, however much is shown to whom."""
    random = np.random.default_rng(1)
    value = np.r_[np.zeros(4000), np.ones(4000)][:, None]
    seen = np.where(value == 1, shown[1], shown[0]) * np.ones((1, 3))
    events = random.binomial(1, 1 - (1 - 0.01 * (1 + value)) ** seen).astype(float)
    known = np.ones((2, 1), dtype=bool)
    lift = fit(value, chances_of(events, seen)).lift(Traits(np.array([[0.0], [1.0]]), known))
    assert least < (lift[1] - lift[0]).mean() < np.log(2)


@pytest.mark.parametrize("by", ["category", "interest"])
def test_a_new_offer_is_lifted_as_its_kin(by: str) -> None:
    value, events = example()
    events[:, 1] = 0  # the twin of the first offer is new
    group = sp.csr_matrix(np.eye(5)[[0, 0, 1, 2, 3, 4]])
    interest = np.zeros((N, OFFERS))
    interest[:, 1] = value[:, 0]
    nothing = no_kin()
    kin = (
        replace(nothing, kinship=Kinship(False, np.array(list("abcde"))), like=group)
        if by == "category"
        else replace(nothing, interest=lambda rows: sp.csr_matrix(interest[rows]))
    )
    one = Traits(np.array([[1.0, 0, 0, 0]]), np.array([[True, False, False, False]]))
    assert fit(value, chances_of(events)).lift(one)[0, 1] == pytest.approx(0, abs=0.01)
    assert fit(value, chances_of(events), kin).lift(one)[0, 1] > 0.3
