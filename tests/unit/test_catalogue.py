"""Beyond accuracy: every measure against a case worked out by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import Dataset
from evaluation.depth.assortment import calibration, gini, spread_within
from evaluation.depth.catalogue import Beyond, measure_catalogue
from evaluation.significance import Estimate
from evaluation.splitting import Split

AT = pd.Timestamp("2025-03-01", tz="UTC")


def case(offers: dict[str, list[object]], lists: list[tuple[str, int, str]]) -> Beyond:
    """Let a and b be evaluated; a took x (food), c and d took x, c took y; four customers."""
    took = [("a", "x"), ("c", "x"), ("d", "x"), ("c", "y"), ("c", "y")]
    log = pd.DataFrame(took, columns=["customer_id", "offer_id"])
    log = log.assign(event_type="redemption", occurred_at=AT - pd.Timedelta(days=1))
    seen = log.tail(1).assign(event_type="impression", customer_id="b")
    train = Dataset.of(
        {
            "interactions": pd.concat([log, seen]),
            "offers": pd.DataFrame({"offer_id": ["x", "y", "z", "w"], **offers}),
            "customers": pd.DataFrame({"customer_id": list("abcd")}),
        }
    )
    truth = pd.DataFrame({"customer_id": ["a", "b"], "offer_id": "x"})
    split = Split(train, AT, AT, frozenset("xyz"), truth, "redemption", frozenset())
    made = pd.DataFrame(lists, columns=["customer_id", "rank", "offer_id"])
    return measure_catalogue(split, {"policy": made})["policy"]


CATEGORIES: dict[str, list[object]] = {"category": ["food", "food", "fuel", "food"]}


def test_all_measures_of_a_small_case() -> None:
    lists = [("a", 1, "x"), ("a", 2, "z"), ("b", 1, "x"), ("b", 2, "y"), ("b", 11, "z")]
    found = case(CATEGORIES, lists)
    assert found.coverage == 1.0
    assert found.gini == pytest.approx(1 / 6)  # x twice, y and z once
    bits = {"x": -np.log2(4 / 5), "y": -np.log2(2 / 5), "z": -np.log2(1 / 5)}
    novelty = ((bits["x"] + bits["z"]) / 2 + (bits["x"] + bits["y"]) / 2) / 2
    assert (found.novelty.value, found.novelty.n) == (pytest.approx(novelty), 2)
    assert isinstance(found.diversity, Estimate)
    assert found.diversity.value == pytest.approx(0.5)  # a lists unlike offers, b alike ones
    # Three of four took x, one y, nobody z: a lists 3/8 on average and took 3/4.
    assert (found.lift.value, found.lift.n) == (pytest.approx(-0.5), 1)
    assert found.lift_candidates.value == pytest.approx((3 / 8 + 1 / 2) / 2 / (1 / 3) - 1)
    assert isinstance(found.calibration, Estimate)
    assert found.calibration.value == pytest.approx(np.log(1 / (0.99 * 0.5 + 0.01)))
    assert found.calibration.n == 1


def test_without_lists_attributes_or_categories_nothing_is_made_up() -> None:
    found = case({}, [("a", 1, "x")])
    assert found.diversity == "not measured: offers have no attributes"
    assert found.calibration == "not measured: offers have no categories"
    assert found.coverage == pytest.approx(1 / 3)
    assert found.novelty.n == 1
    nobody = case(CATEGORIES, [])
    assert nobody.coverage == 0
    assert np.isnan(nobody.gini)
    for one in (nobody.novelty, nobody.diversity, nobody.lift, nobody.calibration):
        assert isinstance(one, Estimate)
        assert one.n == 0
        assert np.isnan(one.value)
    single = case(CATEGORIES, [("a", 1, "x"), ("b", 1, "y")])
    assert isinstance(single.diversity, Estimate)
    assert single.diversity.n == 0


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([5, 5, 5, 5], 0.0), ([0, 0, 0, 8], 0.75), ([1, 3], 0.25), ([7], 0.0)],
)
def test_gini_by_hand(counts: list[int], expected: float) -> None:
    assert gini(np.array(counts)) == pytest.approx(expected)


def test_gini_of_nothing_is_not_a_number() -> None:
    assert np.isnan(gini(np.zeros(3)))
    assert np.isnan(gini(np.empty(0)))


@given(st.integers(0, 1000))
def test_diversity_equals_the_mean_over_pairs(seed: int) -> None:
    random = np.random.default_rng(seed)
    attributes = random.random((7, 4)) * (random.random((7, 4)) < 0.6)
    attributes /= np.maximum(np.linalg.norm(attributes, axis=1, keepdims=True), 1e-12)
    listed = (random.random((5, 7)) < 0.5).astype(np.float64)
    value, there = spread_within(sp.csr_matrix(listed), sp.csr_matrix(attributes))
    for row in range(5):
        pairs = list(combinations(np.flatnonzero(listed[row]), 2))
        assert there[row] == bool(pairs)
        if pairs:
            expected = np.mean([1 - attributes[i] @ attributes[j] for i, j in pairs])
            assert value[row] == pytest.approx(expected)


def test_calibration_is_steckss_divergence() -> None:
    category = sp.csr_matrix(np.eye(3))
    history = sp.csr_matrix(np.array([[7.0, 3.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))
    listed = sp.csr_matrix(np.array([[1.0, 1.0, 2.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))
    value, there = calibration(listed, history, category)
    p, q = np.array([0.7, 0.3]), np.array([0.25, 0.25])
    expected = (p * np.log(p / (0.99 * q + 0.01 * p))).sum()
    np.testing.assert_allclose(value[:2], [expected, 0.0], atol=1e-12)
    assert there.tolist() == [True, True, False]
