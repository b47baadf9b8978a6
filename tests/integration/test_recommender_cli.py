"""`python -m recommender` as its users meet it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from data.console import run
from data.dataset import Dataset
from data.ingest import write_folder
from data.store import Store
from recommender.__main__ import app
from recommender.bundle import Bundle
from recommender.commands import releasing as commands
from recommender.release import releasing
from recommender.release.gate_checks import WORSE
from recommender.release.verdict import Check, Verdict, write_verdict
from recommender.storage.model_folder import VERSIONS, load, save, store
from recommender.storage.versions import (
    CURRENT,
    candidate_version,
    current_version,
    make_current,
)
from tests.integration.conftest import run_here

pytestmark = pytest.mark.usefixtures("spared")


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in this process."""
    return run_here(app, *arguments, cwd=Path.cwd())


def command_outside(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would."""
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


@pytest.mark.parametrize("outside", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_lists_of_everybody_have_the_columns_of_the_contract(
    model: Path, tmp_path: Path, outside: bool
) -> None:
    for name in ("lists.csv", "again.csv", "lists.parquet"):
        # The bytes are the same whatever process writes them.
        start = command_outside if outside and name == "again.csv" else command
        done = start("recommend", "--model", model, "--output", tmp_path / name, "--n", 4)
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


def test_one_list_of_one_offer_is_said_so(model: Path, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("customer_id\nnew\n")
    valid = load(model).offers.sort_values("valid_until", na_position="last")["offer_id"].iloc[-1]
    (tmp_path / "offers.csv").write_text(f"offer_id\n{valid}\n")
    done = command(
        "recommend", "--model", model, "--output", tmp_path / "lists.csv",
        "--customers", tmp_path / "people.csv", "--offers", tmp_path / "offers.csv",
    )  # fmt: skip
    assert done.stdout.startswith("1 list from 1 candidate. Written to")


@pytest.mark.parametrize("who", ["warm", "profile", "surveyed", "unknown"])
def test_an_explanation_adds_up(model: Path, tmp_path: Path, who: str) -> None:
    name = "c0000005" if who == "warm" else "new"
    people, told = tmp_path / "people.csv", tmp_path / "told.csv"
    people.write_text("customer_id,gender,age,annual_income\nnew,Female,33,70\n")
    told.write_text("customer_id,question,answer\nnew,category:travel,yes\n")
    tables = {"profile": ["--customers", people], "surveyed": ["--answers", told]}.get(who, [])
    done = command("explain", name, "--model", model, "--json", *tables)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["known"] == (who == "warm")
    silent = {"unknown": 6, "profile": 4, "surveyed": 5, "warm": 2}[who]
    for offer in found["offers"]:
        total = sum(offer["contributions"].values())
        score = offer["score"]
        expected = math.log(score / (1 - score)) if offer["calibrated"] else score
        assert total == pytest.approx(expected, abs=1e-9)
        assert offer["reasons"]
        assert sum(part == 0 for part in offer["contributions"].values()) <= silent
    if who == "warm":
        text = command("explain", name, "o0003", "--model", model)
        assert text.returncode == 0
        assert "o0003" in text.stdout


def test_explaining_says_what_is_not_used_and_that_the_moment_is_past(
    model: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    log.write_text(
        "customer_id,offer_id,event_type,occurred_at\nsomebody,o0001,click,2035-01-01T00:00:00Z\n"
        "c0000005,o0002,click,2035-01-01T00:00:00Z\n"
    )
    words = ("explain", "c0000005", "--model", model, "--json")
    plain, told = command(*words), command(*words, "--history", log)
    assert told.stdout == plain.stdout
    assert "rows of interactions not used, as the model knows these customers: 1." in told.stderr
    assert "rows of interactions of customers not asked for: 1." in told.stderr
    early = command(*words, "--at", (load(model).moment - pd.Timedelta(days=1)).isoformat())
    assert "after --at" in early.stderr


def test_an_offer_without_a_title_is_called_by_its_id(model: Path, tmp_path: Path) -> None:
    bundle = load(model)
    save(replace(bundle, offers=bundle.offers.assign(title=None)), tmp_path / "untitled")
    done = command("explain", "c0000005", "o0003", "--model", tmp_path / "untitled")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("o0003  probability of redemption")
    assert "nan" not in done.stdout
    assert "None" not in done.stdout


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
    out, folder = tmp_path / "lists.csv", tmp_path / "folder.csv"
    folder.mkdir()
    lists: list[object] = ["recommend", "--model", model, "--output"]
    cases: list[tuple[int, str, list[object]]] = [
        (4, "is not a folder", ["train", "--data", tmp_path / "nowhere", "--model", empty]),
        (4, "holds no table", ["train", "--data", empty, "--model", tmp_path / "m"]),
        (2, "lies in the dataset", ["train", "--data", empty, "--model", empty / "m"]),
        (5, "holds no model", ["recommend", "--model", empty, "--output", out]),
        (2, "is not a moment", ["recommend", "--model", model, "--output", out, "--at", "soon"]),
        (2, "is not a moment", ["explain", "c0000005", "--model", model, "--at", "06/07/2025"]),
        (2, "2025-06-30T00:00Z", ["recommend", "--model", model, "--output", out, "--at", "now"]),
        (2, "lists.txt", ["recommend", "--model", model, "--output", tmp_path / "lists.txt"]),
        (4, "customer_id", ["recommend", "--model", model, "--output", out, "--customers", people]),
        (3, "proc/x.csv cannot be written", [*lists, "/proc/x.csv", "--n", 1]),
        (3, "folder.csv is a folder", [*lists, folder]),
        (2, "customer is empty", ["explain", " ", "--model", model]),
        (2, "is not UTF-8", ["explain", "\udcff\udcfe", "--model", model]),
        (2, "is not UTF-8", ["erase", "\udcff", "--model", model]),
        (2, "is not UTF-8", ["verify-erasure", "\udcff", "--model", model]),
        (2, "\\udcff is not there", ["verify-erasure", "a", "--also", "\udcff"]),
        (2, "does not know the offer", ["explain", "nobody", "nothing", "--model", model]),
        (2, "policy", ["recommend", "--model", model, "--output", out, "--policy", "magic"]),
        (2, "hybrid only", [*lists, out, "--policy", "popularity", "--diversity", ".5"]),
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


@pytest.mark.slow
def test_customers_only_train_segments_and_say_so(
    small_world: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    write_folder({"customers": small_world["customers"]}, tmp_path / "people")
    done = command_outside("train", "--data", tmp_path / "people", "--model", tmp_path / "model")
    assert done.returncode == 0
    assert "recommends nothing" in done.stderr
    listed = command_outside(
        "recommend", "--model", tmp_path / "model", "--output", tmp_path / "l.csv"
    )
    assert listed.returncode == 5
    assert not list((tmp_path / "people").glob("quarantine"))


@pytest.mark.parametrize("url", [False, True])
def test_a_moment_before_all_data_is_refused_and_no_model_left(
    small_folder: Path, small_dataset: Dataset, tmp_path: Path, url: bool
) -> None:
    data: object = small_folder
    if url:
        data = f"sqlite:///{tmp_path / 'facts.db'}"
        store = Store.open(str(data))
        store.load(small_dataset)
        store.close()
    model = tmp_path / "model"
    done = command("train", "--data", data, "--model", model, "--at", "2001-01-01")
    assert done.returncode == 4, done.stderr
    assert "is known before 2001-01-01" in done.stderr
    assert "later --at" in done.stderr
    assert not model.exists()


def test_without_any_history_segments_are_trained_and_a_warning_comes_last(
    model: Path, small_world: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    """As a service begins; a model that does recommend is not replaced by it."""
    tables = {name: small_world[name] for name in ("customers", "offers")}
    write_folder({**tables, "interactions": small_world["interactions"][:0]}, tmp_path / "world")
    words = ("train", "--data", tmp_path / "world", "--model")
    first = command(*words, tmp_path / "first")
    assert first.returncode == 0, first.stderr
    assert first.stderr.strip().splitlines()[-1].startswith("Warning: no list can be made")
    good = save(load(model), tmp_path / "good").version
    kept = command(*words, tmp_path / "good")
    assert (kept.returncode, load(tmp_path / "good").version) == (5, good)
    assert "it recommends nothing, and the current model does" in kept.stderr


@pytest.mark.slow
def test_segments_keep_their_names_when_trained_again(small_folder: Path, tmp_path: Path) -> None:
    words = ("train", "--data", small_folder, "--model", tmp_path / "model")
    assert command_outside(*words, "--seed", "1", "--at", "2025-09-25").returncode == 0
    before = load(tmp_path / "model").segments
    assert command_outside(*words, "--seed", "2").returncode == 0
    after = load(tmp_path / "model").segments
    assert before is not None
    assert after is not None
    shared = [name for name in after.names if name in before.names]
    assert len(shared) >= before.n_segments // 2
    assert list(after.names[: len(shared)]) == shared  # those that are kept come first


def asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object
) -> tuple[int, str, str]:
    """Run a command in this process: its exit code, output and messages."""
    monkeypatch.setattr(sys, "argv", ["recommender", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        run(app)
    told = capsys.readouterr()
    return int(caught.value.code or 0), told.out, told.err.replace("\n", " ")


@pytest.mark.slow
def test_a_worse_model_is_kept_back_forced_and_left_again(
    small_folder: Path,
    small_world: dict[str, pd.DataFrame],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tell(*words: object) -> tuple[int, str, str]:
        return asked(capsys, monkeypatch, *words)

    cut, model = "2025-08-20", tmp_path / "model"
    code, _, err = tell("train", "--data", small_folder, "--model", model, "--at", cut)
    assert (code, "gate was not asked" in err) == (0, True)
    good = load(model).version
    # A broken export: before the cut, what sells best goes by the name of what sells least.
    log = small_world["interactions"].copy()
    past = log["occurred_at"] < pd.Timestamp(cut, tz="UTC")
    redeemed = log.loc[log["event_type"] == "redemption", "offer_id"].value_counts()
    names = redeemed.reindex(log["offer_id"].unique(), fill_value=0).sort_values().index
    log.loc[past, "offer_id"] = log["offer_id"].map(dict(zip(names, names[::-1], strict=True)))
    tables = {name: small_world[name] for name in ("customers", "offers")}
    write_folder({**tables, "interactions": log}, tmp_path / "broken")
    code, _, err = tell("train", "--data", tmp_path / "broken", "--model", model)
    assert code == 5, err
    assert "not worse than the current model" in err
    assert "--force" in err
    assert load(model).version == good
    code, text, _ = tell("publish", "--model", model, "--json")
    assert code == 5
    verdict = json.loads(text)["verdict"]
    assert verdict["refused"]
    figures = verdict["checks"][0]["figures"]
    assert figures["candidate_ndcg@10"] < figures["current_ndcg@10"]
    assert load(model).version == good
    bad = verdict["version"]
    _, text, _ = tell("publish", "--list", "--model", model, "--json")
    assert {
        row["version"]: (row["state"], row["gate"]) for row in json.loads(text)["versions"]
    } == {
        good: ("current", "not asked"),
        bad: ("candidate", "refused"),
    }
    assert tell("publish", "--model", model, "--force")[0] == 0
    assert load(model).version == bad
    code, text, _ = tell("rollback", "--model", model, "--json")
    assert (code, json.loads(text)["version"]) == (0, good)
    assert load(model).version == good
    code, _, err = tell("rollback", "--model", model)
    assert (code, "No model was current before" in err) == (5, True)
    code, _, err = tell("publish", "--model", model)
    assert (code, "has no candidate" in err) == (5, True)


def test_a_damaged_or_unmeasured_version_is_not_published(
    model: Path,
    small_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = tmp_path / "model"
    first = save(load(model), copy).version
    second = save(replace(load(model), seed=9), copy).version
    code, _, err = asked(capsys, monkeypatch, "publish", first, "--model", copy)
    assert (code, "--data DIR to measure it" in err) == (5, True)
    write_verdict(Verdict(first, "another", (Check(WORSE, True, "it is not", {}),)), copy)
    code, _, err = asked(capsys, monkeypatch, "publish", first, "--model", copy)
    assert (code, "was held against another" in err) == (5, True)
    (copy / VERSIONS / first / "core.npz").write_bytes(b"")
    for words in (("publish", first, "--force"), ("publish", first), ("rollback",)):
        code, _, err = asked(capsys, monkeypatch, *words, "--model", copy)
        assert (code, "damaged" in err) == (5, True)
        assert load(copy).version == second


@pytest.mark.slow
def test_training_says_that_the_current_model_cannot_be_read(
    small_folder: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = tmp_path / "model"
    current = save(load(model), copy).version
    (copy / VERSIONS / current / "core.npz").write_bytes(b"")
    code, _, err = asked(
        capsys, monkeypatch, "train", "--data", small_folder, "--model", copy, "--seed", 3
    )
    told = " ".join(err.split())
    assert code == 0
    assert "the current model cannot be read" in told
    assert "core.npz is damaged" in told
    assert "there is none" not in told
    assert load(copy).version != current


@pytest.mark.parametrize("damaged", [False, True])
def test_of_first_trainings_side_by_side_the_later_one_asks_before_it_takes_over(
    model: Path,
    small_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damaged: bool,
) -> None:
    copy, bundle = tmp_path / "model", load(model)
    if damaged:
        broken = save(replace(bundle, seed=7), copy).version
        (copy / VERSIONS / broken / "core.npz").write_bytes(b"")

    def slow(*_: object, **__: object) -> Bundle:
        save(replace(bundle, seed=8), copy)  # another training ends first
        return replace(bundle, seed=9)

    monkeypatch.setattr("recommender.commands.training.train_bundle", slow)
    done = command("train", "--data", small_folder, "--model", copy)
    assert (done.returncode, "another model became" in done.stderr) == (5, True), done.stderr
    assert load(copy).seed == 8
    assert load(copy, candidate_version(copy)).seed == 9


def test_of_two_trainings_of_the_same_both_are_content(
    model: Path, small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, bundle = tmp_path / "model", load(model)
    monkeypatch.setattr(
        "recommender.commands.training.train_bundle", lambda *_, **__: save(bundle, copy)
    )
    assert command("train", "--data", small_folder, "--model", copy).returncode == 0
    assert current_version(copy) == bundle.version


def test_a_version_of_another_format_is_listed_as_that_and_an_erasure_tells_of_it(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "model"
    first = save(load(model), copy).version
    second = save(replace(load(model), seed=9), copy).version
    manifest = copy / VERSIONS / first / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 1}))
    (copy / VERSIONS / second / "core.npz").write_bytes(b"")
    code, text, _ = asked(capsys, monkeypatch, "publish", "--list", "--json", "--model", copy)
    gates = {one["version"]: one["gate"] for one in json.loads(text)["versions"]}
    assert (code, gates) == (0, {first: "of another format", second: "damaged"})
    who = str(load(model).customers.ids[0])
    words = ("erase", who, "--model", copy, "--database", f"sqlite:///{tmp_path / 'nbo.db'}")
    code, _, err = asked(capsys, monkeypatch, *words)
    assert code == 0
    assert f"Model {first}: Of another format" in err
    assert "The whole version was removed." in err
    assert not manifest.exists()


@pytest.mark.slow
def test_a_verdict_does_not_count_where_another_model_became_current_meanwhile(
    model: Path, small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "model"
    first = save(load(model), copy).version
    second, third = (store(replace(load(model), seed=seed), copy).version for seed in (8, 9))

    def judged(_: object, bundle: Bundle, current: Bundle, **__: object) -> Verdict:
        make_current(copy, third)  # while the gate measures, which takes long
        return Verdict(bundle.version, current.version, ())

    for room in (commands, releasing):
        monkeypatch.setattr(room, "judge_release", judged)
    done = command("publish", second, "--model", copy, "--data", small_folder)
    assert (done.returncode, f"held against {first}" in done.stderr) == (5, True)
    assert current_version(copy) == third
    make_current(copy, first)
    done = command("train", "--data", small_folder, "--model", copy, "--seed", 5)
    assert (done.returncode, f"held against {first}" in done.stderr) == (5, True)
    assert current_version(copy) == third
    assert candidate_version(copy) not in ("", first, second, third)


@pytest.mark.slow
def test_a_model_of_an_earlier_moment_is_current_only_where_that_is_wished(
    model: Path, small_folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "model"
    first = save(load(model), copy).version
    words = ("train", "--data", small_folder, "--model", copy, "--at", "2025-08-20")
    done = command(*words)
    assert done.returncode == 5
    for word in ("2025-08-20T00:00:00+00:00", load(model).at, "--no-gate", "--force", "rollback"):
        assert word in done.stderr
    early = candidate_version(copy)
    assert current_version(copy) == first
    done = command("publish", early, "--model", copy)
    assert (done.returncode, current_version(copy)) == (5, first)
    assert command("publish", early, "--model", copy, "--force").returncode == 0
    assert current_version(copy) == early
    assert command("rollback", "--model", copy).returncode == 0
    assert current_version(copy) == first


@pytest.mark.slow
def test_publishing_with_data_measures_everything(
    small_folder: Path, small_world: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    for at in (("--at", "2025-08-20"), ()):
        done = command_outside("train", "--data", small_folder, "--model", model, *at)
        assert done.returncode == 0, done.stderr
    newest = load(model).version
    assert command_outside("rollback", "--model", model).returncode == 0
    done = command_outside("publish", newest, "--model", model, "--data", small_folder, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["published"]
    assert [one["passed"] for one in told["verdict"]["checks"]] == [True] * 4
    assert f"trained again: the same {newest}" in done.stdout
    assert load(model).version == newest
    # A join gone wrong: what the recipe makes of the good data says nothing of this model.
    log = small_world["interactions"].copy()
    names = sorted(log["offer_id"].unique())
    log["offer_id"] = log["offer_id"].map(dict(zip(names, names[::-1], strict=True)))
    write_folder({**small_world, "interactions": log}, tmp_path / "bad")
    words = ("train", "--data", tmp_path / "bad", "--model", model, "--no-gate")
    assert command_outside(*words).returncode == 0
    bad = load(model).version
    assert command_outside("rollback", "--model", model).returncode == 0
    done = command_outside("publish", bad, "--model", model, "--data", small_folder)
    assert (done.returncode, load(model).version) == (5, newest)
    assert "does not come from this data" in " ".join(done.stderr.split())
