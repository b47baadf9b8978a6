"""Lists as TREC files: read back, other tools find for each customer what the report found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from evaluation.harness import Trial
from evaluation.metrics import find_hits, per_customer
from evaluation.splitting import Split
from evaluation.trec import (
    NOTHING,
    QRELS,
    RUNS,
    VALUES,
    escaped,
    unescaped,
    values_table,
    write_outputs,
    write_qrels,
    write_run,
    write_values,
)

MakeTrial = Callable[..., tuple[Trial, Split]]


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    with path.open(encoding="utf-8") as file:
        found: dict[str, dict[str, int]] = pytrec_eval.parse_qrel(file)
    return found


def read_run(path: Path) -> dict[str, dict[str, float]]:
    with path.open(encoding="utf-8") as file:
        found: dict[str, dict[str, float]] = pytrec_eval.parse_run(file)
    return found


def tables(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make lists with everything unusual: blanks, gaps, shuffled rows, duplicates, nobody's."""
    random = np.random.default_rng(seed)
    offers = np.array([f"offer {i:02}" for i in range(40)], dtype=object)
    lists = []
    for person in range(30):
        chosen = random.choice(offers, random.integers(0, 25), replace=False)
        rank = np.sort(random.choice(60, len(chosen), replace=False))
        lists.append(pd.DataFrame({"customer_id": f"c {person}", "offer_id": chosen, "rank": rank}))
    table = pd.concat([*lists, lists[3].head(4).assign(rank=99)], ignore_index=True)
    truth = pd.DataFrame(
        [
            (f"c {person}", offer)
            for person in range(25)
            for offer in random.choice(offers, random.integers(1, 6), replace=False)
        ],
        columns=["customer_id", "offer_id"],
    )
    ids = {"customer_id": "str", "offer_id": "str"}
    return table.sample(frac=1, random_state=seed).astype(ids), truth.astype(ids)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_run_read_back_scores_every_customer_alike(tmp_path: Path, seed: int) -> None:
    lists, truth = tables(seed)
    write_run(lists, truth, tmp_path / "run.txt", tag="our system")
    write_qrels(truth, tmp_path / "qrels.txt")
    run, qrels = read_run(tmp_path / "run.txt"), read_qrels(tmp_path / "qrels.txt")
    hits = find_hits(lists, truth)
    assert set(run) == set(qrels) == {f"c%20{name[2:]}" for name in hits.customers}
    theirs = pytrec_eval.RelevanceEvaluator(
        qrels, {"P.5,10", "recall.5,10", "success.5,10", "ndcg_cut.5,10", "map_cut.5,10"}
    ).evaluate(run)
    ours = per_customer(hits, (5, 10))
    names = {"precision": "P", "recall": "recall", "hit_rate": "success", "ndcg": "ndcg_cut"}
    for row, customer in enumerate(hits.customers):
        told = theirs[customer.replace(" ", "%20")]
        for k in (5, 10):
            for name, other in {**names, "map": "map_cut"}.items():
                assert ours[f"{name}@{k}"][row] == pytest.approx(told[f"{other}_{k}"], abs=1e-12)


def test_the_lines_are_those_of_the_format(tmp_path: Path) -> None:
    lists = pd.DataFrame(
        {"customer_id": ["b", "b", "x"], "offer_id": ["o2", "o1", "o1"], "rank": [7, 3, 1]}
    ).astype({"customer_id": "str", "offer_id": "str"})
    truth = pd.DataFrame({"customer_id": ["b", "a"], "offer_id": ["o1", NOTHING]}).astype("str")
    write_run(lists, truth, tmp_path / "deep" / "run.txt", tag="t")
    write_qrels(truth, tmp_path / "qrels.txt")
    # Nobody is left out, and the offer that is none is no offer.
    assert (tmp_path / "deep" / "run.txt").read_text(encoding="utf-8").splitlines() == [
        f"a Q0 {NOTHING}- 1 -1 t", "b Q0 o1 1 -1 t", "b Q0 o2 2 -2 t",
    ]  # fmt: skip
    assert (tmp_path / "qrels.txt").read_text(encoding="utf-8").splitlines() == [
        f"a 0 {NOTHING} 1", "b 0 o1 1",
    ]  # fmt: skip


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8))
def test_any_id_is_a_word_and_comes_back(ids: list[str]) -> None:
    ids = [name for name in ids if name.isprintable() or name.isspace()] or ["%20 a\tb"]
    words = escaped(pd.Series(ids, dtype="str", name="offer_id")).tolist()
    assert [word.split() for word in words] == [[word] for word in words]
    assert [unescaped(word) for word in words] == ids


@pytest.mark.parametrize("name", ["", None])
def test_an_id_that_is_nothing_is_refused(name: str | None, tmp_path: Path) -> None:
    truth = pd.DataFrame({"customer_id": ["a"], "offer_id": [name]}).astype("str")
    with pytest.raises(DataError, match="offer_id is empty"):
        write_qrels(truth, tmp_path / "qrels.txt")


def test_the_customers_figures_come_back_with_their_slices(
    tmp_path: Path, make_trial: MakeTrial
) -> None:
    trial, _ = make_trial()
    write_values(trial, tmp_path / VALUES)
    found = pd.read_parquet(tmp_path / VALUES)
    pd.testing.assert_frame_equal(found, values_table(trial))
    assert len(found) == len(trial.values) * len(trial.customers)
    for policy, metrics in trial.values.items():
        mine = found[found["policy"] == policy]
        assert mine["customer_id"].tolist() == trial.customers.tolist()
        for name, vector in metrics.items():
            np.testing.assert_array_equal(mine[name], vector)
        for name, mask in trial.slices.items():
            assert mine[f"slice:{name}"].dtype == bool
            np.testing.assert_array_equal(mine[f"slice:{name}"], mask)


def test_a_trial_is_written_whole(tmp_path: Path, make_trial: MakeTrial) -> None:
    trial, split = make_trial()
    paths = write_outputs(trial, split, tmp_path / "out")
    assert all(path.is_file() for path in paths)
    assert {path.name for path in (tmp_path / "out" / RUNS).iterdir()} == {
        f"{policy}.txt" for policy in trial.lists
    }
    qrels = read_qrels(tmp_path / "out" / QRELS)
    values = pd.read_parquet(tmp_path / "out" / VALUES).set_index(["policy", "customer_id"])
    for policy in trial.lists:
        run = read_run(tmp_path / "out" / RUNS / f"{policy}.txt")
        theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"}).evaluate(run)
        for customer, told in theirs.items():
            ours = values.loc[(policy, unescaped(customer)), "ndcg@10"]
            assert ours == pytest.approx(told["ndcg_cut_10"], abs=1e-12)
        assert len(theirs) == len(trial.customers)
