"""Offers with very many tags: tastes for rare ones count, whoever asks and whenever offers come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from data.dataset import Dataset
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.features.attributes import MOST
from recommender.features.likeness import fit_likeness
from recommender.features.many import SPREAD, fit_many
from recommender.fitting.stacking import stack
from recommender.scoring.liked import Liked
from recommender.scoring.sparse_product import SparseProduct, SparseSide
from recommender.service import Service
from recommender.serving.arrivals import with_arrivals
from recommender.storage.model_folder import load, save
from recommender.training import train
from tests.conftest import sparing

GROUPS, EACH, PEOPLE, TAGS = 40, 9, 240, 8
START = pd.Timestamp("2025-01-01", tz="UTC")


def tables() -> dict[str, pd.DataFrame]:
    """Return people who each take offers of one group; offers of a group share a few of its tags.

    The last offer of each group nobody took yet.
    """
    random = np.random.default_rng(0)
    offers, log = [], []
    for group in range(GROUPS):
        for place in range(EACH):
            own = [f"g{group:02d}x{tag}" for tag in random.choice(31, TAGS, replace=False)]
            tags = "|".join([f"g{group:02d}", "all", *own])
            offers.append({"offer_id": f"o{group:02d}{place}", "tags": tags, "reward": 1.0 + place})
    for person in range(PEOPLE):
        for place in random.choice(EACH - 1, 4, replace=False):
            log.append(
                {"customer_id": f"c{person:03d}", "offer_id": f"o{person % GROUPS:02d}{place}"}
            )
    when = START + pd.to_timedelta(random.integers(0, 2000, len(log)), unit="h")
    taken = pd.DataFrame(log).assign(event_type="redemption", occurred_at=when)
    return {"offers": pd.DataFrame(offers), "interactions": taken}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    with sparing():
        return train(Dataset.of(tables()))


def test_where_attributes_are_few_there_is_nothing_more_of_them(small_bundle: Bundle) -> None:
    assert small_bundle.recommender is not None
    assert small_bundle.recommender.content.many is None
    assert not any("categories" in note for note in small_bundle.notes)


def content(bundle: Bundle, person: str = "c003") -> np.ndarray:
    service = Service(bundle)
    query = service.query(person, Facts(), bundle.moment)
    return np.asarray(service.recommender.content.score(query)[0])


def test_training_says_how_many_there_are_and_what_goes_by_them(bundle: Bundle) -> None:
    assert bundle.recommender is not None
    found = bundle.recommender.content
    assert found.many is not None
    assert len(found.columns.names) > MOST
    names = int(np.count_nonzero(~found.columns.is_number))
    assert any(f"{names:,} categories and tags" in note for note in bundle.notes)


def test_a_new_offer_is_found_by_tags_that_few_have(bundle: Bundle) -> None:
    assert bundle.recommender is not None
    rows = bundle.recommender.encoders.offer_rows
    fresh = np.array([rows[f"o{group:02d}{EACH - 1}"] for group in range(GROUPS)])
    best = [content(bundle, f"c{person:03d}")[fresh].argmax() for person in range(GROUPS)]
    assert np.mean(np.array(best) == np.arange(GROUPS)) > 0.9


def test_one_customer_is_told_what_a_batch_is(bundle: Bundle) -> None:
    assert bundle.recommender is not None
    assert bundle.customers.query is not None
    scorer, query = bundle.recommender.content, bundle.customers.query
    whole = scorer.part("liked", query)
    alone = scorer.part("liked", query.one(5))
    columns = np.arange(GROUPS * EACH)
    np.testing.assert_array_equal(
        whole.at(np.full_like(columns, 5), columns), alone.at(np.zeros_like(columns), columns)
    )
    np.testing.assert_allclose(alone.table()[0], whole.table()[5], rtol=0, atol=1e-12)


def test_an_offer_that_comes_later_is_scored_as_in_training(bundle: Bundle) -> None:
    known = tables()["offers"].iloc[3 * EACH]
    twin = {"offer_id": "o999", "tags": known["tags"] + "|never seen", "reward": known["reward"]}
    later = with_arrivals(bundle, [twin])
    assert later.recommender is not None
    rows = later.recommender.encoders.offer_rows
    scores = content(later)
    assert scores[rows["o999"]] == pytest.approx(scores[rows[known["offer_id"]]], abs=1e-12)
    before = content(bundle)
    np.testing.assert_allclose(np.delete(scores, rows["o999"]), before, rtol=0, atol=1e-12)


def test_the_reason_names_a_tag_of_the_group(bundle: Bundle) -> None:
    assert bundle.recommender is not None
    assert bundle.customers.query is not None
    scorer = bundle.recommender.content
    lift = scorer.liked(bundle.customers.query.one(3))[0]
    row = bundle.recommender.encoders.offer_rows[f"o03{EACH - 1}"]
    own = scorer.attributes[[row]].tocoo()
    best = own.col[(lift[own.col] * own.data).argmax()]
    assert scorer.columns.told(int(best)) == "g03 (tag)"


def test_a_stored_model_scores_alike(bundle: Bundle, tmp_path: Path) -> None:
    save(bundle, tmp_path)
    np.testing.assert_array_equal(content(load(tmp_path)), content(bundle))


def shelf(seed: int, offers: int = 60, columns: int = 12) -> tuple[sp.csr_matrix, np.ndarray]:
    random = np.random.default_rng(seed)
    has = (random.random((offers, columns)) < 0.3).astype(float)
    return sp.csr_matrix(has), random.gamma(1.0, 20.0, offers)


def test_lifts_solve_a_regression_with_what_varies_alike_beyond_the_axes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recommender.features.many.AXES", 3)
    attributes, often = shelf(0)
    many = fit_many(attributes, often, np.arange(60))
    told = many.lay_out(attributes).toarray()
    stated = told.any(axis=1)
    np.testing.assert_allclose((told**2).sum(axis=1)[stated], 1.0)
    share = often * stated / often[stated].sum()
    away = (told - share @ told) * stated[:, None]
    covariance = away.T @ (share[:, None] * away)
    np.testing.assert_allclose(many.spread, np.linalg.eigvalsh(covariance)[::-1][:3], rtol=1e-6)
    rest = np.eye(12) - many.axes @ many.axes.T
    assert many.beyond * (12 - 3) == pytest.approx(np.trace(covariance) - many.spread.sum())
    taken = (np.random.default_rng(1).random((4, 60)) < 0.2).astype(float)
    likeness = fit_likeness(attributes, often)
    liked = Liked(likeness, replace(many, frequent=0.0), attributes)
    found = liked.part(sp.csr_matrix(taken)).table()
    for own, scores in zip(taken, found, strict=True):
        varies = many.axes @ np.diag(many.spread) @ many.axes.T + many.beyond * rest
        gram = own.sum() * varies + np.eye(12) / SPREAD**2
        np.testing.assert_allclose(scores, away @ np.linalg.solve(gram, away.T @ own), atol=1e-9)


def test_nothing_taken_or_nothing_stated_says_nothing() -> None:
    attributes, often = shelf(2)
    for has, counts in ((attributes, np.zeros(60)), (sp.csr_matrix((60, 12)), often)):
        many = fit_many(has, counts, np.arange(60))
        liked = Liked(fit_likeness(has, counts), many, has)
        scores = liked.part(sp.csr_matrix((2, 60))).table()
        np.testing.assert_array_equal(scores, np.zeros((2, 60)))


@pytest.mark.parametrize("by_kind", [True, False])
def test_what_people_go_by_counts(by_kind: bool) -> None:
    random = np.random.default_rng(0)
    offers, people = 400, 200
    kind, tag = random.integers(0, 4, offers), random.integers(0, 80, offers)
    has = sp.csr_matrix(np.hstack([np.eye(4)[kind], np.eye(80)[tag]]))
    own = kind if by_kind else tag
    likes = random.integers(0, own.max() + 1, people)
    likely = 1.0 + 40.0 * (own == likes[:, None])
    rows = [random.choice(offers, 12, replace=False, p=one / one.sum()) for one in likely]
    taken = sp.csr_matrix(
        (np.ones(12 * people), (np.repeat(np.arange(people), 12), np.concatenate(rows))),
        shape=(people, offers),
    )
    often = np.asarray(taken.sum(axis=0)).ravel()
    frequent = np.r_[np.ones(4), np.zeros(80)]  # the likeness knows kinds alone
    likeness = fit_likeness(sp.csr_matrix(has @ sp.diags_array(frequent)), often)
    found = stack(likeness, fit_many(has, often, np.arange(offers)), has, taken, 0)
    assert (found.frequent > found.whole) == by_kind
    assert min(found.frequent, found.whole) >= 0


def test_rough_sums_are_off_by_no_more_than_they_say() -> None:
    random = np.random.default_rng(3)
    side = sp.random_array((50, 300), density=0.03, rng=random, format="csr")
    part = SparseProduct(random.normal(size=(6, 300)), SparseSide(sp.csr_matrix(side)))
    whole = part.left @ side.toarray().T
    np.testing.assert_allclose(part.table(), whole, atol=1e-12)
    rows, columns = random.integers(0, 6, 40), random.integers(0, 50, 40)
    np.testing.assert_allclose(part.at(rows, columns), whole[rows, columns], atol=1e-12)
    total = np.zeros((4, 50), dtype=np.float32)
    factor = random.random(4) + 0.5
    part.add_to(total, slice(1, 5), factor, np.empty_like(total))
    off = np.abs(total - factor[:, None] * whole[1:5]).max(axis=1)
    assert (off <= factor * part.slip()[1:5]).all()
