"""Lists by way of rough scores are those of exact scores of everything, whatever is wished."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recommender.base import Query, Source, stack
from recommender.bundle import Bundle
from recommender.hybrid import Blend, Hybrid
from recommender.outline import outline
from recommender.serving import choosing
from recommender.serving.choosing import Chooser
from recommender.serving.lists import Ranked, Wish
from recommender.serving.ranking import Knobs, leaders

SEED = np.random.default_rng(0)


def lists_of(
    bundle: Bundle, query: Query, allowed: np.ndarray, wish: Wish, few: int, strip: int = 320_000
) -> Ranked:
    assert bundle.recommender is not None
    category = np.arange(allowed.shape[1]) % 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "FEW_CELLS", few)
        patch.setattr(choosing, "STRIP_CELLS", strip)
        return Chooser(bundle.recommender, category).choose(query, allowed, wish, SEED)


def assert_same(found: Ranked, exact: Ranked) -> None:
    for field in fields(Ranked):
        ours, theirs = getattr(found, field.name), getattr(exact, field.name)
        assert ours.shape == theirs.shape
        if field.name in ("length", "speaking"):
            np.testing.assert_array_equal(ours, theirs)
            continue
        for person, length in enumerate(exact.length.tolist()):
            np.testing.assert_allclose(
                ours[person, :length], theirs[person, :length], rtol=1e-11, atol=1e-11
            )


def bare(query: Query) -> Query:
    """Forget everything."""
    return Query(*(sp.csr_matrix(part.shape) for part in query.parts()))


def drawn(bundle: Bundle, random: np.random.Generator) -> Query:
    """Draw customers of whom one thing or another is known, the same for all or not."""
    query = bundle.customers.query
    assert query is not None
    kinds = [
        query,
        query.without_history(),
        query.without_purchases(),
        query.without_history().without_purchases(),
        bare(query),
    ]
    kind = random.choice(5, random.integers(1, 4))
    people = random.integers(0, len(query), 30)
    return stack([kinds[random.choice(kind)].one(row) for row in people])


def with_steep_offers(bundle: Bundle, random: np.random.Generator) -> Bundle:
    """Let log-odds be above what popularity scores, and profiles count throughout."""
    model = bundle.recommender
    assert model is not None
    weight = model.hybrid.weight.copy()
    weight[model.hybrid.sources.index(Source.DEMOGRAPHIC)] = 1.0
    steep = random.gamma(1.0, 3.0, model.n_offers)
    hybrid = replace(model.hybrid, steep=steep, weight=weight)
    return replace(bundle, recommender=replace(model, hybrid=hybrid))


@pytest.mark.parametrize("seed", range(6))
def test_rough_scores_are_as_near_the_exact_ones_as_they_say(
    small_bundle: Bundle, seed: int
) -> None:
    random = np.random.default_rng(seed)
    query = drawn(small_bundle, random)
    for bundle in (small_bundle, with_steep_offers(small_bundle, random)):
        model = bundle.recommender
        assert model is not None
        rough = outline(model.hybrid, model.read(query), query)
        gap = np.abs(rough.whole() - model.blend(query).score).max(axis=1)
        assert (gap <= rough.slip()).all()


@pytest.mark.parametrize(
    "seed", [*range(20), *(pytest.param(n, marks=pytest.mark.slow) for n in range(20, 60))]
)
def test_the_short_way_leads_to_the_same_lists(small_bundle: Bundle, seed: int) -> None:
    random = np.random.default_rng(seed)
    query = drawn(small_bundle, random)
    allowed = random.random((30, len(small_bundle.offers))) < random.choice([0.0, 0.02, 0.2, 1.0])
    if seed % 2:  # as if nobody had logged what was shown
        small_bundle = with_steep_offers(small_bundle, random)
    wish = Wish(
        at=small_bundle.moment,
        n=int(random.integers(1, 40)),
        knobs=Knobs(random.choice([0.0, 0.3, 0.9]), random.choice([0.0, 0.0, 0.5])),
    )
    strip = int(random.choice([1, 1000, 320_000]))
    exact = lists_of(small_bundle, query, allowed, wish, few=10**9)
    assert_same(lists_of(small_bundle, query, allowed, wish, few=0, strip=strip), exact)


def test_sources_that_count_nothing_are_not_scored(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_bundle.recommender
    assert model is not None
    weight = model.hybrid.weight.copy()
    weight[:2] = 0.0
    silent = replace(model, hybrid=replace(model.hybrid, weight=weight))
    query = drawn(small_bundle, np.random.default_rng(1))
    allowed = np.ones((30, model.n_offers), dtype=bool)
    wish = Wish(at=small_bundle.moment)
    bundle = replace(small_bundle, recommender=silent)
    exact = silent.blend(query)
    for name in (type(model.collaborative), type(model.content)):
        monkeypatch.setattr(name, "read", None)
    for few in (0, 10**9):
        found = lists_of(bundle, query, allowed, wish, few=few)
        for person, rows in enumerate(found.rows):
            np.testing.assert_allclose(
                found.contributions[person, :, :-1].T,
                exact.contributions[:, person, rows],
                rtol=1e-11,
                atol=1e-11,
            )
            leading = exact.leading(np.full(len(rows), person), rows)
            assert found.source[person].tolist() == leading.tolist()


def test_exact_lists_made_some_at_a_time_are_the_same(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = drawn(small_bundle, np.random.default_rng(2))
    allowed = np.random.default_rng(2).random((30, len(small_bundle.offers))) < 0.5
    wish = Wish(at=small_bundle.moment, knobs=Knobs(0.0, 0.5))
    whole = lists_of(small_bundle, query, allowed, wish, few=0)
    monkeypatch.setattr(choosing, "EXACT_CELLS", 7 * allowed.shape[1])
    assert_same(lists_of(small_bundle, query, allowed, wish, few=0), whole)


@pytest.mark.parametrize("n", [3, 40])
def test_exact_scores_are_put_together_some_pairs_at_a_time(
    n: int, small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long lists, and lists among very many equal offers, have about all offers for leaders."""
    random = np.random.default_rng(4)
    query = stack([drawn(small_bundle, random) for _ in range(5)])
    allowed = random.random((150, len(small_bundle.offers))) < 0.7
    allowed[[0, 30, 149]] = False  # who may be shown nothing
    wish = Wish(at=small_bundle.moment, n=n)
    whole = lists_of(small_bundle, query, allowed, wish, few=0)
    at_once = []
    blend_pairs = Hybrid.blend_pairs

    def blend(hybrid: Hybrid, scores: np.ndarray, *rest: Any) -> Blend:
        at_once.append(scores.shape[1])
        return blend_pairs(hybrid, scores, *rest)

    monkeypatch.setattr(Hybrid, "blend_pairs", blend)
    monkeypatch.setattr(choosing, "PAIRS", 100, raising=False)
    found = lists_of(small_bundle, query, allowed, wish, few=0)
    assert max(at_once) < 100 + allowed.shape[1]
    for field in fields(Ranked):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(whole, field.name))


