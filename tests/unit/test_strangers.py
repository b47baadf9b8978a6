"""Strangers are everybody: what is foretold of them agrees with the rates of what was shown."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import expit, logit

from data.dataset import Dataset
from data.schema import IMPRESSION, REDEMPTION
from recommender.base import Query, stack
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.features.corners import corner_shares, stranger_of
from recommender.features.habits import EVENTS
from recommender.hybrid import Hybrid
from recommender.learning.calibration import Trials, fit_calibration
from recommender.past import random_folds
from recommender.past.random_folds import PARTS
from recommender.service import Service
from recommender.training import train

pytestmark = pytest.mark.usefixtures("spared")

PEOPLE, RATES = 1000, np.array([0.5, 0.25, 0.12, 0.06, 0.04])
DAY = pd.Timestamp("2024-05-01", tz="UTC")


def shown_to(bundle: Bundle, shown: int) -> Query:
    """Tell of somebody of whom nothing is known but that so much was shown in vain."""
    query = Service(bundle).query("Ada", Facts(profile={"age": 40.0}), bundle.moment)
    responses = sp.csr_matrix(np.array([[shown, 0.0, 0.0]]))
    assert responses.shape[1] == len(EVENTS)
    return replace(query, responses=responses)


@cache
def shown_once(logged: bool = True) -> Bundle:
    """Train on a few offers, each shown once to everybody; who takes one takes others like it.

    Who took none of these passes over the rarer ones, which one appetite moves, more than others do
    and takes the first, which it does not move, as often.
    """
    random = np.random.default_rng(1)
    age = random.integers(20, 70, PEOPLE).astype(float)
    appetite = random.normal(size=PEOPLE)[:, None] * [0.0, 0.0, 0.8, 1.2, 1.2]
    chance = expit(logit(RATES) + appetite - 0.3 * appetite.var(axis=0))
    chance[:, 1] = expit(logit(RATES[1]) + (age - 45) / 30)
    person, offer = np.indices(chance.shape).reshape(2, -1)
    shown = pd.DataFrame(
        {
            "customer_id": [f"c{row}" for row in person],
            "offer_id": [f"o{column}" for column in offer],
            "event_type": IMPRESSION,
            "occurred_at": DAY,
        }
    )
    hit = (random.random(chance.shape) < chance).ravel()
    taken = shown[hit].assign(event_type=REDEMPTION, occurred_at=DAY + pd.Timedelta(days=1))
    tables = {
        "customers": pd.DataFrame({"customer_id": [f"c{n}" for n in range(PEOPLE)], "age": age}),
        "offers": pd.DataFrame({"offer_id": [f"o{n}" for n in range(len(RATES))]}),
        "interactions": pd.concat([shown, taken]) if logged else taken,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random_folds, "PARTS", PARTS)  # what strangers do is judged by all of them
        return train(Dataset.of(tables))


def test_what_is_foretold_of_strangers_agrees_with_the_rate_of_each_offer() -> None:
    bundle = shown_once()
    assert bundle.recommender is not None
    model, service = bundle.recommender, Service(bundle)
    ages = np.random.default_rng(2).integers(20, 70, 400).tolist()
    facts = [Facts(profile={"age": float(age)}) for age in ages]
    query = stack([service.query(f"s{n}", fact, bundle.moment) for n, fact in enumerate(facts)])
    rate = expit(model.popularity.level)

    def error(hybrid: Hybrid) -> float:
        told = expit(replace(model, hybrid=hybrid).blend(query).score).mean(axis=0)
        return float(np.abs(np.log(told / rate)).mean())

    assert model.hybrid.stranger < 1.0
    start = replace(model.hybrid.start, stranger=0.0)
    assert error(model.hybrid) < 0.1
    assert error(model.hybrid) < 0.7 * error(replace(model.hybrid, stranger=1.0, start=start))


def test_contributions_to_strangers_add_up_and_their_order_is_that_of_the_weights() -> None:
    model = shown_once().recommender
    assert model is not None
    query = stack([shown_to(shown_once(), shown) for shown in (0, 3, 30)])
    blend = model.blend(query)
    np.testing.assert_allclose(
        blend.contributions.sum(axis=0) + blend.intercept[:, None], blend.score, atol=1e-12
    )
    alike = replace(model, hybrid=replace(model.hybrid, stranger=1.0)).blend(query)
    np.testing.assert_array_equal(blend.score[0].argsort(), alike.score[0].argsort())
    # Who passed a lot over is judged as before.
    np.testing.assert_allclose(blend.score[2], alike.score[2], atol=1e-6)


def test_with_every_showing_a_customer_is_less_of_a_stranger_without_a_step() -> None:
    bundle = shown_once()
    steps = [stranger_of(shown_to(bundle, shown))[0] for shown in range(12)]
    assert steps[0] == 1.0
    assert steps[1] == pytest.approx(0.5)
    assert all(after < before for before, after in pairwise(steps))
    met = bundle.customers.query
    assert met is not None
    assert (stranger_of(met) <= corner_shares(met)[:, 0]).all()


@pytest.mark.slow
def test_where_showing_is_not_logged_strangers_are_as_the_weights_say() -> None:
    model = shown_once(logged=False).recommender
    assert model is not None
    assert (model.hybrid.stranger, model.hybrid.start.stranger) == (1.0, 0.0)
    query = shown_to(shown_once(logged=False), 0)
    weight = model.hybrid.weight @ corner_shares(query).T
    np.testing.assert_array_equal(model.hybrid.shares(query), weight)


def trials_of(slope: float, level: float, seed: int, stranger: float) -> Trials:
    random = np.random.default_rng(seed)
    score = random.normal(-1.5, 1.0, 8000)
    taken = (random.random(len(score)) < expit(slope * score + level)).astype(float)
    none, own = np.empty((len(score), 0)), np.arange(len(score))
    return Trials(score, np.ones(len(score)), taken, none, own, stranger)


def test_strangers_have_a_slope_of_their_own_and_nobody_else_is_moved_by_it() -> None:
    real, masked = trials_of(1.2, 0.0, 0, 0.3), trials_of(0.9, 0.4, 1, 1.0)
    alone, found = fit_calibration([real]), fit_calibration([real], [masked])
    assert (found.slope, found.intercept) == (alone.slope, alone.intercept)
    assert found.slope * found.stranger == pytest.approx(0.9, abs=0.08)
    assert found.intercept + found.of_strangers == pytest.approx(0.4, abs=0.12)
    assert (alone.stranger, alone.of_strangers) == (1.0, 0.0)


def test_strangers_whose_scores_tell_nothing_true_keep_the_slope_of_all() -> None:
    real, masked = trials_of(1.2, 0.0, 0, 0.3), trials_of(-1.0, 0.0, 1, 1.0)
    found = fit_calibration([real], [masked])
    assert (found.stranger, found.of_strangers) == (1.0, 0.0)


def test_without_a_stranger_among_them_nothing_is_told_of_strangers() -> None:
    found = fit_calibration([trials_of(1.2, 0.0, 0, 0.3)], [trials_of(0.9, 0.4, 1, 0.5)])
    assert (found.stranger, found.of_strangers) == (1.0, 0.0)
