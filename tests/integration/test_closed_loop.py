"""The loop: what the service recorded trains the model that it serves next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from api.served import since_of
from data.console import run, say
from data.dataset import Dataset
from data.ingest import write_folder
from data.recorded import read_database
from data.store import Store
from data.synthetic import WorldParameters, generate
from evaluation.__main__ import app as evaluation_app
from recommender.__main__ import app
from recommender.bundle import Bundle
from recommender.storage.model_folder import load, version_of
from recommender.storage.versions import current_version
from recommender.training import train
from tests.conftest import sparing

DAY = 86_400_000_000  # microseconds


def command(monkeypatch: pytest.MonkeyPatch, *words: object, group: Any = app) -> int:
    """Run a command in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["command", *map(str, words)])
    try:
        run(group)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def loaded(dataset: Dataset, folder: Path) -> str:
    url = f"sqlite:///{folder / 'nbo.db'}"
    store = Store.open(url)
    store.load(dataset)
    store.close()
    return url


def microseconds(moment: pd.Timestamp) -> int:
    return moment.value // 1000


def record(url: str, customer: str, at: int, name: str, offer: str = "o0003") -> None:
    """Let a customer redeem an offer and buy something, as the service records it."""
    told = {"customer_id": customer, "occurred_at": at - DAY // 2, "recorded_at": at}
    store = Store.open(url)
    store.put_customer(customer, {"age": 31.0, "gender": "Female"}, {"category:travel": "yes"})
    store.add_events(
        [{**told, "event_id": f"e {name}", "offer_id": offer, "event_type": "redemption"}]
    )
    store.put_transactions(
        [[{**told, "transaction_id": f"t {name}", "amount": 20.0, "item_id": "i00001"}]]
    )
    store.close()


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "world"
    write_folder(generate(WorldParameters(customers=40, offers=8, days=40, seed=1)), folder)
    return folder


def test_what_is_recorded_while_a_model_of_a_later_moment_is_trained_is_new_to_it(
    small_dataset: Dataset,
    small_bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, recorded = loaded(small_dataset, tmp_path), []
    later = pd.Timestamp.now(tz="UTC").floor("s") + pd.Timedelta(days=9)

    def trained(*_: object, **__: object) -> Bundle:
        recorded.append(microseconds(pd.Timestamp.now(tz="UTC")))
        record(url, "c0000003", recorded[0], "meanwhile")
        time.sleep(1.1)  # a model says in whole seconds when it was made
        return replace(small_bundle, at=later.isoformat())

    monkeypatch.setattr("recommender.commands.training.train_bundle", trained)
    model, begun = tmp_path / "model", microseconds(pd.Timestamp.now(tz="UTC"))
    words = ("--data", url, "--model", model, "--at", later.isoformat())
    assert command(monkeypatch, "train", *words) == 0
    bundle = load(model)
    assert bundle.moment == later
    assert begun <= since_of(bundle) <= recorded[0]


@pytest.mark.slow
def test_a_loaded_dataset_trains_the_very_model_that_its_folder_trains(
    small_dataset: Dataset, small_bundle: Bundle, tmp_path: Path
) -> None:
    found = read_database(loaded(small_dataset, tmp_path))
    assert found.at == small_bundle.moment
    with sparing():  # as the model was trained
        trained = train(found.intake.dataset, at=found.at)
    assert version_of(trained) == version_of(small_bundle)


@pytest.fixture(scope="module")
def served(
    small_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, int]:
    """A database with somebody who came through the service, the model trained from it, and the
    microsecond at which that was recorded: after all that was loaded, though it happened before.
    """
    folder = tmp_path_factory.mktemp("served")
    url, model = loaded(small_dataset, folder), folder / "model"
    at = microseconds(small_dataset.moment_after()) + DAY
    record(url, "new here", at, "first")
    store = Store.open(url)
    store.put_offer("brand new", {"title": "Brand new", "category": "travel"}, ["i00001"], at)
    store.close()
    with pytest.MonkeyPatch.context() as patch, sparing():
        assert command(patch, "train", "--data", url, "--model", model) == 0
    return url, model, at


def test_who_came_through_the_service_is_known_to_the_next_model(
    served: tuple[str, Path, int],
) -> None:
    _, model, at = served
    bundle = load(model)
    assert microseconds(bundle.moment) == at + 1
    row = bundle.customer_ids.row("new here")
    assert row is not None
    assert bundle.customers.query is not None
    assert bundle.recommender is not None
    mine = bundle.customers.query.take(np.array([row]))
    assert mine.redeemed[0, bundle.recommender.encoders.offer_rows["o0003"]] == 1
    assert mine.spent.sum() == 20.0
    assert mine.answers.nnz
    assert "brand new" in bundle.recommender.encoders.offer_rows


def test_nothing_is_told_twice_and_nothing_is_lost_between_a_model_and_its_database(
    served: tuple[str, Path, int],
) -> None:
    url, model, at = served
    since = microseconds(load(model).moment)
    store = Store.open(url)
    before = store.customer_state("new here", since=since)
    assert not before.interactions
    assert not before.transactions
    store.close()
    record(url, "new here", at + 1, "second", offer="o0011")
    store = Store.open(url)
    state = store.customer_state("new here", since=since)
    assert [event["offer_id"] for event in state.interactions] == ["o0011"]
    assert [one["transaction_id"] for one in state.transactions] == ["t second"]
    store.close()


@pytest.mark.slow
def test_a_database_is_published_and_replayed_from_as_a_folder_is(
    served: tuple[str, Path, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, model, _ = served
    bundle = load(model)
    publishing = ("publish", bundle.version, "--data", url, "--model", model)
    again = ("train", "--data", url, "--model", model, "--at", bundle.at)
    with sparing():  # as the model was trained
        assert command(monkeypatch, *publishing) == 0
        assert command(monkeypatch, *again) == 0
    assert "the same as the current one" in " ".join(capsys.readouterr().err.split())
    assert current_version(model) == bundle.version
    assert command(monkeypatch, "replay", "--data", url, group=evaluation_app) == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--data", "sqlite:///nowhere/x.db"), 4, "There is no database nowhere/x.db"),
        (("--data", "mysql://me:secret@host/db"), 3, "neither SQLite nor PostgreSQL"),
        (("--data", "postgresql+psycopg://me:secret@127.0.0.1:1/db"), 3, "cannot be opened"),
        (("--every", "often"), 2, "no span of time"),
        (("--every", "6h", "--at", "2025-01-01"), 2, "every round would train the same"),
        (("--rounds", "2"), 2, "--rounds is about --every"),
    ],
)
def test_what_cannot_be_trained_says_why(
    words: tuple[str, ...], code: int, told: str, tiny_folder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    given = words if "--data" in words else ("--data", str(tiny_folder), *words)
    assert command(monkeypatch, "train", *given) == code
    said = capsys.readouterr().err
    assert told in " ".join(said.split())
    assert "secret" not in said
    assert not list(tmp_path.iterdir())


def test_an_empty_or_damaged_database_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    Store.open(url).close()
    assert command(monkeypatch, "train", "--data", url, "--model", tmp_path / "model") == 4
    assert "holds nothing" in capsys.readouterr().err
    (tmp_path / "bad.db").write_bytes(b"no database at all" * 100)
    url = f"sqlite:///{tmp_path / 'bad.db'}"
    assert command(monkeypatch, "train", "--data", url, "--model", tmp_path / "model") == 3
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
def test_rounds_train_what_is_there_then_and_survive_what_is_not(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    there, model = tmp_path / "world", tmp_path / "model"
    words = ("train", "--data", there, "--model", model, "--every", "1s", "--rounds", 3)
    # The first round finds no dataset; before the second there is one.

    def tell(message: str) -> None:
        say(message)
        if "Round 1 failed" in message:
            there.symlink_to(tiny_folder)

    monkeypatch.setattr("recommender.commands.rounds.say", tell)
    assert command(monkeypatch, *words) == 0
    said = capsys.readouterr()
    assert "Round 1 failed" in said.err
    assert "Round 2" not in said.err
    assert said.out.count("Written to") == 2
    assert "the same as the current one" in said.err
    assert load(model).version == current_version(model)


@pytest.mark.slow
def test_sigterm_ends_the_rounds_in_good_order(tiny_folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    words = ("train", "--data", tiny_folder, "--model", model, "--every", "1d")
    process = subprocess.Popen(
        [sys.executable, "-m", "recommender", *map(str, words)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    until = time.monotonic() + 120
    while not current_version(model) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Asked to end" in said
    load(model)
