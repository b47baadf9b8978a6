"""`python -m segmentation` from outside: files, columns, exit codes and remedies."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.console import run
from segmentation import choice
from segmentation.__main__ import app
from tests.conftest import sparing
from tests.integration.conftest import run_here

ROOT = Path(__file__).resolve().parents[2]
LABELS = ["customer_id", "segment", "segment_name", "confidence"]
FILES = {
    "labels.csv", "summary.csv", "moves.csv", "segments.png", "segments.html", "report.json",
}  # fmt: skip
CENTRES = [(25, 20), (25, 80), (55, 50), (90, 20), (90, 80)]


def command(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBO_")}
    environment["PYTHONPATH"] = str(ROOT)
    environment["OMP_NUM_THREADS"] = "1"  # small tables; more threads wait for each other
    return subprocess.run(
        [sys.executable, "-m", "segmentation", *map(str, words)],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def exit_code(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run a command within this process, which saves its start, and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["segmentation", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        run(app)
    return int(caught.value.code or 0)


def mall_like(n: int = 100) -> pd.DataFrame:
    random = np.random.default_rng(0)
    centre = np.array([CENTRES[row % 5] for row in range(n)])
    return pd.DataFrame(
        {
            "CustomerID": range(1, n + 1),
            "Gender": random.choice(["Male", "Female"], n),
            "Age": random.integers(18, 70, n),
            "Annual Income (k$)": (centre[:, 0] + random.normal(0, 3, n)).round().clip(1),
            "Spending Score (1-100)": (centre[:, 1] + random.normal(0, 3, n)).round().clip(1, 100),
        }
    )


def strict_json(path: Path) -> Any:
    def refuse(token: str) -> None:
        raise AssertionError(f"{path.name} holds {token}")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.fixture(scope="module")
def mall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mall") / "Mall_Customers.csv"
    mall_like().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module", params=["spared", pytest.param("thorough", marks=pytest.mark.slow)])
def mall_report(
    mall: Path, request: pytest.FixtureRequest
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Promise the same of both; the thorough one draws many times more samples."""
    output = mall.parent / request.param
    with ExitStack() as stack:
        if request.param == "spared":
            stack.enter_context(sparing())
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(choice, "LARGEST_K", 10)  # every number is told
        # No folder is named: the mall table of the working directory is read.
        done = run_here(app, "report", "--output", output, cwd=mall.parent)
    assert done.returncode == 0, done.stderr
    return output, done


def test_a_mall_table_gives_its_files(mall_report: tuple[Path, Any]) -> None:
    output, done = mall_report
    assert {path.name for path in output.iterdir()} == FILES
    for name in FILES:
        assert name in done.stdout
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr


def test_labels_have_their_columns_and_everybody(mall_report: tuple[Path, Any]) -> None:
    labels = pd.read_csv(mall_report[0] / "labels.csv")
    assert labels.columns.tolist() == LABELS
    assert sorted(labels["customer_id"]) == list(range(1, 101))
    assert labels["confidence"].between(0.5, 1).all()
    assert labels.groupby("segment")["segment_name"].nunique().eq(1).all()
    assert labels["segment_name"].nunique() == labels["segment"].nunique() >= 2


def test_the_summary_counts_and_averages(mall_report: tuple[Path, Any]) -> None:
    labels = pd.read_csv(mall_report[0] / "labels.csv")
    summary = pd.read_csv(mall_report[0] / "summary.csv").set_index("segment")
    features = ["age", "annual_income", "spending_score"]
    assert summary.columns.tolist() == ["segment_name", "size", "share", *features]
    assert summary["size"].tolist() == labels["segment"].value_counts().sort_index().tolist()
    assert summary["share"].sum() == pytest.approx(1, abs=1e-3)
    source = mall_like().set_index("CustomerID")
    income = source["Annual Income (k$)"].groupby(labels.set_index("customer_id")["segment"]).mean()
    assert summary["annual_income"].to_numpy() == pytest.approx(income.to_numpy(), abs=1e-3)


