"""Planted mistakes: each check finds its own, says so, and a sound evaluation passes them all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import BundleError
from data.idmap import IdMap
from data.synthetic import WorldParameters, generate
from evaluation.checks.fullness import (
    CHANCE,
    FIGURES,
    FULL,
    check_chance,
    check_figures,
    check_full,
    reach_of,
)
from evaluation.checks.leakage import (
    COLD,
    KNOWN,
    PAIRS,
    ROWS,
    SEGMENTS,
    check_cold,
    check_known,
    check_pairs,
    check_rows,
    check_segments,
    check_time,
    fold_of,
)
from evaluation.checks.refusal import STEPS, refuse, run_checks
from evaluation.harness import Trial, run_trial
from evaluation.metrics import find_hits, per_customer
from evaluation.protocol import Protocol
from evaluation.splitting import Split, split_dataset
from recommender.bundle import Bundle
from recommender.fitting.sources import find_segments
from recommender.release.gate_checks import ORDER, SAME, SHUFFLED, check_shuffled
from recommender.release.verdict import Check
from recommender.service import Service
from recommender.training import train
from segmentation.features import customer_features
from tests.conftest import EARLIER

pytestmark = pytest.mark.usefixtures("spared")
CUT = EARLIER
HOUR = pd.Timedelta(hours=1)


@pytest.fixture(scope="module")
def split(small_dataset: Dataset) -> Split:
    return split_dataset(small_dataset, Protocol(CUT))


@pytest.fixture(scope="module")
def bundle(earlier_bundle: Bundle, split: Split) -> Bundle:
    """A model of the training part: what comes after the cut is not read, as training promises."""
    assert split.at == earlier_bundle.moment
    return earlier_bundle


@pytest.fixture(scope="module")
def trial(bundle: Bundle, split: Split) -> Trial:
    return run_trial(Service(bundle), split)


def window(dataset: Dataset, split: Split) -> pd.DataFrame:
    """Return the rows by which lists are judged."""
    rows = dataset.events(split.relevant)
    inside = (rows["occurred_at"] >= split.at) & (rows["occurred_at"] < split.until)
    pairs = pd.MultiIndex.from_frame(split.truth[["customer_id", "offer_id"]])
    return rows[inside & pd.MultiIndex.from_frame(rows[["customer_id", "offer_id"]]).isin(pairs)]


def with_rows(split: Split, rows: pd.DataFrame) -> Split:
    log = pd.concat([split.train.interactions, rows], ignore_index=True)
    return replace(split, train=replace(split.train, interactions=log))


def with_features(bundle: Bundle, values: pd.DataFrame) -> Bundle:
    features = values.reindex(bundle.customers.ids).to_numpy(dtype=np.float64)
    return replace(bundle, customers=replace(bundle.customers, features=features))


def test_a_sound_evaluation_passes_every_check(
    small_dataset: Dataset, split: Split, bundle: Bundle, trial: Trial
) -> None:
    told: list[str] = []
    checks = run_checks(small_dataset, split, bundle, trial, thorough=False, on_step=told.append)
    passed = {one.name: one.passed for one in checks}
    assert passed == {
        **dict.fromkeys((ORDER, ROWS, PAIRS, COLD, KNOWN, SEGMENTS, FULL, FIGURES, CHANCE), True),
        **dict.fromkeys((SAME, SHUFFLED), None),
    }
    assert all(one.told for one in checks)
    assert all(one.figures["seconds"] >= 0 for one in checks if one.passed)
    assert 0 < len(told) <= STEPS
    refuse(checks)


@pytest.mark.slow  # two more trainings
def test_a_sound_evaluation_passes_what_needs_more_trainings(
    small_dataset: Dataset, split: Split, bundle: Bundle, trial: Trial
) -> None:
    told: list[str] = []
    checks = run_checks(small_dataset, split, bundle, trial, on_step=told.append)
    assert all(one.passed for one in checks), [one for one in checks if not one.passed]
    assert len(told) == STEPS


def test_a_refusal_ends_with_five_and_names_every_reason() -> None:
    checks = [
        Check("one", True, "fine", {}),
        Check("two", None, "not asked", {}),
        Check("three", False, "it leaks", {}),
        Check("four", False, "it varies", {}),
    ]
    refuse(checks[:2])
    with pytest.raises(BundleError, match="2 of 3 checks") as caught:
        refuse(checks)
    assert caught.value.exit_code == 5
    assert "three: it leaks." in caught.value.problem
    assert "four: it varies." in caught.value.problem
    assert "fine" not in caught.value.problem


def test_features_of_the_future_are_found_by_name(
    small_dataset: Dataset, split: Split, bundle: Bundle
) -> None:
    after = customer_features(small_dataset, small_dataset.moment_after()).values
    found = check_known(split, with_features(bundle, after))
    assert found.passed is False
    assert "transaction_frequency" in found.told
    assert int(found.figures["number_of_transactions"]) > 0
    # One value of one customer is enough.
    past = customer_features(split.train, split.at).values
    past.iloc[7, 4] *= 1.001
    assert "average_transaction_value of 1" in check_known(split, with_features(bundle, past)).told


def test_a_history_of_the_future_is_found(
    small_dataset: Dataset, split: Split, bundle: Bundle
) -> None:
    assert bundle.recommender is not None
    features = customer_features(split.train, split.at).values
    ids = IdMap(str(name) for name in bundle.customers.ids)
    known = ids.known(small_dataset.interactions["customer_id"])
    bought = ids.known(small_dataset.transactions["customer_id"])
    seen = replace(
        split.train,
        interactions=small_dataset.interactions[known],
        transactions=small_dataset.transactions[bought],
    )
    query = bundle.recommender.encoders.query_dataset(seen, features, ids)
    found = check_known(split, replace(bundle, customers=replace(bundle.customers, query=query)))
    assert found.passed is False
    assert {"history", "redeemed", "purchases"} <= set(found.figures)


def test_a_model_of_another_moment_or_other_customers_is_found(
    split: Split, bundle: Bundle
) -> None:
    late = replace(bundle, at=(CUT + HOUR).isoformat())
    assert check_known(split, late).passed is False
    fewer = replace(bundle.customers, ids=bundle.customers.ids[1:])
    assert "customers" in check_known(split, replace(bundle, customers=fewer)).told


def test_segments_fitted_on_all_the_data_are_found(
    small_dataset: Dataset, split: Split, bundle: Bundle
) -> None:
    assert bundle.segments is not None
    whole = customer_features(small_dataset, small_dataset.moment_after()).values
    leaky, _ = find_segments(whole, bundle.segments.n_segments, bundle.seed)
    assert leaky is not None
    found = check_segments(split, replace(bundle, segments=leaky.model))
    assert found.passed is False
    assert "elsewhere" in found.told
    assert "number_of_transactions" in found.told


def test_segments_in_another_order_are_the_same_segments(split: Split, bundle: Bundle) -> None:
    model = bundle.segments
    assert model is not None
    turned = replace(model, centroids=model.centroids[::-1], shares=model.shares[::-1])
    assert check_segments(split, replace(bundle, segments=turned)).passed is True
    assert check_segments(split, replace(bundle, segments=None)).passed is None


def test_rows_of_the_window_in_training_are_found(small_dataset: Dataset, split: Split) -> None:
    leaky = with_rows(split, window(small_dataset, split).head(3))
    for check in (check_time, check_rows, check_pairs):
        assert check(small_dataset, leaky).passed is False, check
    assert check_rows(small_dataset, leaky).figures["interactions not of the past"] == 3
    assert "3 events stand on both sides" in check_pairs(small_dataset, leaky).told


def test_a_tested_customers_rows_are_found_even_with_an_earlier_date(
    small_dataset: Dataset, split: Split
) -> None:
    rows = window(small_dataset, split).head(4)
    once = split.train.offers.set_index("offer_id")["repeatable"].fillna(False)
    counted = int((~once.loc[rows["offer_id"]].astype(bool)).sum())
    earlier = rows.assign(occurred_at=split.at - HOUR, event_id=None)
    leaky = with_rows(split, earlier)
    assert check_time(small_dataset, leaky).passed is True  # dates alone do not tell
    assert check_rows(small_dataset, leaky).figures["interactions not of the past"] == 4
    assert counted
    assert f"{counted} of" in check_pairs(small_dataset, leaky).told


def test_a_row_that_is_learnt_from_twice_is_found(small_dataset: Dataset, split: Split) -> None:
    twice = with_rows(split, split.train.interactions.head(2))
    assert check_rows(small_dataset, twice).figures["interactions not of the past"] == 2
    none = replace(split.train, transactions=split.train.transactions.iloc[:0])
    assert check_rows(small_dataset, replace(split, train=none)).passed is True


def test_pairs_that_were_known_before_are_no_test(small_dataset: Dataset, split: Split) -> None:
    """Truth that is taken from before the moment is out of order, whatever the split says."""
    log = split.train.events("redemption")
    truth = log[["customer_id", "offer_id"]].drop_duplicates().head(20).reset_index(drop=True)
    leaky = replace(split, truth=truth)
    assert check_time(small_dataset, leaky).passed is False
    assert check_pairs(small_dataset, leaky).passed is False
    invented = pd.DataFrame({"customer_id": ["nobody"], "offer_id": ["nothing"]})
    unseen = replace(split, truth=pd.concat([split.truth, invented], ignore_index=True))
    assert "no row" in check_time(small_dataset, unseen).told
    assert check_time(small_dataset, unseen).passed is False


def test_cold_customers_that_are_known_are_found(
    small_dataset: Dataset, split: Split, bundle: Bundle
) -> None:
    warm = next(name for name in split.customers if name not in split.cold)
    wrong = check_cold(replace(split, cold=split.cold | {warm}), bundle)
    assert wrong.passed is False
    assert "cold customers has training rows" in wrong.told
    assert "the model knows what 1 cold" in wrong.told
    assert split.cold
    missed = check_cold(replace(split, cold=frozenset()), bundle)
    assert missed.passed is False
    assert "warm customers have none" in missed.told


def narrowed(split: Split, share: float) -> Split:
    """Keep what is relevant to anybody and a sample of the other candidates."""
    others = sorted(split.candidates - set(split.truth["offer_id"]))
    relevant = sorted(set(split.truth["offer_id"]))[::2]
    return replace(split, candidates=frozenset(relevant + others[: int(len(others) * share)]))


def test_lists_of_fewer_candidates_are_found(split: Split, bundle: Bundle) -> None:
    few = narrowed(split, 1.0)
    assert len(few.candidates) < len(split.candidates)
    found = check_full(split, bundle, run_trial(Service(bundle), few))
    assert found.passed is False
    assert "candidates" in found.told


def test_lists_as_long_as_they_should_be_but_of_a_sample_are_found(
    small_dataset: Dataset, split: Split, bundle: Bundle, trial: Trial
) -> None:
    """Each customer's best candidate is left out of the race; lengths and offers look right."""
    short = {
        policy: lists[lists["rank"] > 1].assign(rank=lists["rank"] - 1)
        for policy, lists in trial.lists.items()
    }
    found = check_full(split, bundle, replace(trial, lists=short))
    assert found.passed is False
    turned = {policy: lists.assign(rank=-lists["rank"]) for policy, lists in trial.lists.items()}
    assert "better candidates" in check_full(split, bundle, replace(trial, lists=turned)).told


