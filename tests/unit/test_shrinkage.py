"""What a ridge tells of many offers is held to what offers share, as far as that is surer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recommender.fitting.lifts import fit_traits
from recommender.fitting.penalties import Trial
from recommender.fitting.shrinkage import Shrinkage, _left_out, axes_of, choose_shrinkage
from recommender.scoring.traits import TraitRidge, Traits
from tests.unit.test_traits import chances_of, no_kin

N, COLUMNS, OFFERS = 300, 12, 80


def shared(seed: int, n: int = N) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make columns of customers, chances that differ along two directions, and what came."""
    random = np.random.default_rng(seed)
    value = random.integers(0, 2, (n, COLUMNS)).astype(float)
    lift = random.normal(size=(COLUMNS, 2)) @ random.normal(size=(2, OFFERS))
    odds = 0.3 * (value - 0.5) @ lift - 2.0
    chance = 1.0 / (1.0 + np.exp(-odds))
    return value, chance, (random.random((n, OFFERS)) < chance).astype(float)


def trial_of(value: np.ndarray, events: np.ndarray, said: np.ndarray) -> Trial:
    centred = value - value.mean(axis=0)
    # Where customers say more or less than others, what was expected is taken off already.
    flat = events.mean(axis=0) * (said == 1.0).all()
    return Trial(
        centred=centred,
        gram=centred.T @ (said[:, None] * centred),
        cross=centred.T @ (events - flat),
        target=sp.csr_matrix(events),
        flat=flat,
        n=len(value),
        said=said,
    )


def ridge_of(value: np.ndarray, events: np.ndarray, asked: np.ndarray, r: int) -> TraitRidge:
    known = np.ones(value.shape, dtype=bool)
    chances = chances_of(events)
    return fit_traits(
        lambda rows: Traits(value[rows], known[rows]),
        [[np.arange(COLUMNS)]],
        chances,
        no_kin(*events.shape),
        asked,
        axes_of(chances, 0)[:, :r],
    )


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_customers_are_foretold_as_by_a_ridge_without_them(spread: float) -> None:
    value, _, events = shared(0, n=60)
    said = np.random.default_rng(0).uniform(1.0 - spread, 1.0 + spread, len(value))
    trial, penalty = trial_of(value, events, said), np.full(COLUMNS, 20.0)
    penalty[3] = np.inf
    axes, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(OFFERS, 3)))
    came, told = _left_out(trial, penalty, axes)
    here = np.isfinite(penalty)
    for row in (0, 7, 59):
        x, y = trial.centred[row, here], events[row] - trial.flat
        gram = trial.gram[np.ix_(here, here)] - said[row] * np.outer(x, x)
        cross = trial.cross[here] - np.outer(x, y)
        foretold = x @ np.linalg.solve(gram + np.diag(penalty[here]), cross)
        beside = foretold - axes @ (axes.T @ foretold)
        along = (axes.T @ y) * (axes.T @ foretold)
        np.testing.assert_allclose(came[row], np.r_[along, y @ beside])
        square = np.r_[(axes.T @ foretold) ** 2, beside @ beside]
        np.testing.assert_allclose(told[row], said[row] * square)


def test_what_offers_share_is_told_better() -> None:
    value, chance, events = shared(0)
    nothing = np.zeros(OFFERS, dtype=bool)
    alone, held = (ridge_of(value, events, nothing, r) for r in (0, 64))
    traits = Traits(value, np.ones(value.shape, dtype=bool))
    truth = np.log(chance / (1.0 - chance))
    truth -= truth.mean(axis=0)

    def error(ridge: TraitRidge) -> float:
        lift = ridge.lift(traits)
        return float(((lift - lift.mean(axis=0) - truth) ** 2).mean())

    assert error(held) < 0.9 * error(alone)


def test_shares_fall_from_one_axis_to_the_next_and_stay_between_nothing_and_all() -> None:
    value, _, events = shared(1)
    axes = axes_of(chances_of(events), 0)
    chosen = choose_shrinkage(trial_of(value, events, np.ones(N)), np.full(COLUMNS, 20.0), axes)
    share = np.r_[chosen.share, chosen.beside]
    assert (np.diff(share) <= 0).all()
    assert 0.0 <= share[-1] <= share[20] < 0.5 < share[0] <= 1.0


def test_where_nothing_is_surer_all_stays_as_it_was() -> None:
    random = np.random.default_rng(0)
    value, events = shared(0)[0], np.zeros((N, OFFERS))
    events[random.integers(0, N, 3), random.integers(0, OFFERS, 3)] = 1.0
    trial = trial_of(value, events, np.ones(N))
    chosen = choose_shrinkage(trial, np.full(COLUMNS, 30_000.0), axes_of(chances_of(events), 0))
    np.testing.assert_allclose(chosen.of(trial.cross), trial.cross)


def test_without_axes_or_redemptions_all_stays_as_it_was() -> None:
    value, _, events = shared(0)
    trial = trial_of(value, events, np.ones(N))
    none = choose_shrinkage(trial, np.full(COLUMNS, 20.0), np.zeros((OFFERS, 0)))
    np.testing.assert_array_equal(none.of(trial.cross), trial.cross)
    assert axes_of(chances_of(np.zeros((N, OFFERS))), 0).shape == (OFFERS, 0)
    assert axes_of(chances_of(np.zeros((N, 0))), 0).shape == (0, 0)


def test_offers_that_are_questions_keep_what_is_told_of_them() -> None:
    value, _, events = shared(2)
    asked = np.arange(OFFERS) < 4
    alone, held = (ridge_of(value, events, asked, r) for r in (0, 64))
    np.testing.assert_array_equal(held.cross[:, asked], alone.cross[:, asked])
    assert not np.allclose(held.cross[:, ~asked], alone.cross[:, ~asked])


def test_shrinking_is_linear_along_the_axes_and_beside_them() -> None:
    axes = np.eye(5)[:, :2]
    kept = Shrinkage(axes, np.array([1.0, 0.5]), 0.25)
    np.testing.assert_allclose(kept.of(np.ones((1, 5))), [[1.0, 0.5, 0.25, 0.25, 0.25]])
