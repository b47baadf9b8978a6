"""`python -m evaluation replay` from outside: a small world, as a table and as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.console import run
from evaluation.__main__ import app
from recommender.bundle import Bundle
from recommender.storage.model_folder import save
from tests.conftest import EARLIER

pytestmark = pytest.mark.usefixtures("spared")
NAMES = ("hybrid", "random")
CUT = EARLIER


def replayed(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run the command within this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["evaluation", "replay", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        run(app)
    return int(caught.value.code or 0)


def refuse(token: str) -> None:
    raise AssertionError(f"JSON knows no {token}")


@pytest.fixture(scope="module")
def model(earlier_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows two thirds of the small world."""
    folder = tmp_path_factory.mktemp("replay") / "model"
    save(earlier_bundle, folder)
    return folder


@pytest.fixture
def arguments(small_folder: Path, model: Path) -> tuple[object, ...]:
    return "--data", small_folder, "--model", model, "--policy", ",".join(NAMES)


def test_policies_stand_beside_what_was_logged(
    arguments: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert replayed(monkeypatch, *arguments) == 0
    told = capsys.readouterr().out
    assert "Lists as of the cut" in told
    for word in ("CTR of shown positions", "Conversion of shown", "as logged", *NAMES, "worth"):
        assert word in told, word
    assert max(map(len, told.splitlines())) <= 100
    assert "only impressions at its very places count" in told


def test_json_holds_every_estimate_and_its_doubt(
    arguments: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert replayed(monkeypatch, *arguments, "--explore", "0.2", "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert found["protocol"]["explore"] == 0.2
    assert found["protocol"]["lists"] == "as of the cut"
    assert set(found["logged"]["ctr"]) == {"value", "low", "high", "n"}
    assert list(found["policies"]) == list(NAMES)
    for measures in found["policies"].values():
        for one in measures.values():
            assert one["estimable"] == (one["verdict"] == "estimable")
            assert one["low"] < one["value"] < one["high"]
            assert set(one["estimates"]) == {"dr", "snips", "ips", "dm", "position"}
            assert one["overlap"]["effective_sample_size"] > 0
            assert one["clipping"][-1]["level"] is None
    assert found["policies"]["random"]["ctr"]["estimable"]


@pytest.mark.slow
def test_the_past_trains_where_no_model_is_given(
    small_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Half a week of 150 customers is too little for a list that is fixed; the command says so.
    words = ("--data", small_folder, "--policy", "popularity", "--at", "2025-09-30")
    assert replayed(monkeypatch, *words) == 0
    told = capsys.readouterr().out
    assert "by a model of 2025-09-30 00:00" in told
    assert "not estimable" in told
    assert "are needed" in told


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (2, ("--policy", "magic"), "Known: hybrid"),
        (2, ("--policy", ","), "No policy is named"),
        (2, ("--explore", "2"), "--explore"),
        (4, ("--data", "sqlite:///no/x.db"), "There is no database"),
        (2, ("--at", "soon"), "is not a moment"),
        (4, ("--at", "2031-01-01"), "no impression from 2031-01-01"),
        (5, ("--model", "nowhere"), "holds no model"),
    ],
)
def test_what_cannot_work_says_why(
    code: int, words: tuple[str, ...], told: str, small_folder: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert replayed(monkeypatch, "--data", small_folder, *words) == code
    assert told in capsys.readouterr().err


def test_a_model_of_the_future_is_refused(
    small_folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = ("--data", small_folder, "--model", model, "--at", "2025-08-01")
    assert replayed(monkeypatch, *words) == 5
    assert "The model knows what happened until" in capsys.readouterr().err


def test_a_log_without_propensities_names_the_column(
    small_folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for path in small_folder.glob("*.parquet"):
        table = pd.read_parquet(path)
        table.drop(columns="propensity", errors="ignore").to_parquet(tmp_path / path.name)
    assert replayed(monkeypatch, "--data", tmp_path, "--model", model) == 4
    told = capsys.readouterr().err
    assert "without a propensity" in told
    assert "column propensity" in told
