"""The gate refuses what is worse, knows the future or varies; the way back goes back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import BundleError, DataError
from evaluation.metrics import find_hits, per_customer
from recommender.bundle import Bundle
from recommender.learning.yardstick import ndcg
from recommender.past.fold import Fold
from recommender.past.validation import fold_at
from recommender.release import gate
from recommender.release.gate import judge_release
from recommender.release.gate_checks import (
    SAME,
    WORSE,
    check_order,
    check_same,
    check_shuffled,
    check_worse,
)
from recommender.release.held_out import deal_out, hold_out, scores
from recommender.release.releasing import release
from recommender.release.verdict import Check, Verdict, read_verdict, write_verdict
from recommender.storage.model_folder import VERSIONS, load, save, store
from recommender.storage.versions import (
    CURRENT,
    HISTORY,
    VERDICT,
    candidate_version,
    current_version,
    history,
    make_current,
    step_back,
)
from recommender.training import train
from tests.conftest import EARLIER

pytestmark = pytest.mark.usefixtures("spared")
CUT = EARLIER


@pytest.fixture(scope="module")
def fold(small_dataset: Dataset) -> Fold:
    return fold_at(small_dataset, CUT, small_dataset.moment_after())


@pytest.fixture(scope="module")
def earlier(earlier_bundle: Bundle) -> Bundle:
    return replace(earlier_bundle, version="earlier")


def upside_down(bundle: Bundle) -> Bundle:
    assert bundle.recommender is not None
    hybrid = bundle.recommender.hybrid
    turned = replace(bundle.recommender, hybrid=replace(hybrid, weight=-hybrid.weight))
    return replace(bundle, recommender=turned)


@pytest.mark.parametrize("offers", [4, 30])
def test_dense_ndcg_is_that_of_the_report(offers: int) -> None:
    random = np.random.default_rng(offers)
    score = random.random((50, offers))
    candidate = random.random(score.shape) < 0.7
    taken = (random.random(score.shape) < 0.2) & candidate
    kept = taken.any(axis=1)
    score, candidate, taken = score[kept], candidate[kept], taken[kept]
    rows, columns = np.nonzero(candidate)
    lists = pd.DataFrame(
        {
            "customer_id": [f"c{row:02}" for row in rows],
            "offer_id": [f"o{column}" for column in columns],
            "score": score[rows, columns],
        },
    )
    lists["rank"] = lists.groupby("customer_id")["score"].rank(ascending=False)
    truth = pd.DataFrame(
        [(f"c{row:02}", f"o{column}") for row, column in zip(*np.nonzero(taken), strict=True)],
        columns=["customer_id", "offer_id"],
    )
    theirs = per_customer(find_hits(lists, truth), [10])["ndcg@10"]
    np.testing.assert_allclose(ndcg(score, taken, candidate), theirs, rtol=1e-12)


def test_a_worse_model_is_refused_and_a_better_one_is_not(fold: Fold, earlier: Bundle) -> None:
    held, bad = hold_out(fold), upside_down(earlier)
    refused = check_worse(held, bad, earlier)
    assert refused.passed is False
    assert refused.figures["p_value"] < 0.05
    assert refused.figures["candidate_ndcg@10"] < refused.figures["current_ndcg@10"]
    assert refused.figures["n"] == len(held.taken)
    assert check_worse(held, earlier, bad).passed is True
    same = check_worse(held, earlier, earlier)
    assert same.passed is True
    assert same.figures["difference"] == 0
    few = replace(held, taken=held.taken[:5], candidate=held.candidate[:5])
    assert check_worse(few, bad, earlier).passed is None  # no difference could be told


@pytest.mark.slow
def test_offers_and_customers_unknown_to_a_model_are_no_obstacle(
    small_dataset: Dataset, fold: Fold
) -> None:
    held = hold_out(fold)
    half = small_dataset.offers[small_dataset.offers["offer_id"].isin(held.offers[::2])]
    log = small_dataset.interactions
    few = replace(
        small_dataset,
        offers=half,
        customers=small_dataset.customers.iloc[:75],
        interactions=log[log["offer_id"].isin(half["offer_id"])],
    )
    found = scores(train(few, at=CUT), held)
    assert np.isfinite(found).all()
    # What came later is ranked by what it is like, as when the model serves, and not last.
    assert found[:, 1::2].max() > found[:, ::2].min()


def test_time_out_of_order_is_refused(small_dataset: Dataset, fold: Fold) -> None:
    until = small_dataset.moment_after()
    assert check_order(small_dataset, fold, until).passed is True
    leaky = check_order(small_dataset, replace(fold, past=small_dataset), until)
    assert leaky.passed is False
    assert leaky.figures["max_train_time"] >= leaky.figures["min_test_time"]


def test_what_varies_or_reads_the_future_is_refused(
    small_dataset: Dataset, small_bundle: Bundle
) -> None:
    turns = iter(range(10))

    def varying(dataset: Dataset, at: pd.Timestamp, seed: int) -> Bundle:
        return replace(small_bundle, seed=next(turns))

    def reading(dataset: Dataset, at: pd.Timestamp, seed: int) -> Bundle:
        return replace(small_bundle, at=dataset.fingerprint)

    def counting(dataset: Dataset, at: pd.Timestamp, seed: int) -> Bundle:
        # Which offers will be taken, whoever takes them.
        later = dataset.interactions[dataset.interactions["occurred_at"] >= at]
        return replace(small_bundle, at=str(later["offer_id"].value_counts().to_dict()))

    def steady(dataset: Dataset, at: pd.Timestamp, seed: int) -> Bundle:
        return replace(small_bundle, at=dataset.before(at).fingerprint)

    for recipe, passed, told in (
        (varying, False, "the same data and seed gave"),
        (reading, False, "after its moment"),
        (counting, False, "after its moment"),
        (steady, True, "both times"),
    ):
        found = check_same(small_dataset, CUT, recipe(small_dataset, CUT, 0), recipe)
        assert found.passed is passed
        assert told in found.told


@pytest.mark.slow
def test_a_recipe_that_reads_the_future_knows_shuffled_labels(
    small_dataset: Dataset, fold: Fold
) -> None:
    def leaky(dataset: Dataset, at: pd.Timestamp, seed: int) -> Bundle:
        return replace(train(dataset, seed=seed), at=at.isoformat())

    refused = check_shuffled(small_dataset, fold, leaky)
    assert refused.passed is False
    assert refused.figures["shuffled_ndcg@10"] > refused.figures["popularity_ndcg@10"]


@pytest.mark.slow
def test_an_honest_release_passes_every_check(
    small_dataset: Dataset, small_bundle: Bundle, earlier: Bundle
) -> None:
    verdict = judge_release(small_dataset, small_bundle, earlier)
    assert [one.passed for one in verdict.checks] == [True] * 4
    assert not verdict.reasons


def test_what_cannot_be_measured_is_said_and_refuses_nothing(
    small_dataset: Dataset, small_bundle: Bundle
) -> None:
    few = replace(small_dataset, interactions=small_dataset.interactions.iloc[:0])
    verdict = judge_release(few, small_bundle, small_bundle, thorough=False)
    assert {one.passed for one in verdict.checks} == {None}
    assert all(one.told for one in verdict.checks)
    silent = replace(small_bundle, recommender=None)
    assert judge_release(few, silent, small_bundle, thorough=False).checks[0].passed is False


def test_a_model_of_an_earlier_moment_is_refused(
    small_dataset: Dataset, small_bundle: Bundle, earlier: Bundle
) -> None:
    worse = judge_release(small_dataset, earlier, small_bundle, thorough=False).checks[0]
    assert worse.passed is False
    for word in (earlier.at, small_bundle.at, "--no-gate", "--force", "rollback"):
        assert word in worse.told
    nothing = replace(small_bundle, recommender=None)
    assert judge_release(small_dataset, earlier, nothing, thorough=False).checks[0].passed is None
    # The last rows may have been erased, or have been of a mistyped year.
    ends = judge_release(
        small_dataset.before(earlier.moment), earlier, small_bundle, thorough=False, stated=False
    ).checks[0]
    assert ends.passed is None
    assert small_bundle.at in ends.told


def test_an_answer_stands_where_a_later_check_cannot_be_asked(
    small_dataset: Dataset, small_bundle: Bundle, earlier: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> Check:
        raise DataError("nothing can be trained from this")

    monkeypatch.setattr(gate, "check_worse", lambda *_: Check(WORSE, False, "it is worse", {}))
    monkeypatch.setattr(gate, "check_origin", lambda *_: Check(SAME, False, "it is another", {}))
    monkeypatch.setattr(gate, "check_shuffled", cannot)
    verdict = judge_release(small_dataset, small_bundle, earlier, trainer=lambda *_: earlier)
    assert [one.passed for one in verdict.checks] == [False, True, False, None]
    assert verdict.checks[3].told == "nothing can be trained from this"


def test_dealing_out_moves_only_its_side_of_the_moment(small_dataset: Dataset) -> None:
    log = small_dataset.interactions
    after = (log["occurred_at"] >= CUT).to_numpy()
    early = deal_out(small_dataset, 0, until=CUT).interactions["customer_id"]
    assert (early[after] == log["customer_id"][after]).all()
    assert (early[~after] != log["customer_id"][~after]).all()


@pytest.fixture
def three(small_bundle: Bundle, tmp_path: Path) -> tuple[Path, list[str]]:
    model = tmp_path / "model"
    return model, [save(replace(small_bundle, seed=seed), model).version for seed in (1, 2, 3)]


def test_going_back_goes_further_each_time(three: tuple[Path, list[str]]) -> None:
    model, versions = three
    assert history(model) == versions[:2]
    step_back(model)
    step_back(model)
    assert load(model).version == versions[0]
    assert history(model) == []
    make_current(model, versions[2])
    assert history(model) == versions[:1]


@pytest.mark.parametrize("killed_at", [CURRENT, HISTORY])
@pytest.mark.parametrize("deed", ["forward", "back"])
def test_a_kill_at_any_point_leaves_a_whole_model(
    three: tuple[Path, list[str]], killed_at: str, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, versions = three
    step_back(model)
    usual = Path.replace

    def kill(self: Path, target: Path) -> Path:
        if Path(target).name == killed_at:
            raise KeyboardInterrupt
        return usual(self, target)

    monkeypatch.setattr(Path, "replace", kill)
    with pytest.raises(KeyboardInterrupt):
        make_current(model, versions[2]) if deed == "forward" else step_back(model)
    monkeypatch.undo()
    now = current_version(model)
    assert load(model).version == now
    assert now not in history(model)
    assert history(model) == versions[: versions.index(now)]


def test_a_kept_model_is_not_current(small_bundle: Bundle, tmp_path: Path) -> None:
    first = save(small_bundle, tmp_path / "model")
    kept = store(replace(small_bundle, seed=7), tmp_path / "model")
    assert load(tmp_path / "model").version == first.version
    assert load(tmp_path / "model", kept.version).seed == 7
    with pytest.raises(BundleError, match="holds no version"):
        load(tmp_path / "model", "../escape")


def test_a_verdict_survives_the_disk_and_a_damaged_one_is_refused(
    three: tuple[Path, list[str]],
) -> None:
    model, versions = three
    check = Check(WORSE, False, "it is", {"p_value": 0.01, "n": 40})
    verdict = Verdict(versions[0], versions[1], (check,))
    assert read_verdict(model, versions[0]) is None
    write_verdict(verdict, model)
    assert read_verdict(model, versions[0]) == verdict
    assert load(model, versions[0]).version == versions[0]  # no part of the content
    path = model / VERSIONS / versions[0] / VERDICT
    told = json.loads(path.read_text())
    for text in (
        "",
        "{",
        "[]",
        json.dumps({**told, "version": "x"}),
        json.dumps({**told, "checks": [{}]}),
    ):
        path.write_text(text)
        with pytest.raises(BundleError, match="damaged"):
            read_verdict(model, versions[0])


def test_the_same_model_once_more_does_not_put_out_a_newer_one(
    small_dataset: Dataset, small_bundle: Bundle, tmp_path: Path
) -> None:
    began_from = save(small_bundle, tmp_path)
    newer = save(replace(small_bundle, seed=77), tmp_path)  # while the same is trained again
    with pytest.raises(BundleError, match=f"another model.*{newer.version}"):
        release(small_bundle, small_dataset, began_from, tmp_path, gate=True, stated=False)
    assert current_version(tmp_path) == newer.version
    assert candidate_version(tmp_path) == began_from.version
    again, verdict = release(
        small_bundle, small_dataset, load(tmp_path), tmp_path, gate=False, stated=False
    )
    assert (again.version, verdict) == (began_from.version, None)
    assert current_version(tmp_path) == began_from.version
