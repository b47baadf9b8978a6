"""`python -m recommender` as its users meet it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from data.console import run
from data.ingest import write_folder
from recommender.__main__ import app
from recommender.bundle import CURRENT, VERSIONS, load


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recommender", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def model(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "model"
    done = command("train", "--data", small_folder, "--model", folder)
    assert done.returncode == 0, done.stderr
    assert "150 customers, 40 offers" in done.stdout
    return folder


def test_lists_of_everybody_have_the_columns_of_the_contract(model: Path, tmp_path: Path) -> None:
    for name in ("lists.csv", "again.csv", "lists.parquet"):
        done = command("recommend", "--model", model, "--output", tmp_path / name, "--n", 4)
        assert done.returncode == 0, done.stderr
    lists = pd.read_parquet(tmp_path / "lists.parquet")
    assert list(lists.columns) == ["customer_id", "rank", "offer_id", "score", "source"]
    assert lists["customer_id"].nunique() == 150
    assert lists.groupby("customer_id")["rank"].apply(list).map(lambda r: r == [1, 2, 3, 4]).all()
    assert (tmp_path / "lists.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_strangers_are_served_by_what_is_known_of_them(
    model: Path, small_world: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    fuel = small_world["items"].loc[small_world["items"]["category"] == "travel"].iloc[0]
    (tmp_path / "people.csv").write_text("customer_id,age\nnew1,30\nnew2,\nc0000001,\n")
    (tmp_path / "bought.csv").write_text(
        "customer_id,occurred_at,amount,item_id\n"
        f"new1,2025-03-01T10:00:00Z,90,{fuel['item_id']}\n"
        f"somebody else,2025-03-01T10:00:00Z,90,{fuel['item_id']}\n"
    )
    (tmp_path / "told.csv").write_text("customer_id,question,answer\nnew1,category:travel,yes\n")
    offers = small_world["offers"].loc[:20, ["offer_id"]]
    offers.to_csv(tmp_path / "offers.csv", index=False)
    done = command(
        "recommend", "--model", model, "--output", tmp_path / "lists.csv",
        "--customers", tmp_path / "people.csv", "--purchases", tmp_path / "bought.csv",
        "--answers", tmp_path / "told.csv", "--offers", tmp_path / "offers.csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lists = pd.read_csv(tmp_path / "lists.csv")
    assert lists["customer_id"].drop_duplicates().tolist() == ["new1", "new2", "c0000001"]
    assert set(lists["offer_id"]) <= set(offers["offer_id"])
    assert set(lists.loc[lists["customer_id"] == "new2", "source"]) == {"popularity"}
    assert set(lists.loc[lists["customer_id"] == "new1", "source"]) != {"popularity"}


def test_an_explanation_adds_up(model: Path) -> None:
    done = command("explain", "c0000005", "--model", model, "--json")
    assert done.returncode == 0, done.stderr
    for offer in json.loads(done.stdout)["offers"]:
        total = sum(offer["contributions"].values())
        score = offer["score"]
        expected = math.log(score / (1 - score)) if offer["calibrated"] else score
        assert total == pytest.approx(expected, abs=1e-9)
        assert offer["reasons"]
    told = command("explain", "c0000005", "o0003", "--model", model)
    assert told.returncode == 0
    assert "o0003" in told.stdout


def test_bad_input_ends_with_its_code_and_a_remedy(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    people = tmp_path / "people.csv"
    people.write_text("name\nAda\n")
    out = tmp_path / "lists.csv"
    cases: list[tuple[int, str, list[object]]] = [
        (4, "is not a folder", ["train", "--data", tmp_path / "nowhere", "--model", empty]),
        (4, "holds no table", ["train", "--data", empty, "--model", tmp_path / "m"]),
        (2, "lies in the dataset", ["train", "--data", empty, "--model", empty / "m"]),
        (5, "holds no model", ["recommend", "--model", empty, "--output", out]),
        (2, "is not a moment", ["recommend", "--model", model, "--output", out, "--at", "soon"]),
        (2, "lists.txt", ["recommend", "--model", model, "--output", tmp_path / "lists.txt"]),
        (4, "customer_id", ["recommend", "--model", model, "--output", out, "--customers", people]),
        (2, "does not know the customer", ["explain", "nobody", "--model", model]),
        (2, "policy", ["recommend", "--model", model, "--output", out, "--policy", "magic"]),
    ]
    for code, text, arguments in cases:
        monkeypatch.setattr(sys, "argv", ["recommender", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            run(app)
        assert caught.value.code == code, arguments
        assert text in capsys.readouterr().err.replace("\n", " ")


def test_a_damaged_model_ends_with_5(model: Path, tmp_path: Path) -> None:
    version = (model / CURRENT).read_text()
    copy = tmp_path / "copy"
    (copy / VERSIONS / version).mkdir(parents=True)
    (copy / CURRENT).write_text(version)
    for path in (model / VERSIONS / version).iterdir():
        (copy / VERSIONS / version / path.name).write_bytes(path.read_bytes()[:-7])
    done = command("recommend", "--model", copy, "--output", tmp_path / "lists.csv")
    assert done.returncode == 5
    assert "Train again" in done.stderr


def test_customers_only_train_segments_and_say_so(
    small_world: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    write_folder({"customers": small_world["customers"]}, tmp_path / "people")
    done = command("train", "--data", tmp_path / "people", "--model", tmp_path / "model")
    assert done.returncode == 0
    assert "recommends nothing" in done.stderr
    listed = command("recommend", "--model", tmp_path / "model", "--output", tmp_path / "l.csv")
    assert listed.returncode == 5
    assert not list((tmp_path / "people").glob("quarantine"))


def test_segments_keep_their_names_when_trained_again(small_folder: Path, tmp_path: Path) -> None:
    words = ("train", "--data", small_folder, "--model", tmp_path / "model")
    assert command(*words, "--seed", "1").returncode == 0
    before = load(tmp_path / "model").segments
    assert command(*words, "--seed", "2", "--at", "2025-09-25").returncode == 0
    after = load(tmp_path / "model").segments
    assert before is not None
    assert after is not None
    shared = [name for name in after.names if name in before.names]
    assert len(shared) >= before.n_segments // 2
    assert list(after.names[: len(shared)]) == shared  # those that are kept come first
