"""Everyone's rates: shrunk, and for a new offer what its items and its merchant let expect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.special import logit

from recommender.features.attributes import Attributes
from recommender.features.readiness import Readiness
from recommender.fitting.rates import Chances, estimate_rates
from recommender.popularity import Expectation, PopularityScorer


def chances(
    events: np.ndarray,
    shown: np.ndarray | None,
    spend: np.ndarray,
    merchant: np.ndarray | None = None,
    *,
    dated: bool = False,
) -> Chances:
    offers = events.shape[1]
    of = np.zeros((offers, 0)) if merchant is None else np.eye(merchant.max() + 1)[merchant]
    unknown = np.full(of.shape[1], np.nan)
    names = np.array([f"merchant:{one}" for one in range(of.shape[1])], dtype=np.str_)
    return Chances(
        events=sp.csr_matrix(events),
        shown=None if shown is None else sp.csr_matrix(shown),
        present=np.ones(events.shape[0], dtype=bool),
        live=np.ones(events.shape[1]),
        spend=spend.mean(axis=0),
        dated=np.full(offers, dated),
        met=events.any(axis=0),
        placed=np.ones(events.shape[1], dtype=bool),
        attributes=sp.csr_matrix(of),
        columns=Attributes(names, names, unknown, unknown),
    )


def test_a_rate_is_per_showing_where_showing_is_logged() -> None:
    events = np.zeros((100, 2))
    events[:20] = 1
    shown = np.tile([1.0, 4.0], (100, 1))
    rate = np.exp(estimate_rates(chances(events, shown, np.zeros((100, 2)))).log_rate)
    np.testing.assert_allclose(rate, [0.2, 0.05], rtol=0.15)


def test_what_is_taken_more_than_once_a_customer_keeps_its_order() -> None:
    random = np.random.default_rng(0)
    events = random.poisson([4.0, 2.0, 1.5, 0.2], (300, 4)).astype(np.float64)
    rate = np.exp(estimate_rates(chances(events, None, np.zeros((300, 4)))).log_rate)
    np.testing.assert_allclose(rate, events.sum(axis=0) / events.sum(axis=0).max(), rtol=0.05)
    # What can be taken once only has one chance a customer.
    once = events.clip(max=1.0)
    rate = np.exp(estimate_rates(chances(once, None, np.zeros((300, 4)))).log_rate)
    np.testing.assert_allclose(rate, once.mean(axis=0), rtol=0.05)


def test_tags_without_number_do_not_drown_what_tells_of_new_offers() -> None:
    random = np.random.default_rng(0)
    offers, tags, people = 600, 400, 200
    liked = np.arange(offers) % 6 == 0
    rate = np.where(liked, 0.15, 0.03) * random.gamma(2.0, 0.5, offers)
    events = (random.random((people, offers)) < rate).astype(np.float64)
    new = np.arange(offers) >= 500
    events[:, new] = 0
    has = np.column_stack([liked, ~liked, random.random((offers, tags)) < 0.15])
    names = np.array([*("kind:a", "kind:b"), *(f"tag:{one}" for one in range(tags))])
    family = np.array([name.split(":")[0] for name in names])
    unknown = np.full(len(names), np.nan)
    told = replace(
        chances(events, None, np.zeros((people, offers))),
        attributes=sp.csr_matrix(has.astype(np.float64)),
        columns=Attributes(names, family, unknown, unknown),
    )
    found = estimate_rates(told).log_rate[new]
    assert found[liked[new]].mean() - found[~liked[new]].mean() > 0.7
    # Of tags that tell nothing little is left.
    assert found[~liked[new]].std() < 0.2


def test_few_redemptions_are_held_to_the_rest() -> None:
    events = np.zeros((1000, 3))
    events[:100, :2] = 1
    shown = np.ones((1000, 3))
    shown[5:, 2] = 0
    events[:5, 2] = 1  # five of five is not one hundred percent
    rate = np.exp(estimate_rates(chances(events, shown, np.zeros((1000, 3)))).log_rate)
    assert rate[2] < 0.5


def test_a_new_offer_is_expected_to_be_as_popular_as_what_it_is_for() -> None:
    random = np.random.default_rng(0)
    liking = np.array([0.02, 0.05, 0.1, 0.2, 0.05, 0.2])
    spend = random.poisson(40 * liking, (2000, 6)).astype(float)
    events = (random.random((2000, 6)) < liking).astype(float)
    events[:, 4:] = 0  # new
    found = chances(events, np.c_[np.ones((2000, 4)), np.zeros((2000, 2))], spend)
    rate = estimate_rates(found).log_rate
    assert rate[5] > rate[4] + 0.5


def test_a_new_offer_is_expected_to_do_as_its_merchant_does() -> None:
    random = np.random.default_rng(0)
    merchant = np.repeat(np.arange(20), 4)
    willing = np.arange(20) % 2 == 0
    events = (random.random((2000, 80)) < 0.05 * willing[merchant]).astype(float)
    shown = np.ones((2000, 80))
    new = np.arange(80) % 4 == 3  # one of each merchant's is new
    events[:, new], shown[:, new] = 0.0, 0.0
    found = estimate_rates(chances(events, shown, np.zeros((2000, 80)), merchant))
    rate = np.exp(found.log_rate)
    assert rate[new & willing[merchant]].min() > 0.03
    assert rate[new & ~willing[merchant]].max() < 0.003
    assert np.ptp(found.effect) > 3


def test_merchants_that_do_not_differ_add_nothing() -> None:
    random = np.random.default_rng(1)
    merchant = np.repeat(np.arange(20), 4)
    events = (random.random((2000, 80)) < 0.05).astype(float)
    found = estimate_rates(chances(events, np.ones((2000, 80)), np.zeros((2000, 80)), merchant))
    assert np.abs(found.effect).max() < 0.15


def test_nothing_redeemed_and_nothing_shown_still_give_rates() -> None:
    nothing = np.zeros((10, 3))
    for shown in (None, nothing, np.ones((10, 3))):
        found = estimate_rates(chances(nothing, shown, nothing, np.array([0, 1, 1])))
        assert np.isfinite(found.log_rate).all()
        assert (found.effect == 0).all()


def test_groups_that_come_and_go_are_not_compared_where_nobody_knows_who_was_shown_what() -> None:
    events = np.zeros((100, 4))
    events[:40, :2] = 1
    events[:4, 2:] = 1
    of, no_spend = np.array([0, 0, 1, 1]), np.zeros((100, 4))
    found = estimate_rates(chances(events, None, no_spend, of, dated=True))
    assert (found.effect == 0).all()
    # What is always there is open to everybody.
    found = estimate_rates(chances(events, None, no_spend, of))
    assert found.effect[0] > 0.1 > -0.1 > found.effect[1]


def test_what_nobody_met_and_has_no_dates_is_expected_to_do_as_others_like_it() -> None:
    random = np.random.default_rng(0)
    of = np.repeat([0, 1], 20)
    events = (random.random((400, 40)) < np.where(of, 0.05, 0.2)).astype(float)
    events[:, [19, 39]] = 0.0
    dated, not_dated = (
        chances(events, None, np.zeros((400, 40)), of, dated=dated) for dated in (True, False)
    )
    rate = np.exp(estimate_rates(not_dated).log_rate)
    assert rate[19] > 1.5 * rate[39] > 0.05
    assert not_dated.unmet().nonzero()[0].tolist() == [19, 39]
    # With dates it was there, and nobody wanted it.
    assert np.exp(estimate_rates(dated).log_rate)[19] < 0.01
    assert not dated.unmet().any()


def test_where_rates_are_chances_popularity_scores_their_log_odds() -> None:
    rate = np.array([1e-6, 0.03, 0.5, 0.75, 0.99])
    nothing = np.empty(0)
    expectation = Expectation(0.0, 0.0, 0.0, nothing, nothing, nothing, Readiness(nothing, nothing))
    plain = PopularityScorer(np.log(rate), expectation)
    rated = replace(plain, rated=True)
    np.testing.assert_allclose(plain.level, np.log(rate))
    np.testing.assert_allclose(rated.level[:4], logit(rate[:4]))
    assert (np.diff(rated.level) > 0).all()
    assert np.isfinite(rated.level).all()
