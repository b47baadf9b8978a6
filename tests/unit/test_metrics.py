"""Ranking metrics against their oracles: pytrec_eval, implicit, ranx, and hand-made lists."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random

import numpy as np
import pandas as pd
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.evaluation import ranking_metrics_at_k
from scipy.sparse import csr_matrix

from data.errors import DataError
from data.idmap import IdMap
from evaluation.metrics import NAMES, Hits, find_hits, per_customer
from evaluation.ranked_lists import count_odd_ranks, order_lists

KS = (1, 3, 5, 10, 20)
ORACLE = {
    "precision": "P",
    "recall": "recall",
    "hit_rate": "success",
    "ndcg": "ndcg_cut",
    "map": "map_cut",
}
FILLER = "no-such-offer"  # a run needs at least one line per customer

Lists = dict[str, list[str]]
Truth = dict[str, set[str]]


def frame_of(lists: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    rows = [(c, o, rank) for c, offers in lists.items() for rank, o in enumerate(offers, 1)]
    return pd.DataFrame(rows, columns=["customer_id", "offer_id", "rank"])


def truth_of(truth: Mapping[str, set[str]]) -> pd.DataFrame:
    rows = [(c, o) for c, offers in truth.items() for o in sorted(offers)]
    return pd.DataFrame(rows, columns=["customer_id", "offer_id"])


def hits_of(lists: Mapping[str, Sequence[str]], truth: Mapping[str, set[str]]) -> Hits:
    return find_hits(frame_of(lists), truth_of(truth))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Lists, Truth]:
    offers = [f"o{i:02}" for i in range(draw(st.integers(1, 25)))]
    customers = [f"c{i}" for i in range(draw(st.integers(1, 6)))]
    one = st.sampled_from(offers)
    truth = {c: set(draw(st.lists(one, unique=True, min_size=1))) for c in customers}
    return {c: draw(st.lists(one, unique=True)) for c in customers}, truth


def oracle(lists: Lists, truth: Truth, k: int) -> dict[str, dict[str, float]]:
    qrels = {c: dict.fromkeys(offers, 1) for c, offers in truth.items()}
    cuts = {f"{name}.{k}" for name in ORACLE.values()}

    def run(depth: int | None) -> dict[str, dict[str, float]]:
        return {
            c: {o: -float(rank) for rank, o in enumerate(lists.get(c, [])[:depth] or [FILLER], 1)}
            for c in truth
        }

    whole = pytrec_eval.RelevanceEvaluator(qrels, cuts).evaluate(run(None))
    cut = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate(run(k))
    return {c: {**whole[c], **cut[c]} for c in truth}


def assert_equals_oracle(lists: Lists, truth: Truth) -> None:
    hits = hits_of(lists, truth)
    ours = per_customer(hits, KS)
    for k in KS:
        theirs = oracle(lists, truth, k)
        for row, customer in enumerate(hits.customers):
            told = theirs[customer]
            for name, other in ORACLE.items():
                assert ours[f"{name}@{k}"][row] == pytest.approx(told[f"{other}_{k}"], abs=1e-12)
            assert ours[f"mrr@{k}"][row] == pytest.approx(told["recip_rank"], abs=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(worlds())
def test_every_customer_equals_pytrec_eval(world: tuple[Lists, Truth]) -> None:
    assert_equals_oracle(*world)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(worlds(), st.randoms(use_true_random=False))
def test_only_the_order_of_ranks_counts(world: tuple[Lists, Truth], random: Random) -> None:
    lists, truth = world
    frame = frame_of(lists)
    before = per_customer(find_hits(frame, truth_of(truth)), KS)
    order = list(range(len(frame)))
    random.shuffle(order)
    moved = frame.iloc[order].assign(rank=lambda table: table["rank"] * 3.5 - 100)
    after = per_customer(find_hits(moved, truth_of(truth)), KS)
    for name, vector in before.items():
        np.testing.assert_array_equal(vector, after[name])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(worlds())
def test_metrics_are_float64_shares_by_their_names(world: tuple[Lists, Truth]) -> None:
    found = per_customer(hits_of(*world), KS)
    assert set(found) == {f"{name}@{k}" for name in NAMES for k in KS}
    for vector in found.values():
        assert vector.dtype == np.float64
        assert vector.shape == (len(world[1]),)
        assert ((vector >= 0) & (vector <= 1 + 1e-12)).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(worlds())
def test_f1_and_the_min_variants_follow_from_their_definitions(world: tuple[Lists, Truth]) -> None:
    lists, truth = world
    hits = hits_of(lists, truth)
    found = per_customer(hits, KS)
    for k in KS:
        for row, customer in enumerate(hits.customers):
            relevant = truth[customer]
            good = [offer in relevant for offer in lists[customer][:k]]
            count, most = sum(good), min(k, len(relevant))
            precision, recall = count / k, count / len(relevant)
            f1 = 2 * precision * recall / (precision + recall) if count else 0.0
            at_hits = sum(sum(good[: i + 1]) / (i + 1) for i, one in enumerate(good) if one)
            assert found[f"f1@{k}"][row] == pytest.approx(f1, abs=1e-12)
            assert found[f"recall_min@{k}"][row] == pytest.approx(count / most, abs=1e-12)
            assert found[f"map_min@{k}"][row] == pytest.approx(at_hits / most, abs=1e-12)


class FixedLists:
    """Stands in for a model of implicit: recommends rows of a table."""

    def __init__(self, ids: np.ndarray) -> None:
        self.ids = ids

    def recommend(
        self, userid: np.ndarray, user_items: csr_matrix, N: int = 10, **_: object
    ) -> tuple[np.ndarray, np.ndarray]:
        ids = np.ascontiguousarray(self.ids[userid, :N], dtype=np.int32)
        return ids, np.zeros(ids.shape, dtype=np.float32)


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize("k", [1, 5, 10])
def test_map_min_and_ndcg_equal_implicit(k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    users, items = 500, 30
    relevant = random.random((users, items)) < random.choice([0.03, 0.2, 0.6], (users, 1))
    relevant[:, 0] |= ~relevant.any(axis=1)
    ids = np.array([random.permutation(items)[:10] for _ in range(users)])
    told = ranking_metrics_at_k(
        FixedLists(ids),
        csr_matrix((users, items)),
        csr_matrix(relevant.astype(np.float64)),
        K=k,
        show_progress=False,
    )
    lists = {f"c{user:03}": [f"o{item}" for item in row] for user, row in enumerate(ids)}
    truth = {f"c{u:03}": {f"o{i}" for i in np.flatnonzero(relevant[u])} for u in range(users)}
    ours = per_customer(hits_of(lists, truth), [k])
    assert ours[f"map_min@{k}"].mean() == pytest.approx(told["map"], abs=1e-12)
    assert ours[f"ndcg@{k}"].mean() == pytest.approx(told["ndcg"], abs=1e-12)


def random_case(customers: int, seed: int) -> tuple[Lists, Truth]:
    """Make ragged lists, some of them empty, with few or many relevant offers."""
    random = np.random.default_rng(seed)
    offers = np.array([f"o{i:03}" for i in range(120)])

    def some(least: int, most: int) -> list[str]:
        return [str(one) for one in random.choice(offers, random.integers(least, most), False)]

    names = [f"c{i:04}" for i in range(customers)]
    truth = {name: set(some(1, int(random.choice([3, 12, 60])))) for name in names}
    return {name: some(0, 45) for name in names}, truth


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(worlds())
def test_a_thousand_worlds_equal_pytrec_eval(world: tuple[Lists, Truth]) -> None:
    assert_equals_oracle(*world)


def test_a_thousand_customers_equal_pytrec_eval() -> None:
    assert_equals_oracle(*random_case(1000, seed=11))


@pytest.mark.slow  # ranx compiles its kernels when they are first called
@pytest.mark.filterwarnings("ignore")
def test_a_thousand_customers_equal_ranx() -> None:
    from ranx import Qrels, Run, evaluate

    lists, truth = random_case(1000, seed=12)
    qrels = Qrels({c: dict.fromkeys(sorted(offers), 1) for c, offers in truth.items()})
    run = Run(
        {
            c: {o: -float(rank) for rank, o in enumerate(offers or [FILLER], 1)}
            for c, offers in lists.items()
        }
    )
    hits = hits_of(lists, truth)
    ours = per_customer(hits, KS)
    shared = ("precision", "recall", "f1", "hit_rate", "mrr", "map", "ndcg")
    names = [f"{name}@{k}" for name in shared for k in KS]
    theirs = evaluate(qrels, run, names, return_mean=False, save_results_in_run=False)
    order = np.argsort(list(qrels.qrels.keys()))
    for name in names:
        np.testing.assert_allclose(ours[name], theirs[name][order], rtol=0, atol=1e-12)


def test_values_by_hand() -> None:
    found = per_customer(hits_of({"a": ["n", "x", "m", "y"]}, {"a": {"x", "y", "z"}}), [4])
    assert {name: vector[0] for name, vector in found.items()} == pytest.approx(
        {
            "precision@4": 2 / 4,
            "recall@4": 2 / 3,
            "f1@4": 4 / 7,
            "hit_rate@4": 1.0,
            "mrr@4": 1 / 2,
            "map@4": (1 / 2 + 2 / 4) / 3,
            "map_min@4": (1 / 2 + 2 / 4) / 3,
            "recall_min@4": 2 / 3,
            "ndcg@4": (1 / math.log2(3) + 1 / math.log2(5))
            / (1 + 1 / math.log2(3) + 1 / math.log2(4)),
        }
    )


def test_a_list_shorter_than_k_is_not_made_longer() -> None:
    found = per_customer(hits_of({"a": ["x"]}, {"a": {"x"}}), [10])
    assert found["precision@10"][0] == pytest.approx(0.1)
    for name in ("recall@10", "ndcg@10", "map@10", "map_min@10", "mrr@10"):
        assert found[name][0] == 1.0


def test_an_offer_that_stands_twice_counts_once_at_its_better_rank() -> None:
    twice = hits_of({"a": ["n", "x", "x", "y"]}, {"a": {"x", "y"}})
    once = hits_of({"a": ["n", "x", "y"]}, {"a": {"x", "y"}})
    for name, vector in per_customer(twice, [3]).items():
        np.testing.assert_array_equal(vector, per_customer(once, [3])[name])
    assert twice.dropped == {"offers that stand twice in a list": 1}
    assert once.dropped == {}


def test_truth_that_stands_twice_counts_once() -> None:
    truth = pd.concat([truth_of({"a": {"x"}})] * 2)
    hits = find_hits(frame_of({"a": ["x"]}), truth)
    assert hits.relevant.tolist() == [1]
    assert per_customer(hits, [1])["recall@1"].tolist() == [1.0]


def test_a_customer_without_a_list_scores_zero_and_is_counted() -> None:
    hits = hits_of({"b": ["x"]}, {"a": {"x"}, "b": {"x"}, "c": {"x"}})
    assert hits.customers.tolist() == ["a", "b", "c"]
    assert hits.dropped == {"customers without a list, who score 0": 2}
    for vector in per_customer(hits, [1]).values():
        assert vector.tolist() == [0.0, 1.0, 0.0]


def test_customers_without_relevant_offers_are_set_aside_and_counted() -> None:
    hits = hits_of({"a": ["x"], "stranger": ["x", "y"]}, {"a": {"x"}})
    assert hits.customers.tolist() == ["a"]
    assert hits.dropped == {"rows of customers without relevant offers": 2}


@pytest.mark.parametrize("lists", [{}, {"stranger": ["x"]}, {"a": []}])
def test_nobody_with_a_list_scores_zero_throughout(lists: Lists) -> None:
    hits = hits_of(lists, {"a": {"x"}, "b": {"y", "z"}})
    for name, vector in per_customer(hits, [1, 5]).items():
        assert vector.tolist() == [0.0, 0.0], name


def test_ragged_lists_do_not_borrow_from_each_other() -> None:
    lists = {"a": ["n", "m", "l", "x"], "b": ["y"], "c": ["n", "z"]}
    truth = {"a": {"x"}, "b": {"y"}, "c": {"z"}}
    found = per_customer(hits_of(lists, truth), [2, 10])
    assert found["mrr@10"].tolist() == [1 / 4, 1.0, 1 / 2]
    assert found["hit_rate@2"].tolist() == [0.0, 1.0, 1.0]


def test_ndcg_is_one_only_where_the_first_offers_are_the_relevant_ones() -> None:
    truth = {"a": {f"x{i}" for i in range(8)}}
    full = per_customer(hits_of({"a": [f"x{i}" for i in range(5)]}, truth), [5])
    assert full["ndcg@5"][0] == pytest.approx(1.0, abs=1e-15)
    assert full["map_min@5"][0] == pytest.approx(1.0, abs=1e-15)
    assert full["recall_min@5"][0] == 1.0
    assert full["recall@5"][0] == 5 / 8
    assert full["map@5"][0] == pytest.approx(5 / 8)


def test_equal_ranks_are_settled_by_the_offer_whatever_the_order_of_rows() -> None:
    frame = pd.DataFrame(
        [("a", "z", 1), ("a", "x", 1), ("a", "y", 1), ("b", "x", 2), ("b", "y", 3)],
        columns=["customer_id", "offer_id", "rank"],
    )
    truth = truth_of({"a": {"y"}, "b": {"x"}})
    hits = find_hits(frame, truth)
    assert per_customer(hits, [5])["mrr@5"].tolist() == [1 / 2, 1.0]
    assert hits.dropped["offers with the rank or score of the one before, ordered by offer_id"] == 2
    turned = find_hits(frame.iloc[::-1], truth)
    np.testing.assert_array_equal(hits.hit, turned.hit)
    assert turned.dropped == hits.dropped


def test_short_lists_are_counted_and_not_made_longer() -> None:
    lists = {"a": ["x", "y", "z"], "b": ["x"], "c": ["y", "x"]}
    hits = hits_of(lists, {name: {"x"} for name in "abc"})
    assert hits.dropped == {"lists shorter than the longest, which has 3": 2}
    assert per_customer(hits, [3])["precision@3"].tolist() == [1 / 3] * 3


def test_truth_that_stands_twice_is_counted() -> None:
    hits = find_hits(frame_of({"a": ["x"]}), pd.concat([truth_of({"a": {"x"}})] * 3))
    assert hits.dropped == {"pairs that stand twice in the truth": 2}


@pytest.mark.parametrize(("column", "told"), [("rank", "no rank"), ("offer_id", "no offer_id")])
def test_a_row_without_a_rank_or_an_offer_is_refused_and_counted(column: str, told: str) -> None:
    frame = frame_of({"a": ["x", "y", "z"]}).astype({"rank": "float64"})
    frame.loc[[1, 2], column] = None
    with pytest.raises(DataError, match=f"2 of 3 rows of the lists have {told}.*row 2"):
        find_hits(frame, truth_of({"a": {"x"}}))


def test_a_row_without_a_customer_is_nobodys() -> None:
    frame = frame_of({"a": ["x"], "z": ["y"]})
    frame.loc[1, "customer_id"] = None
    hits = find_hits(frame, truth_of({"a": {"x"}, "b": {"y"}}))
    assert hits.dropped["rows of customers without relevant offers"] == 1
    assert per_customer(hits, [1])["recall@1"].tolist() == [1.0, 0.0]


def test_nothing_relevant_is_refused_and_no_mean_of_nobody() -> None:
    with pytest.raises(DataError, match="Nothing is relevant"):
        find_hits(frame_of({"a": ["x"]}), truth_of({}))


@pytest.mark.parametrize(
    ("ranks", "told"),
    [
        ([[1, 2, 3], [1, 2]], {}),
        ([[3, 1, 2], []], {}),
        ([[0, 1, 2], [1]], {"run": 1}),
        ([[1, 3, 4], [2]], {"run": 2}),
        ([[1, 1, 2], [1, 2]], {}),
        ([[1, 2, 2.5], [1]], {"run": 1, "whole": 1}),
        ([[-1, -2], [-0.5]], {"run": 2, "whole": 1}),
    ],
)
def test_ranks_that_are_no_places_are_counted(
    ranks: list[list[float]], told: dict[str, int]
) -> None:
    rows = [(f"c{person}", rank) for person, row in enumerate(ranks) for rank in row]
    found = count_odd_ranks(pd.DataFrame(rows, columns=["customer_id", "rank"]))
    words = {
        "run": "lists whose ranks do not run 1, 2, 3 to their end; only the order counts",
        "whole": "ranks that are no whole numbers; only their order counts",
    }
    assert found == {words[name]: n for name, n in told.items()}


@settings(max_examples=30, deadline=None, derandomize=True)
@given(worlds(), st.integers(0, 3))
def test_what_is_counted_adds_up_to_the_rows(world: tuple[Lists, Truth], twice: int) -> None:
    lists, truth = world
    frame = frame_of({**lists, "stranger": ["o00", "o01"]})
    frame = pd.concat([frame, frame.head(twice)], ignore_index=True)
    ordered = order_lists(frame, IdMap(truth))
    foreign = ordered.unusual["rows of customers without relevant offers"]
    again = ordered.unusual["offers that stand twice in a list"]
    assert len(ordered.rows) + foreign + again == len(frame)
    for row in range(len(truth)):
        mine = ordered.owner == row
        assert ordered.place[mine].tolist() == list(range(int(mine.sum())))
