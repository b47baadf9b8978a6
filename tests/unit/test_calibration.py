"""Probabilities are fitted to what was shown, a pair as much as it counts."""

from __future__ import annotations

import numpy as np

from recommender.calibration import Trials, fit_calibration


def test_trials_count_by_their_weight() -> None:
    random = np.random.default_rng(0)
    score = random.normal(size=600)
    taken = random.random(600) < 1 / (1 + np.exp(-score))
    shown = np.ones(600)
    other = Trials(-score, shown, taken, weight=0.0)
    alone = fit_calibration([Trials(score, shown, taken)])
    np.testing.assert_allclose(fit_calibration([Trials(score, shown, taken), other]), alone)
    half = [Trials(score, shown, taken, weight=0.5)] * 2
    np.testing.assert_allclose(fit_calibration(half), alone, rtol=1e-4)
