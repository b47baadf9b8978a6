"""Messages with a single offer each: who gets one has nothing to choose from, and yet it tells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from data.dataset import Dataset
from recommender.bundle import Bundle
from recommender.training import train

pytestmark = pytest.mark.usefixtures("spared")
START = pd.Timestamp("2026-01-05", tz="UTC")
CHANCE = np.array([0.04, 0.1, 0.2, 0.3, 0.45, 0.6])  # of each offer
SILENT = -1.5  # log-odds that those who state no age answer less by
N, WAVES = 3000, 6


def truth(stated: np.ndarray) -> np.ndarray:
    """Return the chance that each customer redeems each offer if it is sent: shape (n, offers)."""
    return np.asarray(expit(logit(CHANCE) + SILENT * ~stated[:, None]))


@pytest.fixture(scope="module")
def stated() -> np.ndarray:
    return np.random.default_rng(1).random(N) < 0.75


@pytest.fixture(scope="module")
def bundle(stated: np.ndarray) -> Bundle:
    random = np.random.default_rng(0)
    ids = np.array([f"c{row:04}" for row in range(N)])
    age = np.where(stated, random.integers(18, 80, N), np.nan)
    log = []
    for wave in range(WAVES):
        sent = random.integers(0, len(CHANCE), N)
        there = random.random(N) < 0.8
        moment = START + pd.Timedelta(weeks=wave)
        answers = random.random(N) < truth(stated)[np.arange(N), sent]
        delay = pd.to_timedelta(random.exponential(40.0, N), "h")
        for event, who, when in (
            ("impression", there, [moment] * N),
            ("redemption", there & answers, moment + delay),
        ):
            rows = {"customer_id": ids, "offer_id": [f"o{n}" for n in sent], "occurred_at": when}
            log.append(pd.DataFrame({**rows, "event_type": event})[who])
    at = START + pd.Timedelta(weeks=WAVES) - pd.Timedelta(days=4)
    interactions = pd.concat(log, ignore_index=True)
    return train(
        Dataset.of(
            {
                "customers": pd.DataFrame({"customer_id": ids, "age": age}),
                "offers": pd.DataFrame(
                    {"offer_id": [f"o{n}" for n in range(len(CHANCE))], "repeatable": True}
                ),
                "interactions": interactions[interactions["occurred_at"] < at],
            }
        ),
        at=at,
    )


@pytest.fixture(scope="module")
def score(bundle: Bundle) -> np.ndarray:
    assert bundle.recommender is not None
    assert bundle.customers.query is not None
    assert bundle.recommender.hybrid.calibrated
    return bundle.recommender.blend(bundle.customers.query).score


def test_lists_begin_with_what_is_redeemed_most_if_sent(
    score: np.ndarray, stated: np.ndarray
) -> None:
    chance = truth(stated)
    reached = chance[np.arange(N), score.argmax(axis=1)].mean()
    assert reached >= 0.97 * chance.max(axis=1).mean()


def test_probabilities_are_true_of_those_who_state_no_profile_as_well(
    score: np.ndarray, stated: np.ndarray
) -> None:
    told, chance = expit(score), truth(stated)
    for group in (stated, ~stated):
        assert told[group].mean() == pytest.approx(chance[group].mean(), rel=0.15)


def test_impressions_of_late_do_not_make_offers_look_worse(
    score: np.ndarray, stated: np.ndarray
) -> None:
    told, chance = expit(score).mean(axis=0), truth(stated).mean(axis=0)
    np.testing.assert_allclose(told[2:], chance[2:], rtol=0.25)
