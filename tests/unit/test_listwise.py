"""The listwise fit finds planted weights, and stays at its prior without data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommender.learning.listwise import Lists, fit_listwise, plain_lists


def planted(weight: np.ndarray, n: int = 800, offers: int = 12) -> Lists:
    random = np.random.default_rng(0)
    features = random.normal(size=(len(weight), n, offers))
    taken = np.zeros((n, offers))
    taken[
        np.arange(n),
        (np.einsum("fno,f->no", features, weight) + random.gumbel(size=(n, offers))).argmax(axis=1),
    ] = 1
    return plain_lists(features, taken, np.ones((n, offers), dtype=bool))


def test_planted_weights_are_found() -> None:
    truth = np.array([1.0, 0.0, 0.5])
    found = fit_listwise([planted(truth)], np.zeros((3, 1)), strength=1.0)
    np.testing.assert_allclose(found[:, 0], truth, atol=0.12)


def test_weights_are_never_negative() -> None:
    found = fit_listwise([planted(np.array([1.0, -1.0]))], np.zeros((2, 1)), strength=1.0)
    assert found.min() >= 0
    assert found[1, 0] == 0


def test_without_lists_the_prior_stands() -> None:
    prior = np.array([[0.3], [0.7]])
    np.testing.assert_array_equal(fit_listwise([], prior, strength=1.0), prior)


def test_offers_that_were_not_on_offer_do_not_count() -> None:
    lists = planted(np.array([1.0]))
    lists.features[:, :, 0] = 1e3  # would dominate every list
    candidate = lists.candidate.copy()
    candidate[:, 0] = False
    kept = lists.taken[:, 0] == 0
    found = fit_listwise(
        [plain_lists(lists.features[:, kept], lists.taken[kept], candidate[kept])],
        np.zeros((1, 1)),
        1.0,
    )
    assert 0.7 < found[0, 0] < 1.3


def test_a_strong_prior_holds() -> None:
    prior = np.array([[0.2]])
    found = fit_listwise([planted(np.array([1.0]), n=20)], prior, strength=1e6)
    np.testing.assert_allclose(found, prior, atol=1e-3)


def test_situations_have_weights_of_their_own() -> None:
    one, two = planted(np.array([1.0])), planted(np.array([0.2]))
    first, second = np.tile([1.0, 0.0], (800, 1)), np.tile([0.0, 1.0], (800, 1))
    found = fit_listwise(
        [
            Lists(one.features, first, one.taken, one.candidate),
            Lists(two.features, second, two.taken, two.candidate),
        ],
        np.zeros((1, 2)),
        strength=1.0,
    )
    np.testing.assert_allclose(found, [[1.0, 0.2]], atol=0.12)


def test_a_feature_may_be_held_to_its_prior_more_than_others() -> None:
    random = np.random.default_rng(5)
    features = random.normal(size=(2, 400, 12))
    score = features.sum(axis=0) + random.gumbel(size=(400, 12))
    taken = (score == score.max(axis=1, keepdims=True)).astype(float)
    lists = plain_lists(features, taken, np.ones((400, 12), dtype=bool))
    prior = np.full((2, 1), 0.2)
    alike = fit_listwise([lists], prior, 1.0)[:, 0]
    held = fit_listwise([lists], prior, np.array([[1e6], [1.0]]))[:, 0]
    assert (alike > 0.7).all()
    assert held[0] == pytest.approx(0.2, abs=0.01)
    assert held[1] > 0.6


def test_an_offer_often_taken_tells_no_more_of_its_features_than_others() -> None:
    random = np.random.default_rng(3)
    n, offers = 3000, 30
    person, mark = random.normal(size=(n, offers)), np.zeros(offers)
    mark[:3] = 1.0  # a feature that three offers have
    appeal = 2.0 * (np.arange(offers) == 0)  # and one of them is loved, for reasons of its own
    score = person + appeal + random.gumbel(size=(n, offers))
    taken = (score.argmax(axis=1)[:, None] == np.arange(offers)).astype(np.float64)
    features = np.stack([person, np.broadcast_to(mark, (n, offers))])
    lists = plain_lists(features, taken, np.ones((n, offers), dtype=bool))
    plain = fit_listwise([lists], np.zeros((2, 1)), strength=1.0)[:, 0]
    owned = replace(lists, own=np.broadcast_to(np.arange(offers), (n, offers)))
    apart = fit_listwise([owned], np.zeros((2, 1)), strength=1.0)[:, 0]
    assert apart[0] == pytest.approx(1.0, abs=0.1)
    assert plain[1] > 0.9
    assert apart[1] == pytest.approx(2.0 / 3, abs=0.1)
