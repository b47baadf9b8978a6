"""Baselines on trial: serving's rules, equal tries, no look at the test window, known extremes."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import Dataset
from evaluation.depth import slices as slices_module
from evaluation.depth.baselines import ORACLE, Baselines, chance, run_baselines, stand
from evaluation.depth.board import lay_out
from evaluation.depth.catalogue import measure_catalogue
from evaluation.depth.exposure import measure_exposure
from evaluation.depth.searching import RIVALS, TRIES, draw
from evaluation.depth.slices import measure_slices
from evaluation.harness import KS, Trial, rank_policy, run_trial
from evaluation.metrics import find_hits, per_customer
from evaluation.protocol import Protocol
from evaluation.report import _plain
from evaluation.splitting import Split, split_dataset
from recommender.base import HYBRID, RANDOM
from recommender.bundle import Bundle
from recommender.service import Service

Case = tuple[Split, Bundle, Trial]


@pytest.fixture(scope="module")
def case(small_dataset: Dataset, small_bundle: Bundle) -> Case:
    """Rank with a model that has seen the future: nothing here says how good it is."""
    split = split_dataset(small_dataset, Protocol())
    trial = run_trial(Service(small_bundle), split, policies=(HYBRID, "popularity"))
    return split, small_bundle, trial


@pytest.fixture(scope="module")
def ran(case: Case) -> Baselines:
    return run_baselines(case[0], case[1])


def forgetful(bundle: Bundle, split: Split) -> Bundle:
    """Let a model know only what was redeemed before the cut."""
    query = bundle.customers.query
    assert query is not None
    done = split.train.events("redemption")
    rows = bundle.customer_ids.rows(done["customer_id"])
    columns = split.train.offer_ids.rows(done["offer_id"])
    redeemed = sp.csr_matrix((np.ones(len(done)), (rows, columns)), shape=query.redeemed.shape)
    customers = replace(bundle.customers, query=replace(query, redeemed=redeemed))
    return replace(bundle, customers=customers)


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    columns = ["customer_id", "rank", "offer_id"]
    return one[columns].astype("object").equals(other[columns].astype("object"))


def test_equal_scores_give_the_very_lists_of_the_service(case: Case) -> None:
    split, bundle, _ = case
    made, _ = rank_policy(Service(forgetful(bundle, split)), split, RANDOM, seed=5)
    board = lay_out(split.train, split.at, split.truth, None, candidates=split.candidates)
    drawn = np.random.default_rng([5, 0]).random((len(board.rows), board.past.shape[1]))
    place = {int(row): number for number, row in enumerate(board.rows)}
    listed = board.rank(lambda rows: drawn[[place[int(row)] for row in rows]], max(KS))
    assert same(listed, made)


def test_a_board_judges_as_the_metrics_do(case: Case) -> None:
    split, _, _ = case
    board = lay_out(split.train, split.at, split.truth, None, candidates=split.candidates)
    own = board.past.taken
    listed = board.rank(lambda rows: np.asarray(own[rows].toarray()), 10)
    theirs = per_customer(find_hits(listed, split.truth), (10,))["ndcg@10"]
    judged = board.judge(lambda rows: np.asarray(own[rows].toarray()))
    np.testing.assert_allclose(judged, theirs, atol=1e-12)


def test_every_baseline_has_the_same_tries_and_its_best_is_chosen(ran: Baselines) -> None:
    assert set(ran.tuned) == set(RIVALS)
    assert ran.moments
    for name, tuned in ran.tuned.items():
        assert len(tuned.tries) == TRIES
        assert tuned.tries[0][0] == RIVALS[name].default
        assert tuned.value == max(value for _, value in tuned.tries)
        assert (tuned.chosen, tuned.value) in tuned.tries


def test_tries_are_different_and_follow_the_seed() -> None:
    for rival in RIVALS.values():
        settings = draw(rival, TRIES, 0)
        assert len({tuple(sorted(one.items())) for one in settings}) == TRIES
        assert draw(rival, TRIES, 0) == settings
    single = replace(RIVALS["most popular"], choices={"click": (0.2, 1.0)})
    assert draw(single, TRIES, 0) == [{"click": 0.2}, {"click": 1.0}]


def test_nothing_is_chosen_by_the_test_window(case: Case, ran: Baselines) -> None:
    split, bundle, _ = case
    truth = split.truth.assign(offer_id=split.truth["offer_id"].to_numpy()[::-1])
    other = run_baselines(replace(split, truth=truth.drop_duplicates()), bundle)
    for name, tuned in ran.tuned.items():
        assert other.tuned[name].tries == tuned.tries
        assert same(other.lists[name], ran.lists[name])


def test_the_oracle_is_the_most_that_can_be_reached(case: Case, ran: Baselines) -> None:
    split, _, trial = case
    relevant = split.truth.groupby("customer_id").size().to_numpy()
    ceiling = ran.values[ORACLE]
    np.testing.assert_allclose(ceiling["ndcg@10"], 1.0)
    np.testing.assert_allclose(ceiling["precision@10"], np.minimum(relevant, 10) / 10)
    for values in (*ran.values.values(), *trial.values.values()):
        for metric, best in ceiling.items():
            assert (values[metric] <= best + 1e-12).all()


def test_lists_hold_candidates_only_and_nothing_used_up(case: Case, ran: Baselines) -> None:
    split, _, _ = case
    once = split.train.offers.loc[~split.train.offers["repeatable"].fillna(False), "offer_id"]
    done = split.train.events("redemption")
    gone = pd.MultiIndex.from_frame(
        done.loc[done["offer_id"].isin(once), ["customer_id", "offer_id"]]
    )
    for lists in ran.lists.values():
        assert set(lists["offer_id"]) <= split.candidates
        listed = pd.MultiIndex.from_frame(lists[["customer_id", "offer_id"]])
        assert not listed.isin(gone).any()
        assert not listed.has_duplicates


@pytest.mark.parametrize("wanted", [["a"], ["a", "b"], ["a", "b", "c", "d"]])
def test_chance_equals_the_mean_over_all_orders(wanted: list[str]) -> None:
    orders = list(permutations("abcde"))
    people = [f"c{number}" for number in range(len(orders))]
    lists = pd.DataFrame(
        {
            "customer_id": np.repeat(people, 5),
            "rank": np.tile(np.arange(1, 6), len(orders)),
            "offer_id": [offer for order in orders for offer in order],
        }
    )
    pairs = [(who, offer) for who in people for offer in wanted]
    truth = pd.DataFrame(pairs, columns=["customer_id", "offer_id"])
    found = per_customer(find_hits(lists, truth), (3,))
    for metric, value in chance(np.array([len(wanted)]), np.array([5]), 3).items():
        assert value[0] == pytest.approx(found[metric].mean())


def test_the_random_baseline_reaches_what_chance_expects(case: Case) -> None:
    split, _, _ = case
    board = lay_out(split.train, split.at, split.truth, None, candidates=split.candidates)
    random = np.random.default_rng(0)
    drawn = [
        per_customer(
            find_hits(
                board.rank(lambda rows: random.random((len(rows), board.past.shape[1])), 10),
                split.truth,
            ),
            (10,),
        )
        for _ in range(60)
    ]
    allowed = board.allowed(board.rows).sum(axis=1)
    relevant = np.asarray(board.relevant[board.rows].sum(axis=1)).ravel().astype(np.int64)
    for metric, expected in chance(relevant, allowed, 10).items():
        means = np.array([values[metric].mean() for values in drawn])
        error = means.std(ddof=1) / np.sqrt(len(means))
        assert abs(means.mean() - expected.mean()) < 4 * error


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 12))
def test_chance_never_leaves_its_range(relevant: int, more: int, k: int) -> None:
    for value in chance(np.array([relevant]), np.array([relevant + more - 1]), k).values():
        assert 0 < value[0] <= 1 + 1e-12


def test_standing_is_paired_with_the_trial_and_corrected(case: Case, ran: Baselines) -> None:
    found = stand(ran, case[2])
    for name, mask in case[2].slices.items():
        assert set(found[name]) == set(ran.values)
        for baseline, one in found[name].items():
            values = ran.values[baseline]["ndcg@10"][mask]
            assert one.metrics["ndcg@10"].n == mask.sum()
            if not mask.any():
                continue
            assert one.metrics["ndcg@10"].value == pytest.approx(values.mean())
            ours = case[2].values[HYBRID]["ndcg@10"][mask]
            assert one.hybrid is not None
            assert one.hybrid.value == pytest.approx((ours - values).mean())
            assert baseline == ORACLE or one.p_holm >= one.hybrid.p_value
    assert np.isnan(found["all"][ORACLE].p_holm)


def test_a_past_without_interactions_leaves_baselines_out_with_the_reason(case: Case) -> None:
    split, bundle, _ = case
    train_only = replace(split.train, interactions=split.train.interactions.iloc[:0])
    found = run_baselines(replace(split, train=train_only), bundle)
    assert set(found.lists) == {RANDOM, ORACLE}
    assert set(found.left_out) == set(RIVALS)
    assert all("before the cut" in why for why in found.left_out.values())


def test_without_segments_and_past_moments_defaults_stand(case: Case) -> None:
    split, bundle, _ = case
    few = split.train.events("redemption").head(8)
    poor = replace(split, train=replace(split.train, interactions=few))
    found = run_baselines(poor, replace(bundle, segments=None))
    assert found.left_out == {"popular in segment": "not measured: there are no segments"}
    assert not found.moments
    for name, tuned in found.tuned.items():
        assert tuned.chosen == RIVALS[name].default
        assert np.isnan(tuned.value)


def test_one_offer_can_be_ranked(case: Case) -> None:
    split, bundle, trial = case
    best = split.truth["offer_id"].value_counts().index[0]
    truth = split.truth[split.truth["offer_id"] == best]
    one = replace(split, candidates=frozenset([best]), truth=truth)
    found = run_baselines(one, bundle)
    assert all((values["ndcg@10"] == 1).all() for values in found.values.values())
    beyond = measure_catalogue(one, found.lists)
    assert beyond[ORACLE].coverage == 1
    assert beyond[ORACLE].gini == 0
    assert trial.lists


def test_what_the_report_has_is_enough_and_json_knows_the_answers(
    case: Case, ran: Baselines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices_module, "FEWEST", 5)
    split, bundle, trial = case
    slices = measure_slices(split, trial, bundle)
    lists = {**trial.lists, **ran.lists}
    exposure = measure_exposure(split, trial)
    for value in (
        slices, exposure, measure_catalogue(split, lists), stand(ran, trial), ran.tuned
    ):  # fmt: skip
        assert plain(_plain(value))
    for one in slices.slices:
        assert (one.difference is None) == (one.n < 5)
    total = len(split.customers)
    for kind in ("gender", "age", "segment", "transactions", "clicks and redemptions"):
        assert sum(one.n for one in slices.slices if one.kind == kind) == total
    for kind in ("relevant", "offers"):
        parts = [one.pairs for one in slices.slices if one.kind == kind]
        assert sum(parts) == len(split.truth)
    other = measure_slices(split, trial, bundle, rival=ORACLE, lists=ran.lists)
    assert other.rival == ORACLE
    measured = [one.difference for one in other.slices if one.difference is not None]
    assert measured
    assert all(one.value <= 0 for one in measured)


def plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and plain(part) for key, part in value.items())
    if isinstance(value, list):
        return all(plain(part) for part in value)
    return value is None or isinstance(value, str | int | float | bool)
