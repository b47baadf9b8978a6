"""A stored model has to be what its recipe makes of the data that it is judged by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import DataError
from recommender.bundle import Bundle
from recommender.recipe import Recipe
from recommender.release.gate import judge_release, trainer_of
from recommender.release.gate_checks import SAME, Trainer
from recommender.release.origin import check_origin, likeness, with_later
from recommender.storage.model_folder import version_of
from recommender.training import train

pytestmark = pytest.mark.usefixtures("spared")


def named(bundle: Bundle) -> Bundle:
    return replace(bundle, version=version_of(bundle))


def giving(*bundles: Bundle) -> Trainer:
    """Train nothing: give one bundle after the other, the last one for ever."""
    left = list(bundles)
    return lambda *_: left.pop(0) if len(left) > 1 else left[0]


def mixed_up(dataset: Dataset, column: str) -> Dataset:
    """Hand what interactions say of one id to another, as where a join went wrong."""
    log = dataset.interactions
    names = sorted(log[column].unique())
    other = log[column].map(dict(zip(names, names[::-1], strict=True))).astype(log[column].dtype)
    return replace(dataset, interactions=log.assign(**{column: other}))


@pytest.fixture(scope="module")
def candidate(small_bundle: Bundle) -> Bundle:
    return named(small_bundle)


@pytest.fixture(scope="module")
def fewer(small_dataset: Dataset) -> Dataset:
    """The small world without one interaction in thirty, and without one customer in thirty."""
    log, gone = small_dataset.interactions, small_dataset.customers["customer_id"][::30]
    log = log[np.arange(len(log)) % 30 > 0]
    lines, answers = small_dataset.transactions, small_dataset.survey_answers
    return replace(
        small_dataset,
        customers=small_dataset.customers[~small_dataset.customers["customer_id"].isin(gone)],
        interactions=log[~log["customer_id"].isin(gone)],
        transactions=lines[~lines["customer_id"].isin(gone)],
        survey_answers=answers[~answers["customer_id"].isin(gone)],
    )


@pytest.mark.slow
def test_the_same_version_is_told_whatever_it_was_trained_with(
    small_dataset: Dataset, small_bundle: Bundle
) -> None:
    segments = small_bundle.segments
    assert segments is not None
    # Former segments in another order, of names of their own; one of them is not continued.
    names = tuple(f"Group {number}" for number in range(segments.n_segments))
    former = replace(segments, centroids=segments.centroids[::-1].copy(), names=names)
    recipe = Recipe(factors=16, learn_from_suspects=True)
    made = named(train(small_dataset, seed=4, previous=former, recipe=recipe))
    assert made.segments is not None
    assert set(made.segments.names) & set(names)
    found = check_origin(small_dataset, made, trainer_of(made, made.segments))
    assert (found.name, found.passed) == (SAME, True)
    assert found.told == f"trained again: the same {made.version}"


@pytest.mark.slow
def test_data_that_changed_a_little_is_no_other_data(fewer: Dataset, candidate: Bundle) -> None:
    found = check_origin(fewer, candidate, giving(named(train(fewer, at=candidate.moment))))
    assert found.passed is True, found.told
    assert "as the data changed since" in found.told
    assert found.figures["list_correlation"] < 1


@pytest.mark.parametrize(
    "column", ["offer_id", pytest.param("customer_id", marks=pytest.mark.slow)]
)
def test_a_model_of_other_data_is_refused(
    column: str, small_dataset: Dataset, candidate: Bundle
) -> None:
    other = train(mixed_up(small_dataset, column), at=candidate.moment)
    found = check_origin(small_dataset, named(other), giving(candidate))
    assert found.passed is False, found.told
    assert "does not come from this data" in found.told


def test_what_the_data_does_not_know_or_cannot_train_is_of_other_data(
    small_dataset: Dataset, candidate: Bundle
) -> None:
    def cannot(*_: object) -> Bundle:
        raise DataError("No customer is known.")

    strangers = replace(candidate.customers, ids=np.char.add("x", candidate.customers.ids))
    few = candidate.customers.take(np.arange(40))
    silent = replace(candidate, recommender=None)
    for trainer in (
        cannot,
        giving(replace(candidate, customers=strangers)),
        giving(replace(candidate, customers=few)),
        giving(silent),
    ):
        found = check_origin(small_dataset, candidate, trainer)
        assert found.passed is False
        assert "does not come from this data" in found.told
    found = check_origin(small_dataset, named(silent), giving(candidate))
    assert "this one recommends nothing" in found.told
    quiet = replace(silent, seed=9)
    assert check_origin(small_dataset, named(silent), giving(quiet)).passed is None


def test_a_recipe_that_reads_the_future_or_varies_is_refused(
    small_dataset: Dataset, candidate: Bundle
) -> None:
    def counting(dataset: Dataset, at: pd.Timestamp, seed: int) -> Bundle:
        later = dataset.interactions["occurred_at"] >= at
        return replace(candidate, seed=int(later.sum()))

    found = check_origin(small_dataset, named(replace(candidate, seed=0)), counting)
    assert (found.passed, "after its moment" in found.told) == (False, True)
    varying = giving(*(replace(candidate, seed=seed) for seed in (7, 8, 9)))
    found = check_origin(small_dataset, candidate, varying)
    assert (found.passed, "the same data and seed gave" in found.told) == (False, True)


def test_what_is_made_up_comes_after_the_moment(small_dataset: Dataset) -> None:
    at = small_dataset.moment_after()
    later = with_later(small_dataset, at)
    assert len(later.interactions) > len(small_dataset.interactions)
    assert len(later.transactions) > len(small_dataset.transactions)
    assert later.before(at).fingerprint == small_dataset.fingerprint
    nothing = replace(small_dataset, interactions=small_dataset.interactions[:0])
    assert with_later(nothing, at).interactions.empty


def test_likeness_ends_where_nothing_is_personal(candidate: Bundle) -> None:
    assert candidate.recommender is not None
    same = likeness(candidate, candidate)
    assert (same.common, same.lists, same.personal) == pytest.approx((1, 1, 1))
    hybrid = candidate.recommender.hybrid
    plain = replace(hybrid, weight=np.zeros_like(hybrid.weight))
    flat = replace(candidate, recommender=replace(candidate.recommender, hybrid=plain))
    found = likeness(flat, flat)
    assert (found.lists, found.personal) == pytest.approx((1, 1))
    assert likeness(flat, candidate).lists < 0.6


def test_the_gate_refuses_a_stored_model_of_other_data(
    small_dataset: Dataset, candidate: Bundle
) -> None:
    """Also where time gives no cut, so that nothing else can be asked."""
    few = replace(small_dataset, interactions=small_dataset.interactions[:0])
    silent = replace(candidate, recommender=None)
    verdict = judge_release(few, candidate, None, trainer=giving(silent))
    assert [one.passed for one in verdict.checks] == [None, None, False, None]
    assert "does not come from this data" in verdict.reasons[0]
