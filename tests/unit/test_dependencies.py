"""Each offer is told from all others and the profile at once, so that nothing counts twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from data.dataset import Dataset
from data.schema import OFFERS
from recommender.bundle import Bundle
from recommender.collaborative import PRIOR
from recommender.fitting import dependencies as fitting
from recommender.fitting.dependencies import PENALTY, fit_dependencies
from recommender.scoring.dependencies import Dependencies, inputs_of
from recommender.service import Service
from recommender.serving.arrivals import with_arrivals
from recommender.serving.lists import Wish
from recommender.training import train

PLANS = 6


def holdings(people: int = 1500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Let an age group like half of the plans; of the first two nobody has both."""
    random = np.random.default_rng(seed)
    old = random.random(people) < 0.5
    liked = np.where(old[:, None], np.arange(PLANS) % 2 == 0, np.arange(PLANS) % 2 == 1)
    has = random.random((people, PLANS)) < np.where(liked, 0.6, 0.2)
    has[:, 1] &= ~has[:, 0]
    return has.astype(np.float64), np.column_stack([old, ~old]).astype(np.float64)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    has, profile = holdings()
    people = np.array([f"c{person:04d}" for person in range(len(has))])
    person, plan = has.nonzero()
    tables = {
        "customers": pd.DataFrame(
            {"customer_id": people, "group": np.where(profile[:, 0] > 0, "old", "young")}
        ),
        "offers": pd.DataFrame({"offer_id": [f"plan{plan}" for plan in range(PLANS)]}),
        "interactions": pd.DataFrame(
            {
                "customer_id": people[person],
                "offer_id": np.char.add("plan", plan.astype(str)),
                "event_type": "redemption",
                "occurred_at": pd.Timestamp("2025-01-01", tz="UTC"),
            }
        ),
    }
    return train(Dataset.of(tables))


def fit(has: np.ndarray, profile: np.ndarray) -> Dependencies:
    return fit_dependencies(sp.csr_matrix(has), sp.csr_matrix(profile), 1)


def test_each_offer_is_a_penalised_logistic_regression_on_all_others() -> None:
    has, profile = holdings()
    given = inputs_of(sp.csr_matrix(has), sp.csr_matrix(profile))[:, :-1]
    expected = np.zeros_like(has)
    for offer in range(PLANS):
        others = has.copy()
        others[:, offer] = 0.0
        some = others.any(axis=1)
        plain = LogisticRegression(C=1 / PENALTY, tol=1e-8, max_iter=1000)
        plain.fit(
            inputs_of(sp.csr_matrix(others), sp.csr_matrix(profile))[some, :-1], has[some, offer]
        )
        told = given.copy()
        told[:, offer] = 0.0
        expected[:, offer] = plain.decision_function(told)
    found = fit(has, profile).read(sp.csr_matrix(has), sp.csr_matrix(profile)).table()
    np.testing.assert_allclose(found, expected - expected.mean(axis=1, keepdims=True), atol=0.02)


def test_many_columns_of_one_attribute_are_no_reason_to_learn_nothing() -> None:
    has, profile = holdings(people=400)
    towns = np.eye(60)[np.random.default_rng(1).integers(0, 60, len(has))]
    both = sp.csr_matrix(np.hstack([profile, towns]))
    taken = sp.csr_matrix(has)
    assert fit_dependencies(taken, both, 2).tells
    assert not fit_dependencies(taken, both, both.shape[1]).tells


def test_who_has_one_of_two_that_exclude_each_other_is_not_offered_the_other(
    bundle: Bundle,
) -> None:
    model, query = bundle.recommender, bundle.customers.query
    assert model is not None
    assert query is not None
    assert model.collaborative.weight[list(PRIOR).index("others")] > 0
    one, other = (model.encoders.offer_rows[name] for name in ("plan0", "plan1"))
    holders = query.redeemed[:, one].toarray().ravel() > 0
    lists = Service(bundle).recommend(query, Wish(bundle.moment, PLANS))
    last = [one.offers[-1].row == other for one, has in zip(lists, holders, strict=True) if has]
    assert len(last) > 100
    assert np.mean(last) > 0.95


def test_what_adds_up_is_the_score_and_lists_of_one_are_those_of_all(bundle: Bundle) -> None:
    query = bundle.customers.query
    assert query is not None
    service, wish = Service(bundle), Wish(bundle.moment, PLANS)
    for row, together in enumerate(service.recommend(query.take(np.arange(20)), wish)):
        (alone,) = service.recommend(query.one(row), wish)
        for offer, same in zip(alone.offers, together.offers, strict=True):
            assert offer.row == same.row
            assert offer.score == pytest.approx(same.score, abs=1e-9)
            assert sum(offer.contributions.values()) == pytest.approx(offer.score, abs=1e-9)


def test_a_new_offer_stands_at_the_mean_and_changes_no_other(bundle: Bundle) -> None:
    none = dict.fromkeys(OFFERS.names)
    more = {**none, "offer_id": "plan00", "title": "Another", "items": ()}
    wider = with_arrivals(bundle, [more])
    for one in (bundle, wider):
        assert one.recommender is not None
        assert one.customers.query is not None
    before, after = (
        one.recommender.collaborative.feature("others", one.customers.query)  # type: ignore[union-attr,arg-type]
        for one in (bundle, wider)
    )
    new = wider.recommender.encoders.offer_rows["plan00"]  # type: ignore[union-attr]
    np.testing.assert_allclose(np.delete(after, new, axis=1), before, atol=1e-12)
    assert not after[:, new].any()


def test_it_is_left_out_where_offers_are_many_or_customers_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    has, profile = holdings()
    assert len(fit(has, profile).rest)
    few = fit(has[:60], profile[:60])
    monkeypatch.setattr(fitting, "MOST_OFFERS", PLANS - 1)
    for found, n in ((few, 60), (fit(has, profile), len(has))):
        scores = found.read(sp.csr_matrix(has[:n]), sp.csr_matrix(profile[:n])).table()
        assert scores.shape == (n, PLANS)
        assert not scores.any()
        assert not found.speak_for(np.arange(2), np.arange(3)).any()
