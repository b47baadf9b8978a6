"""What showing led to: planted weights are found where nobody had anything to choose from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import expit

from recommender.learning.listwise import fit_listwise, plain_lists
from recommender.learning.pointwise import Tried, first_guess, surprise


def shown_one_by_one(n: int = 6000, weight: float = 0.8, level: float = -1.5) -> Tried:
    """Show every customer one offer, whose feature and whose customer both matter."""
    random = np.random.default_rng(2)
    feature, about = random.normal(size=(1, n, 1)), random.normal(size=(n, 1))
    logit = level + weight * feature[0] + 0.5 * about
    return Tried(
        features=feature,
        share=np.ones((n, 1)),
        about=about,
        shown=np.ones((n, 1)),
        taken=random.random((n, 1)) < expit(logit),
    )


def test_planted_weights_are_found_though_lists_hold_one_offer() -> None:
    tried = shown_one_by_one()
    lists = plain_lists(
        tried.features, tried.taken.astype(np.float64), np.ones(tried.taken.shape, dtype=bool)
    )
    prior = np.array([[0.2]])
    np.testing.assert_allclose(fit_listwise([lists], prior, 1.0), prior, atol=1e-6)
    found = fit_listwise([lists], prior, 1.0, tried=[tried])
    np.testing.assert_allclose(found, [[0.8]], atol=0.1)


def test_who_took_nothing_tells_as_well() -> None:
    tried = shown_one_by_one()
    lists = plain_lists(
        tried.features, tried.taken.astype(np.float64), np.ones(tried.taken.shape, dtype=bool)
    )
    none = replace(tried, taken=tried.taken & (np.arange(len(tried.taken))[:, None] % 2 > 0))
    half = fit_listwise([lists], np.zeros((1, 1)), 1.0, tried=[none])
    assert 0 < half[0, 0] < fit_listwise([lists], np.zeros((1, 1)), 1.0, tried=[tried])[0, 0]


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_the_derivatives_are_those_of_the_surprise(weight: float) -> None:
    random = np.random.default_rng(0)
    tried = Tried(
        features=random.normal(size=(2, 7, 3)),
        share=random.dirichlet([1, 1], 7),
        about=random.normal(size=(7, 2)),
        shown=random.integers(0, 4, (7, 3)).astype(np.float64),
        taken=random.random((7, 3)) < 0.5,
        weight=weight,
    )
    tried = replace(tried, taken=tried.taken & (tried.shown > 0))
    at = random.normal(size=4 + 3)

    def value(flat: np.ndarray) -> float:
        return tried.surprise(flat[:4].reshape(2, 2), flat[4:])[0]

    _, by_weight, by_start = tried.surprise(at[:4].reshape(2, 2), at[4:])
    expected = approx_fprime(at, value, 1e-6)
    np.testing.assert_allclose(np.r_[by_weight.ravel(), by_start], expected, atol=1e-4)


def test_what_was_not_shown_says_nothing() -> None:
    value, residual = surprise(np.array([3.0, -2.0]), np.zeros(2), np.zeros(2, dtype=bool))
    assert value == 0
    assert (residual == 0).all()


def test_everybody_starts_from_what_happened() -> None:
    assert expit(first_guess(200.0, 50.0)) == pytest.approx(0.25)
    assert np.isfinite(first_guess(10.0, 0.0))
    assert np.isfinite(first_guess(10.0, 10.0))
