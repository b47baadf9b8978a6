"""A slope measured without priors, of what is seen of a window."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from data.dataset import Dataset
from evaluation.protocol import Protocol
from evaluation.reliability import hold, what_came
from evaluation.splitting import split_dataset


def came_of(log_odds: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Show every pair once and let it be taken with its chance."""
    taken = np.random.default_rng(seed).random(len(log_odds)) < expit(log_odds)
    return pd.DataFrame({"n": 1.0, "taken": taken.astype(float)})


@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0, -0.3, -1.0])
def test_a_slope_is_what_it_is_even_upside_down(slope: float) -> None:
    foretold = np.random.default_rng(1).normal(-3.0, 1.0, 20_000)
    found = hold(foretold, came_of(-3.0 + slope * (foretold + 3.0)))
    assert found.slope == pytest.approx(slope, abs=0.1)


def test_a_level_that_is_wrong_leaves_the_slope() -> None:
    foretold = np.random.default_rng(2).normal(-3.0, 1.0, 20_000)
    found = hold(foretold, came_of(foretold + 1.0))
    assert found.slope == pytest.approx(1.0, abs=0.1)
    assert sum(found.observed) > 2 * sum(found.expected)


def test_showings_count_as_often_as_they_were_shown() -> None:
    foretold = np.random.default_rng(3).normal(-2.0, 1.0, 3_000)
    single = came_of(0.5 * foretold)
    some = pd.DataFrame({"n": np.full(3_000, 4.0), "taken": 4 * single["taken"]})
    assert hold(foretold, some).slope == pytest.approx(hold(foretold, single).slope, abs=1e-4)


def test_what_cannot_tell_a_slope_gives_none() -> None:
    foretold = np.random.default_rng(4).normal(-3.0, 1.0, 300)
    few = pd.DataFrame({"n": 1.0, "taken": (np.arange(300) < 19).astype(float)})
    assert np.isnan(hold(foretold, few).slope)
    assert np.isnan(hold(np.full(300, -3.0), came_of(np.zeros(300))).slope)
    assert np.isnan(hold(foretold, few.assign(taken=1.0)).slope)


def test_no_showing_ages_by_what_comes_after_the_data(small_dataset: Dataset) -> None:
    end = small_dataset.moment_after()
    at = end - pd.Timedelta(days=10)
    whole, beyond = (
        what_came(split_dataset(small_dataset, Protocol(at, until)), small_dataset)
        for until in (None, end + pd.Timedelta(days=90))
    )
    assert len(whole)
    pd.testing.assert_frame_equal(whole, beyond)