def test_what_was_redeemed_before_or_is_no_candidate_may_not_be_listed(
    split: Split, bundle: Bundle, trial: Trial
) -> None:
    reach = reach_of(split)
    person, offer = next(row for row in reach.gone if row[0] in set(split.customers))
    lists = trial.lists["hybrid"].copy()
    lists.loc[lists.index[lists["customer_id"] == person][0], "offer_id"] = offer
    found = check_full(split, bundle, replace(trial, lists={**trial.lists, "hybrid": lists}))
    assert found.passed is False
    assert "1 listed offer is no candidate" in found.told


def test_figures_over_sampled_negatives_are_found(split: Split, trial: Trial) -> None:
    """The lists are whole; the metric looks only at what is relevant and a few others."""
    random = np.random.default_rng(0)
    lists = trial.lists["hybrid"]
    relevant = pd.MultiIndex.from_frame(split.truth[["customer_id", "offer_id"]])
    good = pd.MultiIndex.from_frame(lists[["customer_id", "offer_id"]]).isin(relevant)
    sampled = lists[good | (random.random(len(lists)) < 0.3)]
    flattered = per_customer(find_hits(sampled, split.truth), (5, 10, 20))
    assert flattered["ndcg@10"].mean() > trial.values["hybrid"]["ndcg@10"].mean()
    found = check_figures(split, replace(trial, values={**trial.values, "hybrid": flattered}))
    assert found.passed is False
    assert "hybrid" in found.told
    assert "popularity" not in found.told


