"""The segmenter keeps scikit-learn's own rules, and its labels an order."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from segmentation import choice
from segmentation.segmenter import CustomerSegmenter
from tests.conftest import FEWER, sparing


def expected_to_fail(_: CustomerSegmenter) -> dict[str, str]:
    reason = "the number of segments is chosen on the rows there are; weights move the centroids"
    return {"check_sample_weight_equivalence_on_dense_data": reason}


@parametrize_with_checks([CustomerSegmenter(3)])
def test_scikit_learns_own_checks(estimator: CustomerSegmenter, check: object) -> None:
    check(estimator)  # type: ignore[operator]


@pytest.mark.slow
@parametrize_with_checks([CustomerSegmenter()], expected_failed_checks=expected_to_fail)
def test_scikit_learns_own_checks_where_the_number_is_chosen(
    estimator: CustomerSegmenter, check: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How well the number is chosen is judged elsewhere.
    for name, fewer in FEWER.items():
        monkeypatch.setattr(choice, name, fewer)
    check(estimator)  # type: ignore[operator]


def blobs(sizes: tuple[int, ...] = (60, 40, 25), seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = np.array([(20.0, 10.0), (60.0, 80.0), (110.0, 20.0), (150.0, 90.0)])
    truth = np.repeat(np.arange(len(sizes)), sizes)
    x = centres[truth] + random.normal(0, 4, (len(truth), 2))
    return pd.DataFrame(x, columns=["income", "score"]), truth


@pytest.mark.parametrize("fewer", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_number_of_segments_is_found_and_the_largest_is_number_zero(fewer: bool) -> None:
    x, truth = blobs()
    with sparing() if fewer else nullcontext():
        found = CustomerSegmenter().fit(x)
    assert found.n_segments_ == 3
    np.testing.assert_array_equal(found.labels_, truth)
    np.testing.assert_array_equal(found.predict(x), truth)
    assert found.choice_["rank"].idxmin() == 3


def test_labels_do_not_depend_on_the_order_of_rows() -> None:
    x, _ = blobs()
    found = CustomerSegmenter(3).fit(x)
    mixed = x.sample(frac=1, random_state=1)
    np.testing.assert_array_equal(CustomerSegmenter(3).fit(mixed).predict(x), found.labels_)


def test_centroids_are_in_the_units_of_the_features() -> None:
    x, truth = blobs()
    found = CustomerSegmenter(3, logged=("income",)).fit(x)
    np.testing.assert_allclose(found.cluster_centers_[0], x[truth == 0].mean(), rtol=0.03)


def test_what_is_missing_is_imputed_in_the_fit_and_left_out_after_it() -> None:
    x, _ = blobs()
    x.iloc[[0, 70], 0] = np.nan
    found = CustomerSegmenter(3).fit(x)
    assert found.imputed_.tolist() == [2, 0]
    assert found.predict(pd.DataFrame({"income": [np.nan], "score": [80.0]})).tolist() == [1]
    nothing = pd.DataFrame({"income": [np.nan], "score": [np.nan]})
    assert found.predict(nothing).tolist() == [3]
    assert np.isnan(found.assign(nothing).confidence).all()


def test_weights_say_what_counts() -> None:
    random = np.random.default_rng(0)
    x = pd.DataFrame({"a": np.repeat([0.0, 10.0], 40), "b": random.normal(0, 1, 80)})
    x["a"] += random.normal(0, 1, 80)
    found = CustomerSegmenter(2, weights={"a": 1.0, "b": 1e-6}).fit(x)
    assert set(found.labels_[:40]) != set(found.labels_[40:])
    assert CustomerSegmenter(2, weights=[1e-6, 1.0]).fit(x).labels_[:40].std() > 0
    with pytest.raises(ValueError, match="above 0"):
        CustomerSegmenter(2, weights=[1.0, 0.0]).fit(x)


def test_a_sample_weight_moves_the_centroids() -> None:
    x, _ = blobs()
    weight = np.where(x["income"] > x["income"].median(), 5.0, 1.0)
    moved = CustomerSegmenter(3).fit(x, sample_weight=weight)
    assert (moved.cluster_centers_[:, 0] > CustomerSegmenter(3).fit(x).cluster_centers_[:, 0]).any()


def test_it_works_in_a_pipeline_and_returns_frames_when_asked() -> None:
    x, truth = blobs()
    line = make_pipeline(FunctionTransformer(np.sqrt), CustomerSegmenter(3))
    line.set_output(transform="pandas")
    distances = line.fit_transform(x)
    assert list(distances.columns) == ["distance_to_0", "distance_to_1", "distance_to_2"]
    np.testing.assert_array_equal(distances.to_numpy().argmin(axis=1), truth)


@pytest.mark.slow
def test_small_segments_are_found_by_density() -> None:
    random = np.random.default_rng(3)
    sizes = (1000, 600, 300, 80, 20)
    centres = np.array([(0, 0), (6, 0), (3, 5.2), (-6, 0), (9, 5.2)])
    truth = np.repeat(np.arange(5), sizes)
    x = centres[truth] + random.normal(size=(2000, 2))
    plain, dense, asked = (CustomerSegmenter(5, density=d).fit(x) for d in (False, True, "auto"))

    def best_jaccard(labels: np.ndarray) -> float:
        small = truth == 4
        return max((small & (labels == k)).sum() / (small | (labels == k)).sum() for k in range(5))

    assert best_jaccard(plain.labels_) < 0.3
    assert best_jaccard(dense.labels_) > 0.8
    np.testing.assert_array_equal(asked.labels_, dense.labels_)
    assert plain.row_weight_ is None
    even, _ = blobs()
    assert CustomerSegmenter(3, density="auto").fit(even).row_weight_ is None


def test_too_few_customers_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot form 3"):
        CustomerSegmenter(3).fit([[1.0], [1.0], [2.0]])
    with pytest.raises(ValueError, match="'b' has no values"):
        CustomerSegmenter(2).fit(pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, np.nan]}))
    with pytest.raises(ValueError, match="infinity"):
        CustomerSegmenter(2).fit([[1.0], [np.inf], [2.0]])
