"""Replays of logged decisions: exact chances, honest cuts, and the truth where it is known."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import BundleError, DataError, UsageError
from data.synthetic.liking import examined
from data.synthetic.parameters import WorldParameters
from data.synthetic.truth import TrueWorld
from evaluation.off_policy.chances import Decider
from evaluation.off_policy.judging import HEADLINE
from evaluation.off_policy.logged import Shown, past_rates, read_log
from evaluation.off_policy.replay import Replay, replay
from evaluation.off_policy.weights import PolicyEstimate
from evaluation.online import NOT_MEASURED
from evaluation.significance import Estimate
from recommender.batch import recommend_batch
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.serving.lists import Wish
from tests.conftest import EARLIER

pytestmark = pytest.mark.usefixtures("spared")
WORLD = WorldParameters(customers=150, offers=40, days=90, seed=3)  # of conftest's small world
CUT = EARLIER


@pytest.fixture(scope="module")
def replayed(small_dataset: Dataset, earlier_bundle: Bundle) -> Replay:
    policies = ("hybrid", "popularity", "random")
    return replay(small_dataset, policies, at=CUT, bundle=earlier_bundle, explore=0.5)


def shown_only(dataset: Dataset, **columns: object) -> Dataset:
    """Change columns of the impressions."""
    log = dataset.interactions.copy()
    for name, values in columns.items():
        log.loc[log["event_type"] == "impression", name] = values
    return replace(dataset, interactions=log)


def test_every_policy_is_estimated_on_every_measure(replayed: Replay) -> None:
    assert list(replayed.policies) == ["hybrid", "popularity", "random"]
    for measures in replayed.policies.values():
        assert list(measures) == ["ctr", "conversion"]
        for one in measures.values():
            assert set(one.estimates) == {"dr", "snips", "ips", "dm", "position"}
            assert all(found.n == len(replayed.log) for found in one.estimates.values())
            robust = one.estimates[HEADLINE]
            assert robust.low < robust.value < robust.high
            assert one.clipping[-1].estimate == robust
            levels = [clipped.level for clipped in one.clipping]
            assert all(low < high for low, high in pairwise(levels))
    assert isinstance(replayed.logged["ctr"], Estimate)
    assert replayed.logged["ctr"].n == len(replayed.log)
    assert replayed.learnt_from > 0


def test_what_is_gained_is_measured_on_the_same_rows(replayed: Replay) -> None:
    for measures in replayed.policies.values():
        for name, one in measures.items():
            logged = float(replayed.log.answered[name].mean())
            assert one.gain.value == pytest.approx(one.estimates[HEADLINE].value - logged)
    evenly = replayed.policies["random"]["ctr"]
    assert evenly.gain.standard_error < evenly.estimates[HEADLINE].standard_error


@pytest.mark.slow
def test_chances_are_those_of_the_lists_that_serving_makes(
    small_dataset: Dataset, earlier_bundle: Bundle
) -> None:
    log = read_log(Shown.of(small_dataset), CUT, small_dataset.moment_after())
    found = Decider(earlier_bundle, small_dataset, log, CUT).decide("hybrid", 0.0, {})
    assert set(np.unique(found.target)) == {0.0, 1.0}
    service = Service(earlier_bundle)
    random = np.random.default_rng(0)
    rows = random.choice(len(log), 20, replace=False)
    matching = np.flatnonzero(found.target == 1.0)
    for row in (*rows, *random.choice(matching, 20, replace=False)):
        customer = pd.DataFrame({"customer_id": [log.customers[log.customer[row]]]}, dtype="str")
        moment = pd.Timestamp(log.time[row], tz="UTC")
        lists = recommend_batch(service, Dataset.of({"customers": customer}), Wish(moment, n=40))
        place = lists.set_index("rank")["offer_id"].get(log.position[row])
        assert found.target[row] == float(place == log.offer[row])


def test_exploring_mixes_lists_with_even_draws(
    small_dataset: Dataset, earlier_bundle: Bundle
) -> None:
    log = read_log(Shown.of(small_dataset), CUT, small_dataset.moment_after())
    decider = Decider(earlier_bundle, small_dataset, log, CUT)
    table = {"of each": np.random.default_rng(0).random((len(decider.offers), 5))}
    fixed, even, mixed = (
        decider.decide(*how, table) for how in (("hybrid", 0.0), ("random", 0.0), ("hybrid", 0.25))
    )
    for name in ("target", "mass"):
        blend = 0.75 * getattr(fixed, name) + 0.25 * getattr(even, name)
        assert getattr(mixed, name) == pytest.approx(blend)
    blend = 0.75 * fixed.means["of each"] + 0.25 * even.means["of each"]
    assert mixed.means["of each"] == pytest.approx(blend)
    # Drawn evenly, every offer that may be listed then is as likely at each place.
    counts = 1 / even.target[even.target > 0]
    assert counts == pytest.approx(counts.round())
    # Weights average one: the log could show all that an even draw does.
    assert (even.target / log.propensity).mean() == pytest.approx(even.mass.mean(), abs=0.1)


def test_estimates_agree_with_the_true_world(
    small_dataset: Dataset, earlier_bundle: Bundle, replayed: Replay
) -> None:
    world, log = TrueWorld.of(WORLD), replayed.log
    who = world.rows(pd.Series(log.customers))[log.customer]
    decider = Decider(earlier_bundle, small_dataset, log, CUT)
    column = pd.Index(world.stage.offers.table["offer_id"]).get_indexer(decider.offers.ids)
    pairs = np.repeat(np.arange(150), len(column)), np.tile(column, 150)
    like = world.liking.click(*pairs).reshape(150, len(column), 1) * examined(np.arange(1, 6))
    tables = {str(person): table for person, table in enumerate(like)}
    for policy in ("popularity", "random"):
        # What each customer would click is read where it is that customer's row.
        means = np.stack(list(decider.decide(policy, 0.5, tables).means.values()))
        truth = means[who, np.arange(len(log))]
        found = replayed.policies[policy]["ctr"].estimates
        for name in ("dr", "snips", "ips", "position"):
            one = found[name]
            assert one.value == pytest.approx(truth.mean(), abs=4 * one.standard_error), name


def test_a_policy_that_is_the_log_s_own_gains_nothing(
    small_dataset: Dataset, earlier_bundle: Bundle
) -> None:
    # One offer is valid at a time, so everybody is shown it with certainty.
    offers = earlier_bundle.offers.assign(repeatable=True)
    offers.loc[1:, "valid_until"] = CUT
    offers.loc[0, ["valid_from", "valid_until"]] = pd.NaT
    log = small_dataset.interactions
    kept = log[log["position"].isna() | (log["position"] == 1)]
    kept = kept.assign(offer_id=offers["offer_id"].iloc[0])
    alone = shown_only(replace(small_dataset, interactions=kept), propensity=1.0)
    found = replay(alone, ("hybrid",), at=CUT, bundle=replace(earlier_bundle, offers=offers))
    ctr = found.policies["hybrid"]["ctr"]
    assert ctr.overlap.estimable, ctr.overlap.verdict
    assert ctr.overlap.effective_share == pytest.approx(1)
    assert ctr.gain.value == pytest.approx(0, abs=1e-12)


def test_rows_that_cannot_be_weighed_are_counted_and_left_out(
    small_dataset: Dataset, earlier_bundle: Bundle
) -> None:
    log = small_dataset.interactions.copy()
    after = log.index[(log["event_type"] == "impression") & (log["occurred_at"] >= CUT)]
    for column, rows, value in (
        ("propensity", after[:3], np.nan), ("propensity", after[3:5], 0.0),
        ("propensity", after[5:6], 1.2), ("propensity", after[6:7], -0.1),
        ("position", after[7:9], np.nan), ("position", after[9:10], 1.5),
        ("position", after[10:11], 0.0), ("position", after[11:12], 1e9),
    ):  # fmt: skip
        log.loc[rows, column] = value
    found = replay(
        replace(small_dataset, interactions=log), ("popularity",), at=CUT, bundle=earlier_bundle
    )
    assert found.log.left_out == {
        "without a propensity": 3,
        "with a propensity of 0 or less": 3,
        "with a propensity above 1": 1,
        "without a whole position from 1 to 1000": 5,
    }
    assert len(found.log) == len(after) - 12


@pytest.mark.parametrize("propensity", [np.nan, 0.0])
def test_a_log_without_propensities_says_what_is_missing(
    small_dataset: Dataset, earlier_bundle: Bundle, propensity: float
) -> None:
    bare = shown_only(small_dataset, propensity=propensity)
    with pytest.raises(DataError, match=r"no impression .* can be weighed") as caught:
        replay(bare, ("hybrid",), at=CUT, bundle=earlier_bundle)
    assert "propensity" in caught.value.problem
    assert "column propensity" in caught.value.remedy


def test_a_log_without_impressions_after_the_cut_says_so(
    small_dataset: Dataset, earlier_bundle: Bundle
) -> None:
    late = small_dataset.moment_after()
    with pytest.raises(DataError, match="no impression from 20"):
        replay(small_dataset, ("hybrid",), at=late, bundle=earlier_bundle)
    log = small_dataset.interactions
    silent = replace(small_dataset, interactions=log[log["event_type"] != "impression"])
    with pytest.raises(DataError, match="no impression from 20"):
        replay(silent, ("hybrid",), at=CUT)


def test_a_history_of_days_is_cut_where_the_remedy_proposes(small_dataset: Dataset) -> None:
    log = small_dataset.interactions
    # All of it, ten times as fast.
    week = log.assign(occurred_at=CUT + (log["occurred_at"] - WORLD.start) / 10)
    short = replace(
        small_dataset, interactions=week, transactions=small_dataset.transactions.iloc[:0]
    )
    with pytest.raises(DataError, match="history is too short") as caught:
        replay(short, ("popularity",))
    told = re.search(r"--at (\S+) \(6[67]% of the", caught.value.remedy)
    assert told is not None
    shown = week.loc[week["event_type"] == "impression", "occurred_at"]
    assert (shown < pd.Timestamp(told[1], tz="UTC")).mean() == pytest.approx(2 / 3, abs=0.01)
    at_once = short.interactions.assign(occurred_at=CUT)
    with pytest.raises(DataError, match="history is too short") as caught:
        replay(replace(short, interactions=at_once), ("popularity",))
    assert caught.value.remedy == "Give --at the moment to replay from."


def test_without_positions_every_impression_is_the_top_of_a_list(
    small_dataset: Dataset, earlier_bundle: Bundle
) -> None:
    single = shown_only(small_dataset, position=np.nan)
    found = replay(single, ("popularity",), at=CUT, bundle=earlier_bundle)
    assert set(found.log.position) == {1}
    assert any("No position is logged" in note for note in found.notes)


def test_what_nobody_did_is_not_measured(small_dataset: Dataset, earlier_bundle: Bundle) -> None:
    log = small_dataset.interactions
    clicks = replace(small_dataset, interactions=log[log["event_type"] != "redemption"])
    found = replay(clicks, ("popularity",), at=CUT, bundle=earlier_bundle)
    assert found.logged["conversion"] == f"{NOT_MEASURED}: no redemptions are logged"
    assert list(found.policies["popularity"]) == ["ctr"]


def test_a_model_that_knows_the_future_is_refused(
    small_dataset: Dataset, earlier_bundle: Bundle
) -> None:
    later = replace(earlier_bundle, at=WORLD.end.isoformat())
    with pytest.raises(BundleError, match="knows what happened until"):
        replay(small_dataset, ("hybrid",), at=CUT, bundle=later)


def test_a_model_replays_what_came_after_it(small_dataset: Dataset, earlier_bundle: Bundle) -> None:
    found = replay(small_dataset, ("popularity",), bundle=earlier_bundle)
    assert found.at == CUT
    assert pd.Timestamp(found.log.time.min(), tz="UTC") >= CUT


def test_customers_and_offers_the_model_never_met_are_said(
    small_dataset: Dataset, earlier_bundle: Bundle
) -> None:
    log = small_dataset.interactions.copy()
    after = log.index[(log["event_type"] == "impression") & (log["occurred_at"] >= CUT)]
    log.loc[after[:5], "customer_id"] = "somebody"
    log.loc[after[5:8], "offer_id"] = "something"
    found = replay(
        replace(small_dataset, interactions=log), ("hybrid",), at=CUT, bundle=earlier_bundle
    )
    assert "1 customer is new to the model: their profile speaks for them." in found.notes
    assert "3 impressions are of offers that the model does not know." in found.notes
    assert len(found.log) == len(after)


@pytest.mark.parametrize(
    ("policies", "explore", "word"),
    [(("magic",), 0.0, "magic"), ((), 0.0, "No policy"), (("hybrid",), 1.5, "explore")],
)
def test_what_cannot_be_replayed_is_refused_before_any_work(
    small_dataset: Dataset, policies: tuple[str, ...], explore: float, word: str
) -> None:
    with pytest.raises(UsageError, match=word):
        replay(small_dataset, policies, explore=explore)


def test_the_reward_model_knows_the_past_only(small_dataset: Dataset) -> None:
    rates, n = past_rates(small_dataset, CUT, small_dataset.offer_ids, 5)
    before = small_dataset.before(CUT)
    # Offers shown before the cut and redeemed after it are answered by nobody yet.
    late = Shown.of(small_dataset).answered["conversion"]
    there = (Shown.of(small_dataset).impressions["occurred_at"] < CUT).to_numpy(dtype=bool)
    assert late[there].sum() > Shown.of(before).answered["conversion"].sum()
    same, _ = past_rates(before, CUT, small_dataset.offer_ids, 5)
    for name, rate in rates.items():
        np.testing.assert_array_equal(rate, same[name])
    assert n == int((before.interactions["event_type"] == "impression").sum())
    assert rates["ctr"].shape == (40, 5)
    assert ((rates["ctr"] > 0) & (rates["ctr"] < 1)).all()
    assert (rates["ctr"].mean(axis=0)[0] > rates["ctr"].mean(axis=0)[4]).all()
    none, nobody = past_rates(small_dataset, WORLD.start, small_dataset.offer_ids, 5)
    assert nobody == 0
    assert not none["ctr"].any()


def test_an_answer_that_nobody_gave_before_the_cut_is_expected_of_none(
    small_dataset: Dataset, earlier_bundle: Bundle
) -> None:
    log = small_dataset.interactions
    early = (log["event_type"] == "redemption") & (log["occurred_at"] < CUT)
    silent = replace(small_dataset, interactions=log[~early])
    rates, _ = past_rates(silent, CUT, small_dataset.offer_ids, 5)
    assert not rates["conversion"].any()
    assert rates["ctr"].any()
    found = replay(silent, ("hybrid",), at=CUT, bundle=earlier_bundle)
    assert set(found.policies["hybrid"]) == {"ctr", "conversion"}


def test_the_same_log_gives_the_same_replay(
    small_dataset: Dataset, earlier_bundle: Bundle, replayed: Replay
) -> None:
    again = replay(small_dataset, ("hybrid",), at=CUT, bundle=earlier_bundle, explore=0.5)
    first: PolicyEstimate = replayed.policies["hybrid"]["ctr"].estimates[HEADLINE]
    assert again.policies["hybrid"]["ctr"].estimates[HEADLINE] == first
