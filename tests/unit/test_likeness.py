"""What choices say of attributes: lifts that are held to zero, and add up over what is alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from data.dataset import Dataset
from recommender.base import Source
from recommender.explanation import Explainer
from recommender.facts import Facts
from recommender.features.likeness import PRIOR_SPREAD, fit_likeness
from recommender.service import Service
from recommender.serving.lists import Listed
from recommender.training import train

OFFERS, COLUMNS = 60, 5


def world(seed: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """Return attributes of offers and how often each is taken."""
    random = np.random.default_rng(seed)
    attributes = sp.csr_matrix((random.random((OFFERS, COLUMNS)) < 0.4).astype(float))
    return attributes, random.gamma(1.0, 20.0, OFFERS)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_lifts_are_one_step_of_a_poisson_regression(seed: int) -> None:
    attributes, taken = world(seed)
    random = np.random.default_rng(seed)
    history = (random.random((3, OFFERS)) < 0.2).astype(float)
    likeness = fit_likeness(attributes, taken)
    points = likeness.points(attributes)
    found = likeness.lifts(sp.csr_matrix(history), points) @ points.T
    x = attributes.toarray()
    stated = x.any(axis=1)
    share = taken * stated / (taken @ stated)
    away = (x - share @ x) * stated[:, None]
    for own, scores in zip(history, found, strict=True):
        gram = own.sum() * (away.T @ (share[:, None] * away)) + np.eye(COLUMNS) / PRIOR_SPREAD**2
        np.testing.assert_allclose(scores, away @ np.linalg.solve(gram, away.T @ own), atol=1e-8)


def test_who_takes_one_kind_is_told_of_that_kind() -> None:
    kind = np.arange(OFFERS) % 2
    attributes = sp.csr_matrix(np.eye(2)[kind])
    likeness = fit_likeness(attributes, np.ones(OFFERS))
    points = likeness.points(attributes)
    history = np.zeros((2, OFFERS))
    history[0, np.flatnonzero(kind == 0)[:5]] = 1
    history[1, np.flatnonzero(kind == 0)[:20]] = 1
    few, many = likeness.lifts(sp.csr_matrix(history), points) @ points.T
    assert few[0] > 0 > few[1]
    assert many[0] > few[0]  # more choices, surer


def test_choices_as_everybody_makes_them_say_nothing() -> None:
    attributes, taken = world(3)
    likeness = fit_likeness(attributes, taken)
    lifts = likeness.lifts(sp.csr_matrix(taken[None]), likeness.points(attributes))
    stated = np.diff(attributes.indptr) > 0
    if stated.all():
        np.testing.assert_allclose(lifts, 0, atol=1e-9)


def test_nothing_to_go_by_has_no_axes() -> None:
    attributes, taken = world(0)
    assert len(fit_likeness(attributes, np.zeros(OFFERS)).spread) == 0
    bare = sp.csr_matrix((OFFERS, 0))
    likeness = fit_likeness(bare, taken)
    assert likeness.points(bare).shape == (OFFERS, 0)
    same = sp.csr_matrix(np.ones((OFFERS, 1)))
    assert not fit_likeness(same, taken).points(same).any()


def test_it_is_said_which_attribute_somebody_takes_more_than_others() -> None:
    taken = [
        (f"c{person:02d}", f"o{(4 * (person % 2) + step + person // 2) % 4 + 4 * (person % 2)}")
        for person in range(40)
        for step in range(2)
    ]
    log = pd.DataFrame(taken, columns=["customer_id", "offer_id"])
    start = pd.Timestamp("2025-01-01", tz="UTC")
    dataset = Dataset.of(
        {
            "offers": pd.DataFrame(
                {
                    "offer_id": [f"o{row}" for row in range(8)],
                    "kind": "film",
                    "tags": ["sea"] * 4 + ["land"] * 4,
                }
            ),
            "interactions": log.assign(
                event_type="redemption",
                occurred_at=start + pd.to_timedelta(np.arange(len(log)), unit="h"),
            ),
        }
    )
    bundle = train(dataset)
    service = Service(bundle)
    rows = service.recommender.encoders.offer_rows
    listed = [
        Listed(rows[name], 1.0, str(Source.CONTENT), {Source.CONTENT: 1.0}) for name in ("o3", "o7")
    ]
    query = service.query("c00", Facts(), bundle.moment)  # took offers of the sea
    said = Explainer(bundle.offers, service.recommender).reasons(query, listed)
    assert said == [
        ["You take such offers more often than others do: sea (tag)."],
        ["Like offers you chose before."],
    ]
