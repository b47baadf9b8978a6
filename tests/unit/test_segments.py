"""Segments: planted groups are found, and customers are placed by what is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from data.errors import DataError, UsageError
from segmentation.features import FEATURES
from segmentation.kmeans import Segmentation, segment_customers
from segmentation.profiles import summarise
from segmentation.segments import SegmentModel
from tests.conftest import sparing

CENTRES = {0: (25, 20), 1: (25, 80), 2: (85, 20), 3: (85, 80)}  # income, score
SIZES = (70, 60, 50, 40)


def table_of(**columns: object) -> pd.DataFrame:
    values = pd.DataFrame({name: np.asarray(v, dtype=float) for name, v in columns.items()})
    values.index = pd.Index([f"c{i:04}" for i in range(len(values))], name="customer_id")
    return values.reindex(columns=list(FEATURES))


def blobs(seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = np.repeat(list(CENTRES), SIZES)
    centre = np.array([CENTRES[row] for row in truth], dtype=float)
    found = centre + random.normal(0, 4, centre.shape)
    return table_of(
        age=random.normal(40, 10, len(truth)),
        annual_income=found[:, 0],
        spending_score=found[:, 1],
        number_of_transactions=random.poisson(20, len(truth)) + 1,
        average_transaction_value=random.lognormal(3, 0.3, len(truth)),
        transaction_frequency=random.lognormal(0, 0.3, len(truth)),
    ), truth


def assigned(found: Segmentation, values: pd.DataFrame) -> np.ndarray:
    rows = values.loc[found.labels.index, list(found.model.features)]
    return found.model.assign(rows.to_numpy()).segment


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Fits to tables this small spend most of their time waiting for more threads than one."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def planted() -> tuple[pd.DataFrame, np.ndarray, Segmentation]:
    values, truth = blobs()
    return values, truth, segment_customers(values)


Planted = tuple[pd.DataFrame, np.ndarray, Segmentation]


def test_planted_groups_are_found_with_their_number(planted: Planted) -> None:
    _, truth, found = planted
    assert found.model.n_segments == 4
    assert adjusted_rand_score(truth, found.labels) > 0.98
    assert found.silhouette > 0.3
    best = found.choice["rank"].idxmin()
    assert best == 4
    columns = {"silhouette", "davies_bouldin", "calinski_harabasz", "bootstrap_ari", "rank"}
    assert columns <= set(found.choice.columns)


def test_the_largest_segment_comes_first(planted: Planted) -> None:
    _, _, found = planted
    sizes = found.labels.value_counts().reindex(range(4))
    assert sizes.is_monotonic_decreasing
    assert found.model.shares.tolist() == pytest.approx((sizes / sizes.sum()).tolist())


def test_labels_are_what_serving_assigns(planted: Planted) -> None:
    values, _, found = planted
    assert found.labels.index.equals(values.index)
    np.testing.assert_array_equal(assigned(found, values), found.labels)


def test_names_are_unique_and_shares_sum_to_one(planted: Planted) -> None:
    model = planted[2].model
    assert len(set(model.names)) == model.n_segments == len(model.descriptions)
    assert all(model.names)
    assert all(model.descriptions)
    assert model.shares.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("k", [2, 7, 10])
def test_names_stay_unique_where_segments_are_alike(k: int) -> None:
    random = np.random.default_rng(4)
    found = segment_customers(table_of(age=random.normal(40, 10, 120)), k=k)
    assert found.model.n_segments == k
    assert len(set(found.model.names)) == k
    assert found.model.shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("fewer", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_same_seed_gives_the_same_segments(planted: Planted, fewer: bool) -> None:
    values, _, found = planted
    with sparing() if fewer else nullcontext():
        found = segment_customers(values) if fewer else found
        again = segment_customers(values)
    pd.testing.assert_series_equal(found.labels, again.labels)
    np.testing.assert_array_equal(found.model.centroids, again.model.centroids)
    pd.testing.assert_frame_equal(found.choice, again.choice)
    assert found.model.names == again.model.names


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_clear_segments_do_not_depend_on_the_seed(planted: Planted, seed: int) -> None:
    values, _, found = planted
    other = segment_customers(values, k=4, seed=seed)
    pd.testing.assert_series_equal(found.labels, other.labels)


def test_a_given_k_is_kept_and_needs_no_choice(planted: Planted) -> None:
    found = segment_customers(planted[0], k=3)
    assert found.model.n_segments == 3
    assert found.choice.empty
    assert set(found.labels) == {0, 1, 2}


def test_weights_decide_what_counts(planted: Planted) -> None:
    values, truth, _ = planted
    low_income = np.isin(truth, [0, 1])
    by_income = segment_customers(
        values, features={"annual_income": 1, "spending_score": 0.01}, k=2
    )
    assert adjusted_rand_score(low_income, by_income.labels) > 0.95
    by_score = segment_customers(values, features={"annual_income": 0.01, "spending_score": 1}, k=2)
    assert adjusted_rand_score(np.isin(truth, [0, 2]), by_score.labels) > 0.95
    assert by_score.model.features == ("annual_income", "spending_score")
    assert by_score.model.weight.tolist() == [0.01, 1]


def test_more_segments_than_customers_is_refused() -> None:
    with pytest.raises(DataError, match="3 customers"):
        segment_customers(table_of(age=[20, 30, 40]), k=4)


def test_as_many_segments_as_customers_is_no_crash() -> None:
    try:
        found = segment_customers(table_of(age=[20, 30, 40]), k=3)
    except DataError:
        return
    assert sorted(found.labels) == [0, 1, 2]


def test_an_unknown_feature_is_refused_with_the_known_ones(planted: Planted) -> None:
    with pytest.raises(UsageError, match="shoe_size") as caught:
        segment_customers(planted[0], features={"age": 1, "shoe_size": 1})
    assert "annual_income" in caught.value.remedy


def test_where_nothing_is_known_that_segments_are_made_of_they_say_what_that_is() -> None:
    unknown = pd.DataFrame(np.nan, index=list("abcdef"), columns=list(FEATURES))
    with pytest.raises(DataError, match=r"age, annual_income, spending_score .* or transactions"):
        segment_customers(unknown)


def test_a_wanted_feature_without_values_is_refused(planted: Planted) -> None:
    values = planted[0].assign(age=np.nan)
    with pytest.raises(DataError, match="age"):
        segment_customers(values, features={"age": 1, "annual_income": 1})


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ([33.0] * 40, "same for everybody"),
        ([np.nan] * 40, "no values"),
        ([np.nan] * 30 + list(range(20, 30)), "missing"),
    ],
)
def test_a_column_that_tells_nothing_is_left_out_and_named(column: list[float], why: str) -> None:
    income = np.random.default_rng(0).normal(60, 10, 40)
    found = segment_customers(table_of(age=column, annual_income=income), k=2)
    assert "age" not in found.model.features
    assert any("age" in note and why in note for note in found.notes)


def test_features_left_out_are_named_in_one_line_by_their_reason() -> None:
    values, _ = blobs(1)
    values[["spending_score", "number_of_transactions"]] = np.nan
    found = segment_customers(values.assign(transaction_frequency=1.0), k=2)
    told = [note for note in found.notes if "left out" in note]
    assert told == [
        "Features left out of the segments: spending_score, number_of_transactions (no values); "
        "transaction_frequency (the same for everybody)."
    ]


def test_a_few_missing_values_are_noted_and_stay_placed() -> None:
    values, truth = blobs(1)
    values.iloc[::20, values.columns.get_loc("age")] = np.nan
    found = segment_customers(values, k=4)
    assert len(found.labels) == len(values)
    assert any("missing" in note and "median" in note and "age" in note for note in found.notes)
    assert adjusted_rand_score(truth, found.labels) > 0.95
    np.testing.assert_array_equal(assigned(found, values), found.labels)


def test_missing_values_do_not_part_training_from_serving() -> None:
    values, _ = blobs(2)
    gaps = np.random.default_rng(0).random((len(values), 3)) < 0.2
    values.iloc[:, :3] = values.iloc[:, :3].mask(gaps)
    found = segment_customers(values, k=4)
    np.testing.assert_array_equal(assigned(found, values), found.labels)


def test_customers_of_whom_nothing_is_known_are_left_out_and_counted() -> None:
    values, _ = blobs(1)
    values.iloc[[3, 7]] = np.nan
    found = segment_customers(values, k=4)
    assert len(found.labels) == len(values) - 2
    assert not found.labels.index.isin(values.index[[3, 7]]).any()
    assert any(note.startswith("2 customers") for note in found.notes)


def test_customers_of_whom_nothing_is_known_do_not_hide_what_others_tell() -> None:
    values, _ = blobs(1)
    unknown = pd.DataFrame(np.nan, index=[f"x{n}" for n in range(900)], columns=values.columns)
    found = segment_customers(pd.concat([values, unknown]), k=4).labels
    plain = segment_customers(values, k=4).labels
    pd.testing.assert_series_equal(found, plain, check_names=False)


@pytest.mark.parametrize("n", [1, 2])
def test_customers_who_are_all_alike_form_one_segment(n: int) -> None:
    alike = table_of(age=[30] * n, annual_income=[50] * n, spending_score=[60] * n)
    found = segment_customers(alike)
    assert found.model.n_segments == 1
    assert found.labels.tolist() == [0] * n
    assert np.isnan(found.silhouette)
    assert len(found.model.names) == 1


@pytest.mark.parametrize("n", [2, 5, 9])
def test_a_handful_of_customers_form_one_segment(n: int) -> None:
    found = segment_customers(table_of(age=np.arange(20, 20 + n), annual_income=np.arange(n)))
    assert found.model.n_segments == 1
    assert set(found.labels) == {0}
    placed = found.model.assign(np.array([[25.0, 3.0]]))
    assert placed.confidence.tolist() == [1.0]


def test_many_equal_customers_raise_no_warning() -> None:
    found = segment_customers(table_of(age=[30.0] * 10 + [31.0, 32.0]))
    assert found.model.n_segments in (1, 2)


def test_nothing_known_at_all_is_refused() -> None:
    with pytest.raises(DataError):
        segment_customers(table_of(age=[np.nan] * 5))


def test_missing_values_do_not_take_part_in_the_distance() -> None:
    model = SegmentModel(
        features=("annual_income", "spending_score"),
        logged=np.array([False, False]),
        mean=np.array([50.0, 50.0]),
        scale=np.array([10.0, 10.0]),
        weight=np.array([1.0, 4.0]),
        centroids=np.array([[-1.0, 2.0], [1.0, -2.0], [3.0, 0.0]]),
        names=("a", "b", "c"),
        descriptions=("", "", ""),
        shares=np.array([0.5, 0.3, 0.2]),
    )
    placed = model.assign(np.array([[41.0, np.nan], [np.nan, 41.0], [62.0, np.nan]]))
    assert placed.segment.tolist() == [0, 1, 1]
    # Income only: z = -0.9 stands 0.1 from the first and 1.9 from the second centroid.
    assert placed.confidence[0] == pytest.approx(1.9 / 2.0)
    assert placed.runner_up.tolist() == [1, 2, 2]


def test_nothing_known_is_the_segment_after_the_last(planted: Planted) -> None:
    model = planted[2].model
    nothing = np.full((1, len(model.features)), np.nan)
    placed = model.assign(np.vstack([nothing, planted[0][list(model.features)].to_numpy()[:1]]))
    assert placed.segment[0] == placed.runner_up[0] == model.n_segments
    assert np.isnan(placed.confidence[0])
    assert placed.segment[1] < model.n_segments


def test_one_customer_may_be_given_as_a_plain_row(planted: Planted) -> None:
    values, _, found = planted
    row = values[list(found.model.features)].to_numpy()[5]
    assert found.model.assign(row).segment.tolist() == [found.labels.iloc[5]]


def test_a_centroid_is_placed_in_its_own_segment_with_certainty(planted: Planted) -> None:
    model = planted[2].model
    placed = model.assign(model.raw(model.centroids))
    assert placed.segment.tolist() == [0, 1, 2, 3]
    assert placed.confidence == pytest.approx(np.ones(4), abs=1e-6)


numbers = st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(hnp.arrays(float, (4, 6), elements=numbers | st.just(float("nan"))))
def test_confidence_lies_between_a_half_and_one(values: np.ndarray) -> None:
    model = HAND_MADE
    placed = model.assign(values)
    known = np.isfinite(values).any(axis=1)
    assert np.isnan(placed.confidence[~known]).all()
    assert (placed.segment[~known] == model.n_segments).all()
    assert (placed.segment[known] < model.n_segments).all()
    assert (placed.segment[known] != placed.runner_up[known]).all()
    assert ((placed.confidence[known] >= 0.5) & (placed.confidence[known] <= 1)).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(hnp.arrays(float, (3, 6), elements=st.floats(0, 1e5, allow_nan=False)))
def test_raw_undoes_standardise(values: np.ndarray) -> None:
    back = HAND_MADE.raw(HAND_MADE.standardise(values))
    np.testing.assert_allclose(back, values, rtol=1e-9, atol=1e-7)


def test_standardise_keeps_what_is_missing() -> None:
    row = np.array([[30.0, np.nan, 50.0, np.nan, 20.0, 1.0]])
    np.testing.assert_array_equal(np.isnan(HAND_MADE.standardise(row)), np.isnan(row))


def test_a_summary_tells_size_share_and_means(planted: Planted) -> None:
    values, _, found = planted
    summary = summarise(values, found.labels, found.model.names)
    assert summary["size"].sum() == len(values)
    assert summary["share"].sum() == pytest.approx(1)
    for row in range(4):
        members = values[found.labels == row]
        assert summary["size"][row] == len(members)
        for name in FEATURES:
            assert summary[name][row] == pytest.approx(members[name].mean())


HAND_MADE = SegmentModel(
    features=FEATURES,
    logged=np.array([False, False, False, True, True, True]),
    mean=np.array([40.0, 60.0, 50.0, 3.0, 3.0, 0.8]),
    scale=np.array([10.0, 20.0, 25.0, 0.8, 0.5, 0.3]),
    weight=np.array([0.3, 1.0, 1.0, 0.1, 0.2, 0.2]),
    centroids=np.array(
        [
            [0.0, -1.0, -1.0, 0.0, 0.1, 0.0],
            [0.2, 1.0, 1.0, 0.3, 0.0, 0.1],
            [-0.5, 1.0, -1.0, 0.0, 0.0, -0.2],
        ]
    ),
    names=("one", "two", "three"),
    descriptions=("", "", ""),
    shares=np.array([0.5, 0.3, 0.2]),
)
