"""Ranking among what was shown, and whether probabilities are true, on a made log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.dataset import Dataset
from evaluation.depth.knowledge import find_failures, measure_knowledge
from evaluation.depth.shown import COUNTED, AmongShown, most_redeemed, rank_shown
from evaluation.harness import HEADLINE, rank_policy, run_trial
from evaluation.protocol import Protocol
from evaluation.reliability import Reliability, measure_reliability
from evaluation.splitting import Split, split_dataset
from recommender.base import HYBRID, POLICIES
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.training import train
from tests.conftest import EARLIER

pytestmark = pytest.mark.usefixtures("spared")


@pytest.fixture(scope="module")
def made(small_dataset: Dataset, earlier_bundle: Bundle) -> tuple[Dataset, Split, Service]:
    split = split_dataset(small_dataset, Protocol(at=EARLIER))
    return small_dataset, split, Service(earlier_bundle)


def test_every_policy_ranks_only_what_was_shown(made: tuple[Dataset, Split, Service]) -> None:
    dataset, split, service = made
    found = rank_shown(service, split, dataset)
    assert isinstance(found, AmongShown)
    assert set(found.policies) == {*POLICIES, COUNTED}
    assert set(found.against) == {*POLICIES, COUNTED} - {HYBRID}
    # Fewer offers than all candidates: chance alone does better than over the whole catalogue.
    assert (
        found.policies["random"].value > rank_policy(service, split, "random")[1][HEADLINE].mean()
    )
    assert all(one.n == found.customers for one in found.policies.values())


def test_figures_do_not_depend_on_how_much_is_looked_at_at_once(
    made: tuple[Dataset, Split, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, split, service = made
    whole, truth = rank_shown(service, split, dataset), measure_reliability(service, split, dataset)
    monkeypatch.setattr("evaluation.depth.shown.CELLS", 7 * len(split.candidates) + 3)
    monkeypatch.setattr("recommender.past.layout.CHUNK_CELLS", 7 * service.recommender.n_offers)
    assert rank_shown(service, split, dataset) == whole
    again = measure_reliability(service, split, dataset)
    assert isinstance(truth, Reliability)
    assert isinstance(again, Reliability)
    assert again.slope == pytest.approx(truth.slope)
    for name in ("shown", "expected", "observed"):
        assert getattr(again, name) == pytest.approx(getattr(truth, name))


def test_without_a_log_of_showings_nothing_is_said(made: tuple[Dataset, Split, Service]) -> None:
    dataset, split, service = made
    log = dataset.interactions
    bare = replace(dataset, interactions=log[log["event_type"] != "impression"])
    assert "not measured" in str(rank_shown(service, split, bare))
    relative = Service(
        replace(
            service.bundle,
            recommender=replace(
                service.recommender, hybrid=replace(service.recommender.hybrid, calibrated=False)
            ),
        )
    )
    assert "not measured" in str(measure_reliability(relative, split, dataset))


def test_predicted_and_observed_redemptions_are_those_of_the_window(
    made: tuple[Dataset, Split, Service],
) -> None:
    dataset, split, service = made
    found = measure_reliability(service, split, dataset)
    if not service.calibrated:
        pytest.skip("too little was shown to calibrate")
    assert isinstance(found, Reliability)
    log = dataset.interactions
    later = log[log["occurred_at"] >= split.at]
    pair = ["customer_id", "offer_id"]
    redeemed = later.loc[later["event_type"] == "redemption", pair]
    shown = later.loc[later["event_type"] == "impression", pair].drop_duplicates()
    both = redeemed.merge(shown, on=pair)
    assert 0 < sum(found.observed) <= len(both)
    assert sum(found.observed) >= 0.9 * len(both.drop_duplicates())
    assert sum(found.shown) <= int((later["event_type"] == "impression").sum())
    assert np.all(np.diff(np.array(found.expected) / np.array(found.shown)) >= 0)


def test_of_few_redemptions_no_slope_is_told(made: tuple[Dataset, Split, Service]) -> None:
    dataset, split, service = made
    log = dataset.interactions
    redeemed = (log["event_type"] == "redemption") & (log["occurred_at"] >= split.at)
    few = replace(dataset, interactions=log.drop(index=log.index[redeemed][19:]))
    told = measure_reliability(service, split, few)
    assert isinstance(told, str)
    assert "20 tell a slope" in told


def test_what_was_redeemed_most_is_counted_before_the_moment(
    made: tuple[Dataset, Split, Service],
) -> None:
    _, split, _ = made
    lists = most_redeemed(split, split.customers[:20])
    counts = split.train.events("redemption")["offer_id"].value_counts()
    for _, ranked in lists.groupby("customer_id"):
        assert ranked["offer_id"].map(counts).fillna(0).is_monotonic_decreasing
    once = split.train.offers.loc[~split.train.offers["repeatable"].astype(bool), "offer_id"]
    pair = ["customer_id", "offer_id"]
    before = split.train.events("redemption")[pair]
    before = before[before["offer_id"].isin(once)].drop_duplicates()
    assert lists.merge(before, on=pair).empty
    assert set(lists["offer_id"]) <= set(split.candidates)


def test_knowing_everything_is_better_than_knowing_nothing(
    made: tuple[Dataset, Split, Service],
) -> None:
    _, split, service = made
    found = measure_knowledge(service, split)
    assert not isinstance(found, str)
    assert next(iter(found)) == "nothing"
    assert list(found)[-1] == "and purchases"
    assert found["and purchases"].value > found["nothing"].value
    assert len({one.n for one in found.values()}) == 1


def test_failures_are_lists_without_a_hit(made: tuple[Dataset, Split, Service]) -> None:
    _, split, service = made
    trial = run_trial(service, split, policies=(HYBRID,))
    for one in find_failures(split, trial):
        assert one.taken
        assert not set(one.taken) & set(one.listed)


@pytest.mark.slow
def test_showings_held_out_at_random_are_ranked_and_foretold(
    made: tuple[Dataset, Split, Service],
) -> None:
    dataset, by_time, _ = made
    log = dataset.interactions.assign(occurred_at=by_time.at)
    timeless = replace(dataset, interactions=log, transactions=dataset.transactions.iloc[:0])
    split = split_dataset(timeless, Protocol())
    assert split.held is not None
    service = Service(train(split.train, at=split.at))
    ranked = rank_shown(service, split, timeless)
    assert isinstance(ranked, AmongShown)
    gone = split.held[split.held["event_type"] == "impression"]
    assert 0 < ranked.pairs <= len(gone)
    # Nothing of what is judged was known.
    assert not split.held.index.isin(split.train.interactions.index).any()
    assert service.calibrated
    told = measure_reliability(service, split, timeless)
    assert isinstance(told, Reliability)
    assert sum(told.shown) <= len(gone)
    assert 0 < sum(told.observed) <= len(split.truth)
    assert sum(told.expected) == pytest.approx(sum(told.observed), rel=0.5)
    in_part = replace(split, held=None)
    assert "nothing shown in vain" in str(rank_shown(service, in_part, timeless))
    assert "nothing shown in vain" in str(measure_reliability(service, in_part, timeless))
