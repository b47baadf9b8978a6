"""The fold-in of a history is the answer that implicit itself gives."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recommender.base import Query
from recommender.collaborative import CollaborativeScorer
from recommender.factors import fit_factors


def query_of(history: sp.csr_matrix) -> Query:
    none = sp.csr_matrix((history.shape[0], 0))
    return Query(history, history.astype(bool).astype(float), none, none, none, none)


def test_fold_in_equals_implicit() -> None:
    random = np.random.default_rng(0)
    history = sp.random(60, 30, density=0.15, random_state=random, format="csr")
    history.data = random.integers(1, 6, history.nnz).astype(np.float64)
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=8, regularization=0.7, alpha=3.0, iterations=5, random_state=0, use_gpu=False
        )
        model.fit(history.astype(np.float32), show_progress=False)
        people = model.recalculate_user(np.arange(60), history.astype(np.float32))
    ours = CollaborativeScorer(
        np.asarray(model.item_factors, dtype=np.float64), np.ones(30, dtype=bool), 0.7, 3.0
    ).score(query_of(history))
    some = np.diff(history.indptr) > 0
    np.testing.assert_allclose(ours[some], (people @ model.item_factors.T)[some], atol=2e-4)
    assert np.isnan(ours[~some]).all()


def test_same_seed_same_factors() -> None:
    history = sp.random(50, 20, density=0.2, random_state=1, format="csr")
    first, second = fit_factors(history, seed=3), fit_factors(history, seed=3)
    np.testing.assert_array_equal(first.factors, second.factors)
    assert not np.array_equal(first.factors, fit_factors(history, seed=4).factors)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 5), (3, 0)])
def test_tiny_histories_fit(shape: tuple[int, int]) -> None:
    history = sp.csr_matrix(np.ones(shape))
    score = fit_factors(history).score(query_of(history))
    assert score.shape == shape


def test_no_interactions_say_nothing() -> None:
    history = sp.csr_matrix((4, 6))
    assert np.isnan(fit_factors(history).score(query_of(history))).all()