def test_customers_left_out_of_the_mean_are_found(split: Split, trial: Trial) -> None:
    assert check_figures(split, replace(trial, customers=trial.customers[1:])).passed is False


def test_random_lists_that_hit_too_often_are_found(split: Split, trial: Trial) -> None:
    assert check_chance(split, trial).passed is True
    random = {name: vector.copy() for name, vector in trial.values["random"].items()}
    random["precision@5"] = np.minimum(1.0, random["precision@5"] + 0.2)
    found = check_chance(split, replace(trial, values={**trial.values, "random": random}))
    assert found.passed is False
    assert float(found.figures["away"]) > 5
    silent = {name: lists for name, lists in trial.lists.items() if name != "random"}
    assert check_chance(split, replace(trial, lists=silent)).passed is None


@pytest.mark.slow
def test_nothing_is_left_to_chance_where_there_is_one_offer() -> None:
    world = Dataset.of(generate(WorldParameters(customers=150, offers=1, days=60)))
    split = split_dataset(world, Protocol())
    trial = run_trial(Service(train(split.train, at=split.at)), split)
    found = check_chance(split, trial)
    assert found.passed is True
    assert found.figures["away"] == 0
    values = {"precision@5": trial.values["random"]["precision@5"] * 0}
    assert check_chance(split, replace(trial, values={"random": values})).passed is False


