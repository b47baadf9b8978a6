"""Effects of columns on counts that differ by more than chance."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recommender.fitting.overdispersed import SPREAD, fit_effects


def test_effects_that_overlap_are_told_apart() -> None:
    random = np.random.default_rng(0)
    x = (random.random((4000, 3)) < 0.5).astype(float)
    x[:, 2] = np.where(random.random(4000) < 0.8, x[:, 1], x[:, 2])  # it goes with the second
    usual = random.gamma(2.0, 20.0, 4000)
    mean = usual * np.exp(x @ np.array([0.4, -0.3, 0.0])) * random.gamma(2.0, 0.5, 4000)
    found = fit_effects(sp.csr_matrix(x), random.poisson(mean).astype(float), usual, 2.0)
    np.testing.assert_allclose(found, [0.4, -0.3, 0.0], atol=0.08)


def test_it_is_the_best_of_the_penalised_likelihood() -> None:
    random = np.random.default_rng(1)
    x = random.random((50, 4))
    usual, strength = random.gamma(2.0, 5.0, 50), 1.5
    y = random.poisson(usual * random.gamma(1.5, 1 / 1.5, 50)).astype(float)
    found = fit_effects(sp.csr_matrix(x), y, usual, strength)

    def loss(effect: np.ndarray, level: float) -> float:
        mean = usual * np.exp(level + x @ effect)
        likelihood = y * np.log(mean / (mean + strength)) - strength * np.log(mean + strength)
        return float(-likelihood.sum() + (effect**2).sum() / (2 * SPREAD**2))

    levels = np.linspace(-2, 2, 4001)
    level = levels[np.argmin([loss(found, one) for one in levels])]
    best = loss(found, level)
    for step in (*np.eye(4) * 0.02, *np.eye(4) * -0.02):
        assert loss(found + step, level) > best - 1e-4


@pytest.mark.parametrize("events", [np.zeros(5), np.full(5, 3.0)])
def test_nothing_counted_and_nothing_expected_add_nothing(events: np.ndarray) -> None:
    columns = sp.csr_matrix(np.eye(5))
    assert (fit_effects(columns, events, np.zeros(5), 2.0) == 0).all()
    if not events.any():
        assert (fit_effects(columns, events, np.ones(5), 2.0) == 0).all()
    assert fit_effects(sp.csr_matrix((5, 0)), events, np.ones(5), 2.0).shape == (0,)
