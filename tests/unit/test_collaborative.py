"""Fold-ins are what a full fit answers; the autoencoder is the published one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recommender.base import Query
from recommender.collaborative import PRIOR, CollaborativeScorer
from recommender.fitting import collaborative as fitting
from recommender.fitting import neighbours
from recommender.fitting.collaborative import fit_collaborative
from recommender.recipe import Recipe
from recommender.scoring.linear import Factors


def query_of(redeemed: sp.csr_matrix) -> Query:
    none, no_offer = sp.csr_matrix((redeemed.shape[0], 0)), sp.csr_matrix(redeemed.shape)
    told = {"history": redeemed, "redeemed": redeemed, "bought": no_offer, "shown": no_offer}
    return Query(**(dict.fromkeys(Query.__dataclass_fields__, none) | told))


def taken(n: int = 60, offers: int = 30, seed: int = 0) -> sp.csr_matrix:
    random = np.random.default_rng(seed)
    return sp.csr_matrix((random.random((n, offers)) < 0.15).astype(float))


def fit(query: Query, recipe: Recipe, seed: int = 0) -> CollaborativeScorer:
    """Let every offer be one that can be taken again."""
    repeatable = np.ones(query.history.shape[1], dtype=bool)
    return fit_collaborative(
        query, repeatable, sp.csr_matrix((len(repeatable), 0)), recipe, 0, seed
    )


def test_fold_in_equals_implicit() -> None:
    history = taken()
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=8, regularization=0.7, alpha=3.0, iterations=5, random_state=0, use_gpu=False
        )
        model.fit(history.astype(np.float32), show_progress=False)
        people = model.recalculate_user(np.arange(60), history.astype(np.float32))
    factors = Factors(np.asarray(model.item_factors, dtype=np.float64), 0.7, 3.0)
    np.testing.assert_allclose(factors.score(history), people @ model.item_factors.T, atol=2e-4)


def test_the_autoencoder_solves_its_equation() -> None:
    history = taken()
    x = history.toarray()
    weight = np.diag(np.maximum(x.sum(axis=1), 1) ** -0.5)
    gram = x.T @ weight @ x
    penalty = 0.33 / 0.67 * np.diag(gram) + 10 * np.diag(gram).mean() ** 0.5
    expected = np.linalg.solve(gram + np.diag(penalty), gram)
    np.fill_diagonal(expected, 0.0)
    found = fit(query_of(history), Recipe(penalty=10.0)).autoencoder
    np.testing.assert_allclose(found.near.toarray(), expected, atol=1e-5)
    np.testing.assert_allclose(found.score(history), x @ expected, atol=1e-5)


def test_a_large_catalogue_goes_by_neighbours_and_a_singular_space(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fitting, "MOST_DENSE", 10)
    monkeypatch.setattr(neighbours, "RANK", 6)
    history = taken(200, 40)
    found = fit(query_of(history), Recipe())
    x = history.toarray()
    length, count = np.maximum(x.sum(axis=1), 1), x.sum(axis=0)
    near = (x * length[:, None] ** -0.3).T @ x * count[:, None] ** -0.8 * count**-0.2
    np.fill_diagonal(near, 0.0)
    np.testing.assert_allclose(found.autoencoder.near.toarray(), near, rtol=1e-5)
    weighed = x * length[:, None] ** -0.25 * count**-0.35
    space = found.space.left * count[:, None] ** 0.35
    spread = (space**2).sum(axis=0) ** 2  # each direction counts as the root of its value
    np.testing.assert_allclose(spread, np.linalg.svd(weighed)[1][:6], rtol=0.02)
    np.testing.assert_allclose(space.T @ space, np.diag(spread**0.5), atol=1e-5)
    far = (x * count**-0.35) @ space @ space.T * count**0.35
    np.testing.assert_allclose(found.space.read(history).table(), far, rtol=1e-4, atol=1e-5)
    speaks = found.speak_for(np.array([3]), np.ones(1), np.arange(40))[0]
    alone = query_of(sp.csr_matrix(np.eye(40)[[3]]))
    parts = [found.feature(name, alone)[0] for name in ("autoencoder", "space", "next")]
    weight = found.weight[1:4] / found.scale[1:4] / [np.log(2), np.log(2), 1.0]
    np.testing.assert_allclose(speaks, weight @ parts, rtol=1e-4, atol=1e-6)


def test_a_map_that_counts_nothing_still_tells_what_is_alike() -> None:
    found = fit(query_of(taken()), Recipe())
    silent = replace(found, weight=np.where(np.array(list(PRIOR)) == "factors", 0.3, 0.0))
    rows, offers = np.arange(6), np.arange(10, 30)
    speaks = silent.speak_for(rows, 1 / rows.clip(1), offers)
    weight, scale = np.array(list(PRIOR.values())), found.scale
    near, after = (one.speak_for(rows, offers) for one in (found.autoencoder, found.following))
    expected = weight[1] / scale[1] * near + weight[3] / scale[3] * after / rows.clip(1)[:, None]
    np.testing.assert_array_equal(speaks.argmax(axis=0), expected.argmax(axis=0))
    assert len(set(speaks.argmax(axis=0).tolist())) > 1


def test_scores_of_a_large_catalogue_are_alike_one_by_one_all_and_roughly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fitting, "MOST_DENSE", 10)
    query = query_of(taken(200, 40))
    mix = fit(query, Recipe()).read(query)
    whole = mix.table()
    rows, columns = np.nonzero(np.isfinite(whole))
    np.testing.assert_allclose(mix.at(rows, columns), whole[rows, columns], rtol=1e-10, atol=1e-10)
    total, room = np.zeros(whole.shape, dtype=np.float32), np.zeros((2, *whole.shape), np.float32)
    mix.add_to(total, slice(0, 200), np.ones(200), 0.0, room)
    assert (np.abs(total - whole)[rows, columns] <= mix.slip(0.0)[rows]).all()


def test_the_fewer_pairs_were_taken_the_more_each_tells() -> None:
    few, many = sp.csr_matrix(np.eye(8)), sp.csr_matrix(np.ones((8, 8)))
    assert fitting.confidence(few, Recipe()) == pytest.approx(8**0.5)
    assert fitting.confidence(many, Recipe()) == pytest.approx(1.0)


def test_neighbours_beyond_the_largest_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "NEAR", 5)
    near = fit(query_of(taken()), Recipe()).autoencoder.near
    assert near.getnnz(axis=0).max() <= 5


def test_same_seed_same_factors() -> None:
    query = query_of(taken())
    first, second, other = (fit(query, Recipe(), seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.factors.offers, second.factors.offers)
    assert not np.array_equal(first.factors.offers, other.factors.offers)


def test_factors_tell_circles_apart_though_some_offers_are_everybodys() -> None:
    random = np.random.default_rng(0)
    circle, owner = np.arange(80) // 20, np.arange(400) % 4
    chance = np.where(owner[:, None] == circle, 0.2, 0.01)
    chance[:, ::20] = 0.6  # of each circle one that all take
    history = sp.csr_matrix((random.random(chance.shape) < chance).astype(float))
    for seed in range(3):
        factors = fit(query_of(history), Recipe(factors=6), seed).factors
        own = np.setdiff1d(np.flatnonzero(circle == 2), [40])
        score = factors.score(sp.csr_matrix(np.isin(np.arange(80), own[:3])[None], dtype=float))[0]
        others = np.setdiff1d(np.flatnonzero(circle != 2), [0, 20, 60])
        assert score[own[3:]].min() > score[others].max()


def test_what_is_taken_again_and_again_comes_first() -> None:
    history = taken()
    often = history.toarray()
    often[0] = np.where(np.arange(30) == 4, 6.0, np.where(np.arange(30) == 7, 1.0, 0.0))
    scorer = fit(query_of(sp.csr_matrix(often)), Recipe())
    score = scorer.score(query_of(sp.csr_matrix(often[[0]])))[0]
    assert score.argsort()[::-1][:2].tolist() == [4, 7]


def test_a_habit_counts_once_however_often_the_offer_was_taken() -> None:
    often = taken().toarray()
    often[:, 4] *= 3
    scorer = fit(query_of(sp.csr_matrix(often)), Recipe())
    own = np.zeros((2, 30))
    own[:, 4] = [1, 9]
    habit = scorer.feature("habit", query_of(sp.csr_matrix(own)))
    np.testing.assert_allclose(habit[:, 4], np.log(3))
    assert not np.delete(habit, 4, axis=1).any()


def test_what_can_be_taken_once_only_counts_once() -> None:
    often = taken().toarray()
    often[:, [4, 5]] *= 3
    query = query_of(sp.csr_matrix(often))
    once = np.arange(30) == 4
    scorer = fit_collaborative(query, ~once, sp.csr_matrix((len(once), 0)), Recipe(), 0)
    for name in ("again", "lately", "habit"):
        feature = scorer.feature(name, query)
        assert not feature[:, 4].any()
        assert feature[:, 5].any()
    counted = often.copy()
    counted[:, 4] = np.minimum(counted[:, 4], 1.0)
    same = scorer.score(query_of(sp.csr_matrix(counted)))
    np.testing.assert_array_equal(scorer.score(query), same)
    assert not np.array_equal(fit(query, Recipe()).score(query), same)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 5), (3, 0)])
def test_tiny_histories_fit(shape: tuple[int, int]) -> None:
    query = query_of(sp.csr_matrix(np.ones(shape)))
    assert fit(query, Recipe()).score(query).shape == shape


def test_no_interactions_say_nothing() -> None:
    query = query_of(sp.csr_matrix((4, 6)))
    assert np.isnan(fit(query, Recipe()).score(query)).all()


def test_a_history_does_not_need_the_customers_of_the_fit() -> None:
    query = query_of(taken())
    scorer = fit(query, Recipe())
    alone = replace(query.take(np.array([5])))
    np.testing.assert_allclose(scorer.score(alone)[0], scorer.score(query)[5])