def test_training_that_varies_is_found(
    small_dataset: Dataset, split: Split, bundle: Bundle, trial: Trial
) -> None:
    turns = iter(range(1, 10))

    def varying(dataset: Dataset, at: pd.Timestamp, seed: int) -> Bundle:
        return replace(bundle, seed=next(turns))

    checks = {
        one.name: one for one in run_checks(small_dataset, split, bundle, trial, trainer=varying)
    }
    assert checks[SAME].passed is False
    assert "the same data and seed" in checks[SAME].told
    with pytest.raises(BundleError, match="deterministic"):
        refuse(tuple(checks.values()))


@pytest.mark.slow  # a training on everything
def test_training_that_reads_the_window_is_found(small_dataset: Dataset, split: Split) -> None:
    def reading(dataset: Dataset, at: pd.Timestamp, seed: int) -> Bundle:
        return replace(train(dataset, seed=seed), at=at.isoformat())

    found = check_shuffled(small_dataset, fold_of(split), reading)
    assert found.passed is False
    assert float(found.figures["p_above_popularity"]) < 0.01


def without_time(dataset: Dataset) -> Dataset:
    """Put every interaction at one moment; nothing was bought."""
    log = dataset.interactions.assign(occurred_at=CUT)
    offers = dataset.offers.drop(columns=["valid_from", "valid_until"])
    tables = {**dataset.tables(), "interactions": log, "offers": offers}
    return Dataset.of({name: table for name, table in tables.items() if name != "transactions"})


def test_pairs_held_out_at_random_are_checked_without_time(small_dataset: Dataset) -> None:
    dataset = without_time(small_dataset)
    split = split_dataset(dataset, Protocol())
    assert not split.by_time
    assert check_time(dataset, split).passed is None
    assert check_rows(dataset, split).passed is True
    assert check_pairs(dataset, split).passed is True
    leaky = replace(split, train=dataset)
    assert check_pairs(dataset, leaky).passed is False
    assert "held out" in check_pairs(dataset, leaky).told


@pytest.mark.slow  # three trainings
def test_an_evaluation_without_a_cut_in_time_passes(small_dataset: Dataset) -> None:
    dataset = without_time(small_dataset)
    split = split_dataset(dataset, Protocol())
    bundle = train(split.train, at=split.at)
    checks = run_checks(dataset, split, bundle, run_trial(Service(bundle), split))
    assert not [one for one in checks if one.passed is False]
    assert {one.name for one in checks if one.passed is None} <= {ORDER}


def test_without_a_ranking_the_lists_are_not_asked_about(
    small_dataset: Dataset, split: Split, bundle: Bundle
) -> None:
    silent = replace(bundle, recommender=None)
    found = {
        one.name: one.passed
        for one in run_checks(small_dataset, split, silent, None, thorough=False)
    }
    assert {found[name] for name in (FULL, FIGURES, CHANCE)} == {None}
    assert found[KNOWN] is True
