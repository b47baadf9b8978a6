"""The autoencoder's penalty is another than the usual one where past lists are surely better so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.schema import REDEMPTION
from recommender.learning import autoencoder_penalty
from recommender.learning.autoencoder_penalty import choose_penalty
from recommender.past.validation import look_back
from recommender.recipe import DEFAULT

AT = pd.Timestamp("2025-01-01", tz="UTC")


def shop(people: int, pairs: int) -> Dataset:
    """Make customers who take of one pair of many what they have not yet, and what half take."""
    random = np.random.default_rng(0)
    products = 4 + 2 * pairs
    own = random.integers(0, pairs, people)
    chance = np.where((np.arange(products) - 4) // 2 == own[:, None], 0.7, 0.005)
    chance[:, :4] = 0.5
    owner, product = np.nonzero(random.random((people, products)) < chance)
    log = pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in owner],
            "offer_id": [f"o{n}" for n in product],
            "event_type": REDEMPTION,
            "occurred_at": AT,
        }
    )
    names = pd.DataFrame({"offer_id": [f"o{n}" for n in range(products)]})
    return Dataset.of({"offers": names, "interactions": log})


def test_of_many_customers_and_few_offers_more_is_believed() -> None:
    folds = look_back(shop(4000, 40), AT + pd.Timedelta(days=1))
    found = choose_penalty(folds, DEFAULT, 0)
    assert found.penalty < DEFAULT.penalty
    assert replace(found, penalty=DEFAULT.penalty) == DEFAULT


def test_a_recipe_that_states_another_keeps_it() -> None:
    folds = look_back(shop(4000, 40), AT + pd.Timedelta(days=1))
    stated = replace(DEFAULT, penalty=7.0)
    assert choose_penalty(folds, stated, 0) == stated


def test_without_folds_or_of_very_many_offers_the_usual_one_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose_penalty([], DEFAULT, 0) == DEFAULT
    monkeypatch.setattr(autoencoder_penalty, "MOST_OFFERS", 50)
    folds = look_back(shop(4000, 40), AT + pd.Timedelta(days=1))
    assert choose_penalty(folds, DEFAULT, 0) == DEFAULT


def test_where_showing_is_logged_lists_of_everything_say_nothing(small_dataset: Dataset) -> None:
    folds = look_back(small_dataset, small_dataset.moment_after())
    assert any(fold.logged for fold in folds)
    logged = [fold for fold in folds if fold.logged]
    assert choose_penalty(logged, DEFAULT, 0) == DEFAULT


def test_who_is_not_learnt_from_has_no_say() -> None:
    dataset = shop(4000, 40)
    at = AT + pd.Timedelta(days=1)
    pairs = frozenset(f"c{n}" for n in range(200, 4000))
    few = choose_penalty(look_back(dataset, at), DEFAULT, 0, suspects=pairs)
    assert few == DEFAULT, "two hundred others are too few to be surely better"


@pytest.mark.parametrize(
    ("gain", "better"), [([0.1, 0.1], True), ([0.3, -0.2], False), ([], False)]
)
def test_one_that_may_be_better_by_chance_is_not(gain: list[float], better: bool) -> None:
    assert autoencoder_penalty._is_better(np.array(gain)) is better
