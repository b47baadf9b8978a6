"""The search keeps the defaults unless it is sure, and says what it tried."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from data.dataset import Dataset
from recommender.features.profile_columns import build_demographics
from recommender.learning.tuning import CHOICES, tune
from recommender.past.fold import Fold
from recommender.past.judging import Setting
from recommender.past.validation import look_back
from recommender.recipe import DEFAULT

pytestmark = pytest.mark.usefixtures("spared")


def moments_of(
    dataset: Dataset, at: pd.Timestamp, seed: int = 0, k: int | None = None
) -> tuple[list[Fold], Setting]:
    profile = build_demographics(dataset.customers, at.value // 1000)
    return look_back(dataset, at, seed), Setting(k, seed, demographics=profile)


@pytest.mark.slow
def test_every_try_is_told_and_chance_does_not_win(small_dataset: Dataset) -> None:
    at = small_dataset.moment_after()
    steps: list[str] = []
    folds, setting = moments_of(small_dataset.before(at), at, k=3)
    found = tune(folds[-1:], setting, tries=2, on_step=steps.append)
    assert steps == ["the defaults", "try 1 of 2", "try 2 of 2"]
    assert found.tried[0][0] == DEFAULT
    assert all(0 < value < 1 for _, value in found.tried)
    assert found.recipe in [recipe for recipe, _ in found.tried]
    for name, values in CHOICES.items():
        assert getattr(DEFAULT, name) in values


def test_penalties_are_tried_beside_the_one_that_past_lists_chose() -> None:
    chosen = replace(DEFAULT, penalty=4.0)
    found = tune([], Setting(3, 0), tries=20, recipe=chosen)
    assert {round(recipe.penalty, 9) for recipe, _ in found.tried} == {1.4, 4.0, 12.0}
    assert found.recipe == chosen


@pytest.mark.slow
def test_the_same_seed_tries_the_same(small_dataset: Dataset) -> None:
    at = small_dataset.moment_after()
    moments = moments_of(small_dataset, at, 5)
    first, second = (tune(*moments, tries=1) for _ in range(2))
    assert first == second


def test_without_past_moments_the_defaults_stand(small_dataset: Dataset) -> None:
    empty = small_dataset.before(small_dataset.interactions["occurred_at"].min())
    assert tune(*moments_of(empty, empty.moment_after()), tries=1).recipe == DEFAULT


def test_what_is_not_searched_stays_as_it_was_given(small_dataset: Dataset) -> None:
    empty = small_dataset.before(small_dataset.interactions["occurred_at"].min())
    recipe = replace(DEFAULT, learn_from_suspects=True)
    moments = moments_of(empty, empty.moment_after())
    found = tune(*moments, tries=2, recipe=recipe)
    assert all(one.learn_from_suspects for one, _ in found.tried)
    assert found.recipe == recipe
    assert found.told().endswith("they stand.")