def test_the_pictures_need_no_network(mall_report: tuple[Path, Any]) -> None:
    png = (mall_report[0] / "segments.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    page = (mall_report[0] / "segments.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert not re.search(r"<script[^>]*\ssrc\s*=", page)
    assert not re.search(r"<link[^>]*href\s*=\s*[\"']?http", page)


def test_the_report_says_how_segments_were_chosen(mall_report: tuple[Path, Any]) -> None:
    report = strict_json(mall_report[0] / "report.json")
    labels = pd.read_csv(mall_report[0] / "labels.csv")
    assert report["customers"] == 100
    assert report["k"] == labels["segment"].nunique()
    assert [one["segment"] for one in report["segments"]] == list(range(report["k"]))
    assert sum(one["size"] for one in report["segments"]) == 100
    assert sum(one["share"] for one in report["segments"]) == pytest.approx(1, abs=1e-5)
    assert all(one["name"] and one["description"] for one in report["segments"])
    assert {row["k"] for row in report["choice"]} >= {2, 5, 10}
    assert 0 < report["silhouette"] <= 1
    # Without transactions their features are left out, and that is said.
    assert set(report["features"]) == {"age", "annual_income", "spending_score"}
    assert any("transaction_frequency" in note for note in report["notes"])


@pytest.mark.slow
def test_k_and_weighted_features_are_kept(
    mall: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = "annual_income:1,spending_score:0.5"
    code = exit_code(
        monkeypatch, "report", mall, "--k", 3, "--features", wanted, "--output", tmp_path
    )
    assert code == 0
    report = strict_json(tmp_path / "report.json")
    assert report["k"] == 3
    assert report["features"] == {"annual_income": 1.0, "spending_score": 0.5}
    assert report["choice"] == []
    assert pd.read_csv(tmp_path / "labels.csv")["segment"].nunique() == 3
    assert (tmp_path / "segments.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_folder_gives_the_same_labels_as_its_file_and_again(
    mall: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, source in (("one", mall), ("two", mall.parent)):
        words = ("report", source, "--k", 5, "--output", tmp_path / name)
        assert exit_code(monkeypatch, *words) == 0
    for file in ("labels.csv", "summary.csv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--k", "many"), 2),
        (("--k", "0"), 2),
        (("--k", "-1"), 2),
        (("--features", "shoe_size"), 2),
        (("--features", "age:heavy"), 2),
        (("--features", "share:nothing:2"), 2),
        (("--features", "age:0"), 2),
        (("--at", "yesterday"), 2),
        (("--k", "500"), 4),
        (("--features", "transaction_frequency"), 4),
    ],
)
def test_what_cannot_be_done_has_its_exit_code_and_a_remedy(
    words: tuple[str, ...],
    code: int,
    mall: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out"
    assert exit_code(monkeypatch, "report", mall, *words, "--output", output) == code
    told = capsys.readouterr().err
    assert "Error:" in told
    assert "Remedy:" in told
    assert not output.exists()


@pytest.mark.parametrize("verb", ["report", "anomalies"])
def test_a_missing_folder_is_bad_data(
    verb: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code(monkeypatch, verb, tmp_path / "nowhere") == 4
    told = capsys.readouterr().err
    assert "nowhere" in told
    assert "Remedy:" in told


@pytest.mark.parametrize("verb", ["report", "anomalies"])
@pytest.mark.parametrize("outside", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_without_a_folder_and_without_the_mall_table_the_usage_is_told(
    tmp_path: Path, outside: bool, verb: str
) -> None:
    done = command(verb, cwd=tmp_path) if outside else run_here(app, verb, cwd=tmp_path)
    assert done.returncode == 2
    assert "Mall_Customers.csv" in done.stderr
    assert "Remedy:" in done.stderr
    assert f"python -m segmentation {verb} DIR" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_too_few_customers_for_k_is_bad_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "customers.csv"
    mall_like(4).to_csv(path, index=False)
    assert exit_code(monkeypatch, "report", path, "--k", 5, "--output", tmp_path / "out") == 4
    assert "4 customers" in capsys.readouterr().err


@pytest.fixture(scope="module")
def odd_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd") / "world"
    folder.mkdir()
    table = mall_like(200)
    table.loc[41, ["Age", "Annual Income (k$)", "Spending Score (1-100)"]] = [117, 900, 1]
    table.to_csv(folder / "Mall_Customers.csv", index=False)
    return folder


def test_anomalies_are_written_with_reasons(odd_world: Path, tmp_path: Path) -> None:
    output = tmp_path / "deep" / "anomalies.csv"
    with sparing():  # how trees find what is odd is judged elsewhere
        done = run_here(app, "anomalies", odd_world, "--output", output, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(output, keep_default_na=False)
    assert found.columns.tolist() == [
        "customer_id", "score", "p_value", "q_value", "flagged", "kind", "reasons",
    ]  # fmt: skip
    assert len(found) == 200
    row = found.set_index("customer_id").loc[42]
    assert row["flagged"]
    assert "annual income" in row["reasons"]
    assert "900" in row["reasons"]
    assert f"of {len(found)} customers flagged" in done.stdout


@pytest.mark.slow
def test_anomalies_are_written_as_parquet_and_the_same_again(
    odd_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    for path in paths:
        assert exit_code(monkeypatch, "anomalies", odd_world, "--output", path) == 0
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert len(pd.read_parquet(paths[0])) == 200


@pytest.mark.parametrize(
    "words", [("--alarm-rate", "0"), ("--alarm-rate", "1.5"), ("--output", "anomalies.txt")]
)
def test_bad_options_of_anomalies_are_usage_errors(
    words: tuple[str, str],
    odd_world: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code(monkeypatch, "anomalies", odd_world, *words) == 2
    assert "Remedy:" in capsys.readouterr().err


def test_refunds_are_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mall_like(12).to_csv(tmp_path / "customers.csv", index=False)
    rows = "1,2025-01-01T00:00Z,40\n1,2025-01-02T00:00Z,-15\n"
    (tmp_path / "transactions.csv").write_text(f"customer_id,occurred_at,amount\n{rows}")
    words = ("anomalies", tmp_path, "--at", "2025-02-01", "--output", tmp_path / "out")
    exit_code(monkeypatch, *words)
    told = " ".join(capsys.readouterr().err.split())
    assert told.count("refund") == 1
    assert "1 refund (negative amount) counts in spend" in told


def test_anomalies_among_too_few_customers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "customers.csv"
    mall_like(10).to_csv(path, index=False)
    output = tmp_path / "out.csv"
    assert exit_code(monkeypatch, "anomalies", path, "--output", output) == 4
    assert "Remedy:" in capsys.readouterr().err
    assert not output.exists()
