"""Of offers that nobody took collaborative filtering says what their attributes let expect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge, RidgeCV

from data.dataset import Dataset
from data.schema import OFFERS
from recommender.base import Query, Source
from recommender.bundle import Bundle
from recommender.collaborative import MAPS, CollaborativeScorer
from recommender.fitting import attribute_map
from recommender.fitting import collaborative as fitting
from recommender.fitting.attribute_map import PENALTIES, choose_penalty, fit_attribute_map
from recommender.model import Recommender
from recommender.service import Service
from recommender.serving.arrivals import with_arrivals
from recommender.serving.lists import Listed, Wish
from recommender.storage.model_folder import load, save
from recommender.training import train

pytestmark = pytest.mark.usefixtures("spared")
KINDS = ("red", "green", "blue")
EACH = 12  # offers of a kind; the last of each is taken by nobody
NEW = tuple(f"{kind}{EACH - 1:02d}" for kind in KINDS)


def tables(people: int = 150) -> dict[str, pd.DataFrame]:
    """Let everybody like one kind of offers."""
    random = np.random.default_rng(0)
    names = [f"{kind}{n:02d}" for kind in KINDS for n in range(EACH)]
    rows = []
    for person in range(people):
        for kind in random.choice(KINDS, 6, p=np.roll([0.8, 0.1, 0.1], person % 3)):
            rows.append((f"c{person:03d}", f"{kind}{random.integers(EACH - 1):02d}"))
    events = pd.DataFrame(rows, columns=["customer_id", "offer_id"]).drop_duplicates()
    when = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(
        random.uniform(0, 90, len(events)), "D"
    )
    return {
        "offers": pd.DataFrame(
            {"offer_id": names, "title": names, "category": [name[:-2] for name in names]}
        ),
        "interactions": events.assign(event_type="redemption", occurred_at=when),
    }


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return train(Dataset.of(tables()))


def parts(bundle: Bundle) -> tuple[Recommender, Query]:
    assert bundle.recommender is not None
    assert bundle.customers.query is not None
    return bundle.recommender, bundle.customers.query


@pytest.fixture(scope="module", params=[10_000, 10], ids=["dense", "large"])
def fitted(
    request: pytest.FixtureRequest, bundle: Bundle
) -> tuple[CollaborativeScorer, Query, np.ndarray]:
    """The scorer of a catalogue that counts as small, or as large."""
    model, query = parts(bundle)
    attributes = model.content.attributes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "MOST_DENSE", request.param)
        repeatable = model.collaborative.repeatable
        scorer = fitting.fit_collaborative(query, repeatable, attributes, bundle.recipe, 0)
    return scorer, query, attributes.toarray()


@pytest.mark.parametrize("name", MAPS)
def test_a_new_offer_is_told_by_a_ridge_over_those_that_were_taken(
    name: str, fitted: tuple[CollaborativeScorer, Query, np.ndarray]
) -> None:
    scorer, query, points = fitted
    feature = scorer.feature(name, query)
    new = ~scorer.trained
    assert new.sum() == len(NEW)
    assert feature[:, scorer.trained].any() or name == "space"
    penalty = choose_penalty(points[~new], scorer.factors.offers[~new])
    ridge = Ridge(alpha=penalty).fit(points[~new], feature[:, ~new].T)
    expected = ridge.predict(points[new]).T
    np.testing.assert_allclose(feature[:, new], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("noise", [0.1, 3.0, 30.0])
def test_the_penalty_is_the_one_that_leaves_out_best(noise: float) -> None:
    random = np.random.default_rng(0)
    points = random.standard_normal((80, 6)) * np.geomspace(0.3, 3, 6)
    target = points @ random.standard_normal((6, 4)) + noise * random.standard_normal((80, 4))
    expected = RidgeCV(alphas=PENALTIES).fit(points, target).alpha_
    assert choose_penalty(points, target) == pytest.approx(expected)


def test_of_many_attributes_no_more_is_lost_than_lies_beyond_the_directions_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attribute_map, "MOST_AXES", 8)
    monkeypatch.setattr(attribute_map, "EXACT", 1e-8)
    random = np.random.default_rng(0)
    offers, columns = 300, 60
    attributes = sp.random_array((offers, columns), density=0.1, rng=random, format="csr")
    factors = attributes @ random.standard_normal((columns, 5))
    factors += 0.1 * random.standard_normal(factors.shape)
    trained, nothing = np.arange(offers) < 250, sp.csr_matrix((offers, offers))
    found = fit_attribute_map(
        sp.csr_matrix(attributes), trained, factors, np.zeros((offers, 0)), nothing, nothing
    )
    assert found.rank == 6
    told = found.points[~trained] @ found.factors.T
    ridges = [
        Ridge(alpha=penalty).fit(attributes[:250].toarray(), factors[:250]) for penalty in PENALTIES
    ]
    expected = [ridge.predict(attributes[250:].toarray()) for ridge in ridges]
    away = [float(np.abs(told - one).max()) for one in expected]
    assert min(away) < 1e-6
    errors = [float(((one - factors[250:]) ** 2).sum()) for one in expected]
    assert errors[int(np.argmin(away))] < 1.1 * min(errors)


@pytest.mark.parametrize("taken", [0, 1, 2, 30])
def test_fewer_offers_than_attributes_lose_nothing(taken: int) -> None:
    random = np.random.default_rng(0)
    attributes = sp.csr_matrix((random.random((taken + 3, 400)) < 0.2).astype(float))
    factors, nothing = random.standard_normal((taken + 3, 2)), sp.csr_matrix((taken + 3,) * 2)
    trained = np.arange(taken + 3) < taken
    found = fit_attribute_map(
        attributes, trained, factors, np.zeros((taken + 3, 0)), nothing, nothing
    )
    told = found.points[~trained] @ found.factors.T
    if not taken:
        assert not told.any()
        return
    dense = attributes.toarray()
    away = [
        float(
            np.abs(
                Ridge(alpha=one).fit(dense[:taken], factors[:taken]).predict(dense[taken:]) - told
            ).max()
        )
        for one in PENALTIES
    ]
    assert min(away) < 1e-6


@pytest.mark.slow
def test_of_an_offer_that_states_nothing_nothing_is_said() -> None:
    bare = tables()
    unlike = pd.DataFrame({"offer_id": ["bare"], "title": ["Bare"], "category": [None]})
    bare["offers"] = pd.concat([bare["offers"], unlike], ignore_index=True)
    model, query = parts(train(Dataset.of(bare)))
    told = np.isfinite(model.collaborative.score(query))
    row = model.encoders.offer_rows["bare"]
    assert not told[:, row].any()
    assert np.delete(told, row, axis=1).all()


def test_where_items_tell_of_offers_purchases_do_and_nothing_else(small_bundle: Bundle) -> None:
    model, _ = parts(small_bundle)
    assert not model.collaborative.trained.all()
    np.testing.assert_array_equal(model.collaborative.told, model.collaborative.trained)


def test_people_are_listed_new_offers_of_the_kind_they_like(bundle: Bundle) -> None:
    model, query = parts(bundle)
    scores = model.collaborative.score(query)
    rows = [model.encoders.offer_rows[name] for name in NEW]
    kinds = np.array([name[:-2] for name in model.encoders.offer_ids])
    redeemed = query.redeemed.toarray()
    liked = np.column_stack([redeemed[:, kinds == kind].sum(axis=1) for kind in KINDS])
    sure = liked.max(axis=1) >= 4
    assert sure.sum() > 50
    right = scores[sure][:, rows].argmax(axis=1) == liked[sure].argmax(axis=1)
    assert right.mean() > 0.98


def test_an_offer_that_comes_later_is_scored_as_if_it_had_been_there(bundle: Bundle) -> None:
    fewer = tables()
    fewer["offers"] = fewer["offers"][~fewer["offers"]["offer_id"].isin(NEW)]
    trained = train(Dataset.of(fewer))
    none = dict.fromkeys(OFFERS.names)
    more = [
        {**none, "offer_id": name, "title": name, "category": name[:-2], "items": ()}
        for name in NEW
    ]
    (arrived, query), (whole, same) = parts(with_arrivals(trained, more)), parts(bundle)
    np.testing.assert_array_equal(arrived.encoders.offer_ids, whole.encoders.offer_ids)
    np.testing.assert_allclose(
        arrived.collaborative.attributes.points, whole.collaborative.attributes.points, atol=1e-9
    )
    weight = whole.collaborative.weight
    one = replace(arrived.collaborative, weight=weight).score(query)
    two = whole.collaborative.score(same)
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def test_its_reason_speaks_of_offers_like_it(bundle: Bundle) -> None:
    service = Service(bundle)
    query = parts(bundle)[1].one(0)
    for name, words in (("red00", "take this too"), (NEW[0], "take offers like this")):
        row = service.recommender.encoders.offer_rows[name]
        listed = [Listed(row, 0.1, Source.COLLABORATIVE, {Source.COLLABORATIVE: 1.0})]
        (said,) = service.explainer.reasons(query, listed)
        assert said[0].startswith("Customers who took up “")
        assert words in said[0] or said[0] == "You took this before."


def test_it_is_kept_with_the_model(bundle: Bundle, tmp_path: Path) -> None:
    kept = load(tmp_path / "m", save(bundle, tmp_path / "m").version)
    lists = [
        Service(one).recommend(parts(one)[1].one(0), Wish(one.moment, 5, offers=frozenset(NEW)))
        for one in (bundle, kept)
    ]
    assert lists[0] == lists[1]
    assert len(lists[0][0].offers) == len(NEW)
