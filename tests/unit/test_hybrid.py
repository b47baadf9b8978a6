"""The hybrid adds up, and silent sources leave their weight where it belongs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import logit

from recommender.base import Query, Source
from recommender.features.corners import corner_shares, met_of
from recommender.features.habits import EVENTS
from recommender.fitting.prior import LEAST_SPREAD, prior_hybrid
from recommender.hybrid import Hybrid
from recommender.scoring.starts import Start
from recommender.scoring.terms import LIFTS, PRIOR, TREND, UNMET, limits

CORNERS = 4
SOURCES = tuple(str(source) for source in Source)
SEGMENT, POPULARITY = SOURCES.index("segment"), SOURCES.index("popularity")
DEMOGRAPHIC, SURVEY = SOURCES.index("demographic"), SOURCES.index("survey")


def query_of(events: int, keys: int) -> Query:
    def row(n: int) -> sp.csr_matrix:
        return sp.csr_matrix(np.r_[np.ones(n), np.zeros(30 - n)][None, :])

    none, spent = sp.csr_matrix((1, 0)), sp.csr_matrix((1, 1))
    told = {"history": row(events), "redeemed": row(0), "bought": row(0), "purchases": row(keys)}
    told |= {"spent": spent, "responses": sp.csr_matrix((1, len(EVENTS)))}
    return Query(**(dict.fromkeys(Query.__dataclass_fields__, none) | told))


def believed(answers: int) -> Start:
    nobody = sp.csr_matrix((1, 0))
    return Start.believed(sp.csr_matrix((1, answers)), nobody, np.zeros(0, dtype=np.int64), nobody)


def hybrid_of(
    weight: np.ndarray, slope: float = 1.0, intercept: float = 0.0, offers: int | None = None
) -> Hybrid:
    n = 5 if offers is None else offers
    known, trend, ready = np.linspace(0, 1, n), np.linspace(1, -1, n), np.linspace(1, 0, n)
    unmet, steep = (known == 0).astype(float), np.linspace(0, 2, n)
    centre, scale = np.full(6, 0.1), np.full(6, 2.0)
    calibrated = slope != 1.0
    start = replace(believed(len(EVENTS)), level=intercept)
    of_offers = known, trend, ready, unmet, steep
    return Hybrid(SOURCES, centre, scale, weight, *of_offers, start, slope, calibrated)


scores = hnp.arrays(
    np.float64, (6, 1, 5), elements=st.one_of(st.floats(-5, 5), st.just(float("nan")))
)
weights = hnp.arrays(np.float64, (10, CORNERS), elements=st.floats(0, 3))


@settings(deadline=None)
@given(scores, weights, st.floats(0.1, 3), st.floats(-6, 2), st.integers(0, 30), st.integers(0, 30))
def test_contributions_add_up_to_the_score(
    score: np.ndarray, weight: np.ndarray, slope: float, intercept: float, events: int, keys: int
) -> None:
    # Popularity always speaks.
    score[POPULARITY] = np.nan_to_num(score[POPULARITY])
    blend = hybrid_of(weight, slope, intercept).blend(score, query_of(events, keys))
    np.testing.assert_allclose(
        blend.contributions.sum(axis=0) + blend.intercept, blend.score, atol=1e-9
    )
    assert np.isfinite(blend.score).all()
    silent = np.isnan(score)
    assert (blend.contributions[silent] == 0).all()


@settings(deadline=None)
@given(scores, weights, st.integers(0, 30), st.integers(0, 30))
def test_features_times_weights_are_the_uncalibrated_score(
    score: np.ndarray, weight: np.ndarray, events: int, keys: int
) -> None:
    score[POPULARITY] = np.nan_to_num(score[POPULARITY])
    hybrid, query = hybrid_of(weight), query_of(events, keys)
    # What the listwise fit multiplies is what serving adds up.
    terms = hybrid.terms(score, met_of(query))
    fitted = np.einsum("fno,fn->no", terms, weight @ corner_shares(query).T)
    np.testing.assert_allclose(fitted, hybrid.blend(score, query).score, atol=1e-9)


def test_a_silent_segment_leaves_the_list_to_popularity() -> None:
    weight = np.zeros((10, CORNERS))
    weight[SEGMENT] = weight[POPULARITY] = weight[POPULARITY + 1] = 1.0
    score = np.full((6, 1, 3), np.nan)
    score[POPULARITY, 0] = [3.0, 1.0, 2.0]
    blend = hybrid_of(weight, offers=3).blend(score, query_of(0, 0))
    assert blend.score.argsort()[0].tolist() == [1, 2, 0]
    assert (blend.leading(np.zeros(3, dtype=int), np.arange(3)) == POPULARITY).all()
    assert (blend.contributions[SEGMENT] == 0).all()


def test_a_segment_that_is_as_everyone_adds_nothing() -> None:
    score = np.full((6, 1, 3), np.nan)
    score[POPULARITY, 0] = [3.0, 1.0, 2.0]
    score[SEGMENT, 0] = [3.0, 1.0, 4.0]
    blend = hybrid_of(np.ones((10, CORNERS)), offers=3).blend(score, query_of(0, 0))
    np.testing.assert_allclose(blend.contributions[SEGMENT, 0], [0.0, 0.0, 1.0])


def test_profile_and_popularity_of_a_stranger_make_the_log_odds_of_the_profile() -> None:
    rate, own = np.array([0.9, 0.5, 0.1]), np.array([0.4, 0.6, 0.3])
    level, odds, told = np.log(rate), logit(rate), logit(own)
    hybrid = replace(
        hybrid_of(np.ones((10, CORNERS)), offers=3),
        centre=np.zeros(6),
        scale=np.ones(6),
        known=np.ones(3),
        trend=np.zeros(3),
        unmet=np.zeros(3),
        steep=odds - level,
    )
    score = np.full((6, 1, 3), np.nan)
    score[POPULARITY, 0], score[DEMOGRAPHIC, 0] = level, told
    np.testing.assert_allclose(hybrid.blend(score, query_of(0, 0)).score[0], told)
    # Of somebody with a history the profile adds its log-odds to everyone's.
    met = met_of(query_of(30, 30))[0]
    known = hybrid.blend(score, query_of(30, 30)).score[0]
    np.testing.assert_allclose(known, level + told - level - met * (odds - level))
    # Answers speak beside the profile, or without one in its place.
    score[SURVEY, 0] = told + np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(hybrid.blend(score, query_of(0, 0)).score[0], score[SURVEY, 0])
    score[DEMOGRAPHIC] = np.nan
    np.testing.assert_allclose(hybrid.blend(score, query_of(0, 0)).score[0], score[SURVEY, 0])


def test_what_popularity_gained_of_late_is_a_contribution_of_popularity() -> None:
    weight = np.zeros((10, CORNERS))
    weight[list(PRIOR).index(TREND)] = 0.5
    blend = hybrid_of(weight, offers=3).blend(np.zeros((6, 1, 3)), query_of(0, 0))
    np.testing.assert_allclose(blend.contributions[POPULARITY, 0], [0.5, 0.0, -0.5])
    np.testing.assert_allclose(blend.score[0], [0.5, 0.0, -0.5])


@pytest.mark.parametrize(
    ("events", "keys", "corner"), [(0, 0, 0), (30, 0, 1), (0, 30, 2), (30, 30, 3)]
)
def test_what_is_known_moves_customers_towards_their_corner(
    events: int, keys: int, corner: int
) -> None:
    shares = corner_shares(query_of(events, keys))[0]
    assert shares.sum() == pytest.approx(1)
    assert shares.argmax() == corner


def test_one_more_event_moves_the_shares_a_little() -> None:
    steps = [corner_shares(query_of(n, 5))[0] for n in range(30)]
    assert max(np.abs(a - b).max() for a, b in pairwise(steps)) < 0.4


def test_a_lift_counts_its_share_of_a_log_odds_whatever_the_spread() -> None:
    random = np.random.default_rng(0)
    for spread in (0.5, 3.0):
        rate = spread * random.normal(size=40)
        none = np.zeros(40)
        nobody = believed(3)
        hybrid = prior_hybrid(rate, none[None], none[None], *[none] * 5, nobody)
        share = hybrid.weight[SEGMENT] / hybrid.scale[SEGMENT]
        np.testing.assert_allclose(share, PRIOR[Source.SEGMENT])


def test_no_lift_may_count_more_than_two_log_odds() -> None:
    for spread in (0.5, 3.0):
        most = dict(zip(PRIOR, limits(spread), strict=True))
        for term in LIFTS:
            np.testing.assert_allclose(most[term] / spread, 2.0)
        assert most[TREND].tolist() == [0.0, 1.0, 0.0, 1.0], "newcomers have had nothing of it yet"
        rated = dict(zip(PRIOR, limits(spread, newcomers_follow=True), strict=True))
        assert rated[TREND].tolist() == [1.0] * 4, "where they follow it"


def test_what_nobody_met_loses_what_that_counts() -> None:
    weight = np.zeros((10, CORNERS))
    weight[list(PRIOR).index(UNMET)] = 2.0
    blend = hybrid_of(weight, offers=3).blend(np.zeros((6, 1, 3)), query_of(0, 0))
    np.testing.assert_allclose(blend.contributions[POPULARITY, 0], [-2.0, 0.0, 0.0])


def test_new_scales_change_two_sources_and_nothing_else() -> None:
    hybrid = hybrid_of(np.ones((10, CORNERS)))
    found = hybrid.rescaled(np.array([[1.0, 3.0]]), np.array([[np.nan, 4.0, 8.0]]))
    np.testing.assert_allclose(found.centre, [2.0, 6.0, *hybrid.centre[2:]])
    np.testing.assert_allclose(found.scale, [1.0, 2.0, *hybrid.scale[2:]])
    for name in ("weight", "known", "trend", "ready", "unmet", "steep"):
        assert getattr(found, name) is getattr(hybrid, name)


def test_without_segments_the_profile_is_believed_as_far_as_both() -> None:
    none, nobody = np.zeros(3), believed(3)
    with_, without = (
        prior_hybrid(
            np.arange(3.0), none[None], none[None], *[none] * 5, nobody, segmented=segmented
        ).named_weights()
        for segmented in (True, False)
    )
    for corner, weight in without[Source.DEMOGRAPHIC].items():
        both = with_[Source.DEMOGRAPHIC][corner] + with_[Source.SEGMENT][corner]
        assert weight == pytest.approx(both, abs=1e-3)
    assert without["popularity of known offers"] == with_["popularity of known offers"]


def test_offers_that_hardly_differ_are_no_unit() -> None:
    none, nobody = np.zeros(3), believed(3)
    for rate in (np.array([0.0, 0.001, 0.002]), np.array([0.0, 0.1, 0.2])):
        made = prior_hybrid(rate, none[None], none[None], *[none] * 5, nobody)
        assert made.scale[-1] == LEAST_SPREAD
    assert prior_hybrid(
        np.array([0.0, 1.0, 2.0]), none[None], none[None], *[none] * 5, nobody
    ).scale[-1] == pytest.approx(np.std([0.0, 1.0, 2.0]))