def test_offers_alike_to_the_last_bit_stand_in_their_order(small_bundle: Bundle) -> None:
    """Nothing is known and everything is equally popular: ties across the end of every list."""
    model = small_bundle.recommender
    assert model is not None
    assert small_bundle.customers.query is not None
    flat = replace(model.popularity, base=np.full(model.n_offers, -3.0))
    alike = dict.fromkeys(("trend", "ready", "unmet", "steep"), np.zeros(model.n_offers))
    hybrid = replace(model.hybrid, known=np.full(model.n_offers, 0.5), **alike)
    bundle = replace(small_bundle, recommender=replace(model, popularity=flat, hybrid=hybrid))
    query = bare(small_bundle.customers.query.take(np.arange(40)))
    allowed = np.random.default_rng(0).random((40, model.n_offers)) < 0.7
    found = lists_of(bundle, query, allowed, Wish(at=bundle.moment, n=5), few=0)
    for person in range(40):
        assert found.rows[person].tolist() == np.flatnonzero(allowed[person])[:5].tolist()


@given(
    hnp.arrays(np.float32, (3, 57), elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0])),
    st.integers(1, 70),
)
def test_leaders_hold_the_best_and_everything_else_is_below_the_limit(
    score: np.ndarray, n: int
) -> None:
    rows, columns, limit = leaders(score, n)
    chosen = np.zeros(score.shape, dtype=bool)
    chosen[rows, columns] = True
    assert np.isfinite(score[chosen]).all()
    listable = np.isfinite(score)
    assert (chosen.sum(axis=1) >= np.minimum(listable.sum(axis=1), n)).all()
    left = np.where(listable & ~chosen, score, -np.inf)
    assert ((left.max(axis=1) < limit) | np.isneginf(left.max(axis=1))).all()
