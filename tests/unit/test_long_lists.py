"""Long lists and many customers are cut short without changing what is said of what is left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.schema import REDEMPTION
from recommender.base import Query
from recommender.bundle import Bundle
from recommender.learning import pooling
from recommender.learning.inner import Parted
from recommender.learning.pooling import pool
from recommender.model import Recommender
from recommender.past.layout import Layout, lay_out, score_listed
from recommender.past.thinning import some_customers
from recommender.past.validation import look_back
from recommender.training import train

N = 30


@pytest.fixture
def model(small_bundle: Bundle) -> Recommender:
    assert small_bundle.recommender is not None
    return small_bundle.recommender


@pytest.fixture
def query(small_bundle: Bundle) -> Query:
    assert small_bundle.customers.query is not None
    return small_bundle.customers.query.take(np.arange(N))


def test_terms_of_listed_offers_are_those_of_all(model: Recommender, query: Query) -> None:
    columns = np.random.default_rng(0).integers(0, model.n_offers, (N, 7))
    part = Layout(np.arange(N), columns, columns < 0, columns >= 0)
    expected = np.take_along_axis(model.terms(query), columns[None], axis=2)
    np.testing.assert_allclose(
        score_listed(model.terms, query, part), expected, rtol=1e-11, atol=1e-11
    )


@pytest.mark.parametrize("listed", [True, False])
def test_terms_that_count_nothing_are_not_worked_out(
    model: Recommender, query: Query, listed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = np.tile(np.arange(model.n_offers), (N, 1)) if listed else None
    share = np.random.default_rng(0).random((len(model.hybrid.weight), N))
    share[:2] = 0.0
    expected = model.terms(query, columns) * share[:, :, None]
    for scorer in (model.collaborative, model.content):
        monkeypatch.setattr(type(scorer), "read", None)
    found = model.terms(query, columns, share) * share[:, :, None]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["collaborative", "content"])
def test_features_of_listed_offers_are_those_of_all(
    model: Recommender, query: Query, name: str
) -> None:
    scorer: Parted = getattr(model, name)
    columns = np.random.default_rng(0).integers(0, model.n_offers, (N, 7))
    whole = scorer.features(query)
    np.testing.assert_allclose(
        scorer.features(query, columns),
        np.take_along_axis(whole, columns[None], axis=2),
        rtol=1e-11,
        atol=1e-11,
    )
    can = scorer.can_teach(query)
    np.testing.assert_array_equal(
        scorer.can_teach(query, columns), np.take_along_axis(can, columns, axis=1)
    )
    weights = np.random.default_rng(1).random((2, len(whole), N))
    np.testing.assert_allclose(
        scorer.rough(query, weights),
        np.einsum("fno,wfn->wno", whole, weights),
        rtol=1e-4,
        atol=1e-4,
    )


def test_a_pool_from_rough_scores_holds_what_one_from_exact_scores_holds(
    model: Recommender, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers = np.arange(model.n_offers)[4:]
    shape = (N, len(offers))
    random = np.random.default_rng(0)
    part = Layout(
        np.arange(N), np.broadcast_to(offers, shape), random.random(shape) < 0.05,
        random.random(shape) < 0.8,
    )  # fmt: skip
    unit, start = random.random((len(model.hybrid.weight), N)), np.ones(len(model.hybrid.weight))
    monkeypatch.setattr(pooling, "POOL", 8)
    exact = pool(model.terms, model.rough, unit, (start,), query, part)
    monkeypatch.setattr(pooling, "MOST_CANDIDATES", 8)
    found = pool(model.terms, model.rough, unit, (start,), query, part)
    np.testing.assert_allclose(found.parts, exact.parts, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found.taken, exact.taken)
    np.testing.assert_array_equal(found.candidate, exact.candidate)


def test_a_sample_of_customers_keeps_all_that_is_known_of_them(small_dataset: Dataset) -> None:
    assert some_customers(small_dataset) is small_dataset
    few = some_customers(small_dataset, most=20, seed=1)
    assert len(few.customer_ids) == 20
    chosen = set(few.customer_ids.ids)
    assert chosen <= set(small_dataset.customer_ids.ids)
    for name in ("transactions", "interactions"):
        whole, part = getattr(small_dataset, name), getattr(few, name)
        assert len(part) == whole["customer_id"].isin(chosen).sum()
    assert len(few.offers) == len(small_dataset.offers)
    assert set(some_customers(small_dataset, most=20, seed=1).customer_ids.ids) == chosen


def test_short_choices_among_very_many_offers_make_no_long_lists() -> None:
    random = np.random.default_rng(0)
    candidate = random.random((40, 2000)) < 0.01
    taken = candidate & (random.random(candidate.shape) < 0.2)
    lists, whole = lay_out(np.arange(40), taken, candidate, seed=0)
    assert lists.columns.shape[1] == candidate.sum(axis=1).max()
    assert whole.columns.shape[1] == candidate.any(axis=0).sum() > 500
    for part in (lists, whole):
        np.testing.assert_array_equal(part.candidate.sum(axis=1), candidate.sum(axis=1))
        np.testing.assert_array_equal(part.taken.sum(axis=1), taken.sum(axis=1))


@pytest.mark.slow
def test_of_a_moment_before_a_source_has_anything_to_say_it_learns_nothing() -> None:
    random = np.random.default_rng(1)
    people, products, events, days = 400, 560, 2500, 365
    start = pd.Timestamp("2025-01-01", tz="UTC")

    def log(first: float, **columns: Any) -> pd.DataFrame:
        """Draw rows of a year, from some day of it on."""
        when = start + pd.to_timedelta(random.uniform(first, days, events), unit="D")
        who = random.integers(0, people, events)
        return pd.DataFrame({"customer_id": [f"c{n}" for n in who], "occurred_at": when, **columns})

    kinds = np.array(["a", "b", "c"])
    offer = random.zipf(1.4, events) % products
    tables = {
        "customers": pd.DataFrame({"customer_id": [f"c{n}" for n in range(people)]}),
        "offers": pd.DataFrame(
            {
                "offer_id": [f"o{n}" for n in range(products)],
                "category": random.choice(kinds, products),
            }
        ),
        # What was done with offers is known of the last weeks only, purchases of all the year.
        "interactions": log(
            285, offer_id=[f"o{n}" for n in offer], event_type=np.full(events, REDEMPTION)
        ),
        "transactions": log(
            0, amount=random.uniform(1, 20, events), category=random.choice(kinds, events)
        ),
    }
    dataset = Dataset.of(tables)
    first, *_ = look_back(dataset, dataset.moment_after())
    assert first.past.interactions.empty
    assert train(dataset).recommender is not None
