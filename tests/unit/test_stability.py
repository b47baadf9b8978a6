"""Stability says what comes back, and the gate what is structure and what is noise."""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.choice import choose_k, fit_kmeans
from segmentation.density import density_weight
from segmentation.stability import (
    CONSTRUCTIVE,
    NATURAL,
    NONE,
    REPRODUCIBLE,
    Structure,
    find_structure,
    measure_stability,
    verdict,
)


def groups(n: int = 60, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = np.array([(0, 0), (6, 0), (3, 6)])
    return centres[np.repeat(np.arange(3), n // 3)] + random.normal(0, 0.5, (n, 2))


def test_groups_that_are_apart_come_back() -> None:
    z = groups()
    labels, _ = fit_kmeans(z, 3, 0)
    found = measure_stability(z, labels, 3)
    assert (found.jaccard > 0.99).all()
    assert found.verdicts == ("highly stable",) * 3
    assert found.holdout_ari == pytest.approx(1)
    assert found.holdout_silhouette > 0.7


@pytest.mark.slow
def test_a_cut_through_noise_does_not_come_back() -> None:
    z = np.random.default_rng(1).normal(size=(120, 4))
    labels, _ = fit_kmeans(z, 6, 0)
    found = measure_stability(z, labels, 6)
    assert "not to be trusted" in found.verdicts
    assert found.holdout_ari < 0.8


def test_a_single_segment_is_trivially_stable() -> None:
    found = measure_stability(groups(), np.zeros(60, dtype=int), 1)
    assert found.jaccard.tolist() == [1]
    assert np.isnan(found.holdout_ari)


@pytest.mark.slow
def test_structure_is_found_where_there_is_some() -> None:
    found = find_structure(groups(90))
    assert found.found
    assert found.exceeded == {"uniform": (0, 39), "gaussian": (0, 39)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uniform", "normal"])
def test_noise_is_not_called_structure(name: str) -> None:
    found = 0
    for seed in range(12):
        random = np.random.default_rng(seed)
        z = getattr(random, name)(size=(100, 2))
        found += find_structure(z, seed).found
    assert found <= 2


def test_heavy_tails_do_not_make_a_continuum_a_structure() -> None:
    random = np.random.default_rng(2)
    z = np.column_stack([random.uniform(-2, 2, 200), 0.2 * random.standard_t(3, 200)])
    assert not find_structure(z).found


def test_too_few_different_rows_have_no_structure() -> None:
    assert not find_structure(np.zeros((30, 2))).found


@pytest.mark.parametrize(
    ("found", "ari", "k", "expected"),
    [
        (True, 0.9, 5, NATURAL),
        (False, 0.9, 5, REPRODUCIBLE),
        (False, 0.7, 5, CONSTRUCTIVE),
        (False, 0.3, 5, NONE),
        (True, 1.0, 1, NONE),
    ],
)
def test_the_verdict_follows_structure_and_agreement(
    found: bool, ari: float, k: int, expected: str
) -> None:
    assert verdict(Structure(0.5, {}, found), ari, k) == expected


def test_sparse_places_weigh_more() -> None:
    random = np.random.default_rng(0)
    z = np.concatenate([random.normal(0, 0.1, (200, 2)), random.normal(5, 1, (40, 2))])
    weight = density_weight(z)
    assert weight.mean() == pytest.approx(1)
    assert weight[200:].mean() > 20 * weight[:200].mean()
    assert density_weight(z[:5]).tolist() == [1.0] * 5
    assert density_weight(np.zeros((40, 2))).tolist() == [1.0] * 40


@pytest.mark.slow
def test_the_choice_shows_every_index() -> None:
    table = choose_k(groups(90))
    assert table.index.tolist() == list(range(2, 11))
    assert table["rank"].idxmin() == 3
    assert table["inertia"].is_monotonic_decreasing
    assert table.loc[3, "prediction_strength"] == pytest.approx(1)
    assert table.loc[3, "bootstrap_ari"] == pytest.approx(1)
