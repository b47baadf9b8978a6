"""Baselines' scores against what their papers define, worked out another way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares

from data.dataset import Dataset
from data.idmap import IdMap
from evaluation.depth import rivals
from evaluation.depth.rivals import Past, past_of

AT = pd.Timestamp("2025-03-01", tz="UTC")
DAY = pd.Timedelta(days=1)


def past_from(
    events: list[tuple[str, str, str, int]], offers: int, segment: list[int], n_segments: int = 2
) -> Past:
    log = pd.DataFrame(events, columns=["customer_id", "offer_id", "event_type", "days"])
    log["occurred_at"] = AT - log["days"] * DAY
    ids = [f"o{number}" for number in range(offers)]
    dataset = Dataset.of(
        {"interactions": log.drop(columns="days"), "offers": pd.DataFrame({"offer_id": ids})}
    )
    people = IdMap([f"c{number}" for number in range(len(segment))])
    return past_of(dataset, people, AT, np.array(segment), n_segments)


@pytest.fixture
def tiny() -> Past:
    """Three customers, of whom the last did nothing, and three offers."""
    events = [
        ("c0", "o0", "redemption", 0),
        ("c0", "o0", "redemption", 30),
        ("c0", "o1", "click", 10),
        ("c1", "o1", "redemption", 20),
        ("c1", "o2", "impression", 5),
    ]
    return past_from(events, 3, [0, 1, 2])


def everybody(past: Past) -> np.ndarray:
    return np.arange(len(past.people))


def heavy(customers: int = 60, offers: int = 12, seed: int = 0) -> Past:
    random = np.random.default_rng(seed)
    events = [
        (f"c{who}", f"o{int(random.integers(offers) ** 2 / offers)}", kind, int(when))
        for who in range(customers)
        for kind, when in zip(
            random.choice(["redemption", "click"], 6), random.integers(0, 60, 6), strict=True
        )
    ]
    return past_from(events, offers, [0] * customers)


def test_popularity_counts_redemptions_and_a_little_for_clicks(tiny: Past) -> None:
    score = rivals.fit_popularity(tiny, {"click": 0.2}, 0)(everybody(tiny))
    np.testing.assert_allclose(score, np.tile([2.0, 1.2, 0.0], (3, 1)))


def test_recent_popularity_halves_with_the_half_life(tiny: Past) -> None:
    score = rivals.fit_popularity(tiny, {"click": 0.2, "half_life": 10.0}, 0)(np.array([0]))
    np.testing.assert_allclose(score[0], [1 + 0.5**3, 0.2 * 0.5 + 0.5**2, 0.0])


def test_segment_rates_are_shrunk_to_everybodys(tiny: Past) -> None:
    fitted = rivals.fit_segment(tiny, {"shrinkage": 2.0, "half_life": np.inf}, 0)
    whole = np.array([2.0, 1.2, 0.0]) / 3
    first = (np.array([2.0, 0.2, 0.0]) + 2 * whole) / (1 + 2)
    second = (np.array([0.0, 1.0, 0.0]) + 2 * whole) / (1 + 2)
    np.testing.assert_allclose(fitted(everybody(tiny)), [first, second, whole])


def test_personal_frequency_is_of_the_customer_alone(tiny: Past) -> None:
    score = rivals.fit_frequency(tiny, {"click": 0.5, "half_life": 30.0}, 0)(everybody(tiny))
    expected = [[1.5, 0.5 * 0.5 ** (1 / 3), 0], [0, 0.5 ** (2 / 3), 0], [0, 0, 0]]
    np.testing.assert_allclose(score, expected)


@pytest.mark.parametrize(("neighbours", "shrink"), [(12, 0.0), (12, 5.0), (4, 5.0)])
def test_item_neighbours_are_shrunk_cosines(neighbours: int, shrink: float) -> None:
    past = heavy()
    x = past.taken.toarray()
    norm = np.sqrt((x**2).sum(axis=0))
    both = np.outer(norm, norm)
    cosine = np.divide(x.T @ x, both, out=np.zeros_like(both), where=both > 0)
    least = -np.sort(-cosine, axis=1)[:, [neighbours - 1]]
    near = np.where(cosine >= least, cosine * both / (both + shrink + 1e-300), 0.0)
    score = rivals.fit_neighbours(past, {"neighbours": neighbours, "shrink": shrink}, 0)
    np.testing.assert_allclose(score(everybody(past)), x @ near, atol=1e-10)


def test_factors_are_those_of_implicit() -> None:
    past = heavy()
    parameters = {"factors": 4.0, "regularization": 1.0, "alpha": 2.0}
    score = rivals.fit_factors(past, parameters, 3)(everybody(past))
    model = AlternatingLeastSquares(
        factors=4, regularization=1.0, alpha=2.0, iterations=15, random_state=3, num_threads=1
    )
    model.fit(sp.csr_matrix(past.taken, dtype=np.float32), show_progress=False)
    there = past.taken.toarray().any(axis=0)
    theirs = model.user_factors @ model.item_factors.T
    np.testing.assert_allclose(score[:, there], theirs[:, there], atol=1e-5)


def test_the_autoencoder_solves_its_ridge_problem() -> None:
    past = heavy()
    parameters = {"dropout": 0.2, "penalty": 0.5, "exponent": 0.5}
    score = rivals.fit_autoencoder(past, parameters, 0)(everybody(past))
    x = past.taken.toarray()
    there = x.any(axis=0)
    kept = x[:, there]
    weight = np.diag(np.maximum((kept > 0).sum(axis=1), 1) ** -0.5)
    gram = kept.T @ weight @ kept
    left = gram + np.diag(0.25 * np.diag(gram) + 0.5 * np.diag(gram).mean())
    np.testing.assert_allclose(score[:, there], kept @ np.linalg.inv(left) @ gram, atol=1e-8)
    assert (score[:, ~there] == 0).all()


def test_too_many_offers_for_a_square_matrix_are_refused(
    tiny: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rivals, "MOST_DENSE", 1)
    with pytest.raises(ValueError, match="too many"):
        rivals.fit_autoencoder(tiny, {"dropout": 0.2, "penalty": 1.0, "exponent": 0.5}, 0)


@pytest.mark.parametrize(
    ("fit", "parameters"),
    [
        (rivals.fit_neighbours, {"neighbours": 20.0, "shrink": 1.0}),
        (rivals.fit_factors, {"factors": 8.0, "regularization": 1.0, "alpha": 1.0}),
        (rivals.fit_autoencoder, {"dropout": 0.2, "penalty": 1.0, "exponent": 0.5}),
        (rivals.fit_frequency, {"click": 0.2, "half_life": 30.0}),
    ],
)
def test_who_did_nothing_is_scored_zero(
    fit: rivals.Fit, parameters: dict[str, float], tiny: Past
) -> None:
    assert (fit(tiny, parameters, 0)(np.array([2])) == 0).all()
    nothing = past_from([("c0", "o0", "impression", 1)], 2, [0, 1])
    assert (fit(nothing, parameters, 0)(np.array([0, 1])) == 0).all()
    one = past_from([("c0", "o0", "redemption", 1)], 1, [0, 1])
    score = fit(one, parameters, 0)(np.array([0, 1]))
    assert score.shape == (2, 1)
    assert score[0, 0] > score[1, 0]
