"""Would: offers on what a customer has not bought, but those who buy alike have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from data.dataset import Dataset
from recommender.base import Query, Source
from recommender.bundle import Bundle
from recommender.content import BOUND, PRIOR, ContentScorer
from recommender.explanation import Explainer
from recommender.facts import Facts
from recommender.features.keys import ITEM, TYPE
from recommender.fitting.autoencoder import (
    CUSTOMER_POWER,
    DROPOUT,
    mean_diagonal,
    solve_autoencoder,
)
from recommender.model import Recommender
from recommender.scoring.would import bought_at
from recommender.service import Service
from recommender.serving.arrivals import with_arrivals
from recommender.serving.lists import Listed
from recommender.storage.model_folder import load, save
from recommender.training import train

pytestmark = pytest.mark.usefixtures("spared")
WHEN = pd.Timestamp("2025-01-01", tz="UTC")
KINDS = {"nappies": "baby", "wipes": "baby", "coal": "garden", "seeds": "garden", "salt": "kitchen"}


def dataset_of(baskets: dict[str, list[str]], kinds: dict[str, str] = KINDS) -> Dataset:
    """Two items of each kind, an offer on one of them, and who bought what."""
    items = [f"{kind} {number}" for kind in kinds for number in (1, 2)]
    pairs = [(name, kind) for name, bought in baskets.items() for kind in bought]
    return Dataset.of(
        {
            "offers": pd.DataFrame({"offer_id": list(kinds)}),
            "items": pd.DataFrame(
                {
                    "item_id": items,
                    "category": [kind for kind in kinds.values() for _ in (1, 2)],
                    "kind": [kind for kind in kinds for _ in (1, 2)],
                }
            ),
            "offer_items": pd.DataFrame(
                {"offer_id": list(kinds), "item_id": [f"{kind} 1" for kind in kinds]}
            ),
            "transactions": pd.DataFrame(
                {
                    "customer_id": [name for name, _ in pairs],
                    "occurred_at": WHEN,
                    "amount": 5.0,
                    "item_id": [f"{kind} 1" for _, kind in pairs],
                }
            ),
        }
    )


def households() -> dict[str, list[str]]:
    """As many parents as gardeners; of either one has not bought everything yet, all buy salt."""
    parents = {f"p{n}": ["nappies", "wipes", "salt"] for n in range(12)}
    gardeners = {f"g{n}": ["coal", "seeds", "salt"] for n in range(12)}
    return {**parents, **gardeners, "p": ["nappies", "salt"], "g": ["coal", "salt"]}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return train(dataset_of(households()))


def model_of(bundle: Bundle) -> tuple[Recommender, Query]:
    assert bundle.recommender is not None
    assert bundle.customers.query is not None
    return bundle.recommender, bundle.customers.query


def said(bundle: Bundle, query: Query | None = None) -> pd.DataFrame:
    """Return the feature by customer and offer."""
    model, everybody = model_of(bundle)
    found = model.content.feature("would", everybody if query is None else query)
    index = bundle.customers.ids if query is None else None
    return pd.DataFrame(found, index=index, columns=model.encoders.offer_ids)


def test_what_those_who_buy_alike_buy_comes_before_what_strangers_buy(bundle: Bundle) -> None:
    model, query = model_of(bundle)
    score = pd.DataFrame(
        model.blend(query).score, index=bundle.customers.ids, columns=model.encoders.offer_ids
    )
    for name, own, other in (("p", "wipes", "seeds"), ("g", "seeds", "wipes")):
        assert score.loc[name, own] > score.loc[name, other]
    told, base = said(bundle), dict(zip(score.columns, model.popularity.base, strict=True))
    assert base["wipes"] == pytest.approx(base["seeds"])
    assert told.loc["p", "wipes"] > 0.5
    assert told.loc["p", "wipes"] > told.loc["p", "seeds"] + 0.5
    assert told.loc["p", "wipes"] == pytest.approx(told.loc["g", "seeds"], rel=1e-4)


def test_of_what_was_bought_nothing_is_said(bundle: Bundle) -> None:
    told = said(bundle)
    for name, bought in households().items():
        assert (told.loc[name, bought] == 0.0).all()
        assert (told.loc[name].drop(bought) != 0.0).any()


def test_it_is_the_published_autoencoder() -> None:
    random = np.random.default_rng(0)
    rows = np.log1p(random.poisson(0.5, (60, 8)).astype(float))
    rows[:, 0] += rows[:, 1]
    found = solve_autoencoder(sp.csr_matrix(rows), 0.5, 8).toarray()
    gram = rows.T @ (np.maximum((rows > 0).sum(axis=1), 1)[:, None] ** -CUSTOMER_POWER * rows)
    own = np.diag(gram)
    penalty = np.diag(DROPOUT / (1 - DROPOUT) * own + 0.5)
    assert mean_diagonal(sp.csr_matrix(rows)) == pytest.approx(own.mean())
    expected = np.eye(8) - np.linalg.solve(gram + penalty, penalty)
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    few = solve_autoencoder(sp.csr_matrix(rows), 0.5, 3).toarray()
    assert ((few != 0).sum(axis=0) <= 3).all()
    np.testing.assert_array_equal(few, np.where(few != 0, found, 0.0))


def test_purchases_folded_in_say_what_the_whole_history_says(bundle: Bundle) -> None:
    service, told = Service(bundle), said(bundle)
    lines = [
        {"item_id": f"{kind} 1", "amount": 5.0, "transaction_id": kind}
        for kind in ("nappies", "salt")
    ]
    stranger = service.query("a stranger", Facts(purchases=lines), WHEN)
    np.testing.assert_allclose(said(bundle, stranger).loc[0], told.loc["p"], rtol=1e-12)
    more = service.query("p", Facts(purchases=[{"item_id": "wipes 2", "amount": 3.0}]), WHEN)
    assert said(bundle, more).loc[0, "wipes"] == 0.0
    np.testing.assert_allclose(said(bundle, more).loc[0], told.loc["p1"], rtol=1e-12)


def test_an_offer_that_comes_later_is_foreseen_like_one_that_was_there(bundle: Bundle) -> None:
    later = [
        {"offer_id": "a later one", "items": ("wipes 1",)},
        {"offer_id": "the unheard of", "items": ("wipes 1", "never seen")},
        {"offer_id": "z", "items": ("never seen, too",), "category": "another"},
    ]
    told = said(with_arrivals(bundle, later))
    np.testing.assert_array_equal(told["a later one"], told["wipes"])
    np.testing.assert_array_equal(told["the unheard of"], told["wipes"])
    assert (told["z"] == 0.0).all()
    pd.testing.assert_frame_equal(told[said(bundle).columns], said(bundle))


def test_without_purchases_nothing_is_said(bundle: Bundle) -> None:
    model, query = model_of(bundle)
    nobody = Query(*(part[:0] for part in query.parts()))
    for unknown in (query.without_purchases(), nobody):
        found = model.content.feature("would", unknown)
        assert found.shape == (len(unknown), len(KINDS))
        assert not found.any()


def content_of(dataset: Dataset) -> tuple[ContentScorer, Query]:
    model, query = model_of(train(dataset))
    return model.content, query


def test_one_key_speaks_for_no_other() -> None:
    content, query = content_of(dataset_of({f"c{n}": ["tea"] for n in range(9)}, {"tea": "drinks"}))
    assert content.would.silent
    assert not content.feature("would", query).any()
    assert np.isfinite(content.score(query)).all()


def test_where_nobody_bought_anything_it_is_silent() -> None:
    dataset = dataset_of(households())
    nothing = replace(dataset, transactions=dataset.transactions.iloc[:0])
    redeemed = pd.DataFrame(
        {"customer_id": ["p", "g"], "offer_id": ["salt", "coal"], "event_type": "redemption",
         "occurred_at": WHEN}
    )  # fmt: skip
    tables = {**nothing.tables(), "interactions": redeemed}
    content, query = content_of(Dataset.of(tables))
    assert content.would.silent
    assert not content.feature("would", query).any()


@pytest.mark.slow
def test_customers_who_are_all_alike_leave_nothing_to_foresee() -> None:
    content, query = content_of(dataset_of({f"c{n}": list(KINDS) for n in range(9)}))
    assert not content.feature("would", query).any()
    assert np.isfinite(content.score(query)).all()


@pytest.mark.slow
def test_without_types_it_goes_by_items() -> None:
    dataset = dataset_of(households())
    bare = replace(dataset, items=dataset.items.assign(category=None, kind=None))
    content, query = content_of(Dataset.of(bare.tables()))
    assert content.would.level == ITEM
    rows = {str(name): row for row, name in enumerate(sorted(KINDS))}
    people = sorted(households())
    told = content.feature("would", query)[people.index("p")]
    assert told[rows["wipes"]] > told[rows["seeds"]]


def test_it_counts_no_more_than_its_bound(
    small_bundle: Bundle,
) -> None:
    weight = model_of(small_bundle)[0].content.weight
    assert weight.shape == BOUND.shape
    assert (weight <= BOUND).all()
    assert PRIOR["would"] < BOUND[list(PRIOR).index("would")] < np.inf


def test_of_types_transactions_count(bundle: Bundle) -> None:
    model, query = model_of(bundle)
    assert model.content.would.level == TYPE
    counted = bought_at(query, model.content.keys, TYPE, True)
    assert np.unique(counted.data).tolist() == [np.log(2.0)]


def test_a_bundle_keeps_it(bundle: Bundle, tmp_path: Path) -> None:
    save(bundle, tmp_path)
    pd.testing.assert_frame_equal(said(load(tmp_path)), said(bundle))


def test_it_is_said_in_words_where_it_leads(bundle: Bundle) -> None:
    service = Service(bundle)
    model, rows = service.recommender, service.recommender.encoders.offer_rows
    listed = [
        Listed(rows[name], 1.0, str(Source.CONTENT), {Source.CONTENT: 1.0})
        for name in ("wipes", "nappies")
    ]
    query = service.query("p", Facts(), WHEN)

    def told(weight: float) -> list[list[str]]:
        content = replace(model.content, weight=np.r_[model.content.weight[:-1], weight])
        return Explainer(bundle.offers, replace(model, content=content)).reasons(query, listed)

    bought = ["You spent 5.00 on the very items of this offer."]
    assert told(9.0) == [["Customers who buy as you do buy this too."], bought]
    assert told(0.0) == [["You spent 5.00 on baby (category)."], bought]
