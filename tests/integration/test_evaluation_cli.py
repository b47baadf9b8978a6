"""`python -m evaluation` from outside: the report of a small world, and anybody's lists."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest

from data.console import run
from evaluation.__main__ import app
from evaluation.metrics import NAMES
from evaluation.report_schema import report_schema
from evaluation.suites import judging, speed, throughput
from tests.integration.conftest import run_here

pytestmark = pytest.mark.usefixtures("spared")
ROOT = Path(__file__).resolve().parents[2]
POLICIES = {
    "hybrid",
    "collaborative",
    "content",
    "segment",
    "demographic",
    "survey",
    "popularity",
    "random",
}


def command(module: str, *words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBO_")}
    environment["PYTHONPATH"] = str(ROOT)
    environment["OMP_NUM_THREADS"] = "1"  # small tables; more threads wait for each other
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


def exit_code(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run a command within this process, which saves its start, and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["evaluation", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        run(app)
    return int(caught.value.code or 0)


def strict_json(text: str) -> Any:
    def refuse(token: str) -> None:
        raise AssertionError(f"JSON knows no {token}")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def world(small_folder: Path) -> Path:
    return small_folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where reports are written."""
    return tmp_path_factory.mktemp("evaluation")


def report_of(
    world: Path, output: Path, *words: str
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    before = {path: path.stat().st_mtime_ns for path in world.rglob("*")}
    done = run_here(app, "report", "--data", world, "--output", output, *words, cwd=output.parent)
    assert done.returncode == 0, done.stderr
    # Nothing is written into the dataset.
    assert {path: path.stat().st_mtime_ns for path in world.rglob("*")} == before
    return output, done


@pytest.fixture(scope="module")
def quick(world: Path, place: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    return report_of(world, place / "quick", "--quick")


@pytest.fixture(scope="module")
def thorough(world: Path, place: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    return report_of(world, place / "thorough")


@pytest.fixture(scope="module", params=["quick", pytest.param("thorough", marks=pytest.mark.slow)])
def reported(request: pytest.FixtureRequest) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Promise the same of both; the thorough one trains several times more."""
    found: tuple[Path, subprocess.CompletedProcess[str]] = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def report(reported: tuple[Path, Any]) -> dict[str, Any]:
    text = (reported[0] / "report.json").read_text(encoding="utf-8")
    found: dict[str, Any] = strict_json(text)
    return found


def estimates(report: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for part, policies in report["ranking"].items():
        for policy, metrics in policies.items():
            for metric, one in metrics.items():
                yield part, policy, metric, one


def test_every_slice_policy_and_metric_is_measured(report: dict[str, Any]) -> None:
    assert {"all", "warm", "cold"} <= set(report["ranking"])
    wanted = {f"{name}@{k}" for name in NAMES for k in (5, 10, 20)}
    for policies in report["ranking"].values():
        assert set(policies) >= POLICIES
        for metrics in policies.values():
            assert set(metrics) >= wanted


def test_every_estimate_is_a_value_in_its_interval(report: dict[str, Any]) -> None:
    for part, policy, metric, one in estimates(report):
        assert set(one) == {"value", "low", "high", "n"}, (part, policy, metric)
        if one["n"] == 0:
            assert one["value"] is one["low"] is one["high"] is None
        else:
            assert -1e-12 <= one["low"] <= one["value"] + 1e-12
            assert one["value"] <= one["high"] + 1e-12 <= 1 + 2e-12


def test_warm_and_cold_are_all_customers(report: dict[str, Any]) -> None:
    n = {part: report["ranking"][part]["hybrid"]["ndcg@10"]["n"] for part in report["ranking"]}
    assert n["warm"] + n["cold"] == n["all"] == report["protocol"]["customers"] > 0
    assert (n["warm"], n["cold"]) == (report["protocol"]["warm"], report["protocol"]["cold"])
    for policy in POLICIES:
        by_part = {part: report["ranking"][part][policy]["ndcg@10"] for part in n}
        total = sum(n[part] * (by_part[part]["value"] or 0) for part in ("warm", "cold"))
        assert by_part["all"]["value"] == pytest.approx(total / n["all"])


def test_the_hybrid_beats_chance(report: dict[str, Any]) -> None:
    everybody = report["ranking"]["all"]
    assert everybody["hybrid"]["ndcg@10"]["low"] > everybody["random"]["ndcg@10"]["value"]


def test_the_report_says_what_was_done_and_with_what(report: dict[str, Any]) -> None:
    assert {"identity", "protocol", "online", "segments", "anomalies", "notes"} <= set(report)
    assert report["protocol"]["relevant"] == "redemption"
    assert report["protocol"]["candidates"] > 0
    assert report["segments"]["k"] >= 2
    assert report["anomalies"]["customers"] > 0


def test_every_check_that_could_be_asked_holds(reported: tuple[Path, Any]) -> None:
    checks = strict_json((reported[0] / "report.json").read_text())["checks"]
    assert len(checks) >= 11
    assert all(one["passed"] is not False for one in checks)
    assert sum(one["passed"] is True for one in checks) >= 9


def test_lists_truth_and_figures_stand_beside_the_report(reported: tuple[Path, Any]) -> None:
    folder, _ = reported
    assert {path.stem for path in (folder / "runs").iterdir()} == POLICIES
    assert (folder / "qrels.txt").read_text().strip()
    assert set(pd.read_parquet(folder / "per_customer.parquet")["policy"]) == POLICIES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("drill", "why"), [("future", "rows of the past only"), ("sampled", "every candidate")]
)
def test_a_planted_mistake_ends_the_run_and_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    world: Path,
    tmp_path: Path,
    drill: str,
    why: str,
) -> None:
    words = ("report", "--data", world, "--output", tmp_path, "--quick", "--drill", drill)
    assert exit_code(monkeypatch, *words) == 5
    assert why in capsys.readouterr().err
    failed = strict_json((tmp_path / "report.json").read_text())["checks"]
    assert any(one["passed"] is False and why in one["name"] for one in failed)
    assert "This report is refused" in (tmp_path / "index.html").read_text()


@pytest.mark.slow
def test_the_change_since_a_report_is_paired_over_its_customers(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    world: Path,
    thorough: tuple[Path, Any],
    tmp_path: Path,
) -> None:
    words = ("report", "--data", world, "--output", tmp_path, "--quick", "--compare", thorough[0])
    assert exit_code(monkeypatch, *words) == 0
    assert "Paired over the same" in capsys.readouterr().out
    since = strict_json((tmp_path / "report.json").read_text())["since"]
    assert since["comparable"]
    assert {one["value"] for one in since["changes"]} == {0.0}


def test_the_report_keeps_its_schema(report: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(report_schema()).validate(report)


def test_click_rate_and_conversion_are_measured_from_the_log(report: dict[str, Any]) -> None:
    assert {"ctr", "conversion"} <= set(report["online"])
    for name in ("ctr", "conversion"):
        one = report["online"][name]
        assert 0 < one["low"] < one["value"] < one["high"] < 1
        assert one["n"] > 0
    assert report["online"]["ctr"]["value"] > report["online"]["conversion"]["value"]


def test_the_page_needs_no_network(reported: tuple[Path, Any]) -> None:
    page = (reported[0] / "index.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert not re.search(r"src\s*=\s*[\"']?https?:", page)
    assert not re.search(r"<link[^>]*href\s*=\s*[\"']?https?:", page)
    assert not re.search(r"@import\s+[\"'(]?\s*(url\()?[\"']?https?:", page)
    for policy in POLICIES:
        assert policy in page


def test_the_terminal_shows_the_policies(reported: tuple[Path, Any]) -> None:
    done = reported[1]
    for word in (*POLICIES, "CTR", "Conversion", "Segments", "Anomalies"):
        assert word in done.stdout
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.slow
def test_the_same_seed_gives_the_same_figures_in_another_process(
    world: Path, tmp_path: Path
) -> None:
    found = []
    for name in ("one", "other"):
        words = ("report", "--data", world, "--output", tmp_path / name, "--quick")
        done = command("evaluation", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found.append(strict_json((tmp_path / name / "report.json").read_text()))
    report, again = found
    for part in ("ranking", "hybrid_against", "online", "segments", "anomalies", "protocol"):
        assert again[part] == report[part], part


def test_customers_alone_still_give_a_report(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, output = tmp_path / "customers-only", tmp_path / "report"
    folder.mkdir()
    customers = pd.read_parquet(world / "customers.parquet").head(60)
    customers.to_csv(folder / "customers.csv", index=False)
    assert exit_code(monkeypatch, "report", "--data", folder, "--output", output) == 0
    report = strict_json((output / "report.json").read_text(encoding="utf-8"))
    assert report["ranking"] == {"all": {}, "warm": {}, "cold": {}}
    assert any("not measured" in note for note in report["notes"])
    for name in ("ctr", "conversion"):
        assert report["online"][name].startswith("not measured")
    assert report["segments"]["k"] >= 1
    assert "not measured" in (output / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words",
    [
        *(("--days", "7"), ("--new-offers",), ("--at", "soon"), ("--days", "0")),
        ("--at", "2025-06-01", "--days", "99999999"),
    ],
)
def test_bad_options_of_report_are_usage_errors(
    words: tuple[str, ...], world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("report", "--data", str(world), "--output", str(tmp_path / "out"), *words)
    assert exit_code(monkeypatch, *words) == 2
    assert not (tmp_path / "out").exists()


def test_a_missing_folder_is_bad_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("report", "--data", tmp_path / "nowhere", "--output", tmp_path / "out")
    assert exit_code(monkeypatch, *words) == 4
    assert "Remedy:" in capsys.readouterr().err


LISTS = """customer_id,offer_id,rank
007,x,1
007,y,2
b,n,1
b,x,2
stranger,x,1
"""
TRUTH = "customer_id,offer_id\n007,x\nb,x\nb,z\nlate,x\n"


def lists_and_truth(folder: Path, lists: str = LISTS, truth: str = TRUTH) -> tuple[object, ...]:
    (folder / "lists.csv").write_text(lists, encoding="utf-8")
    (folder / "truth.csv").write_text(truth, encoding="utf-8")
    return (
        "metrics", "--recommendations", folder / "lists.csv", "--truth", folder / "truth.csv",
    )  # fmt: skip


def measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object
) -> dict[str, float]:
    assert exit_code(monkeypatch, *words) == 0
    found: dict[str, float] = strict_json(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("outside", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_metrics_print_one_flat_object_and_nothing_else(tmp_path: Path, outside: bool) -> None:
    words = lists_and_truth(tmp_path)
    if outside:
        done = command("evaluation", *words, cwd=tmp_path)
    else:
        done = run_here(app, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = strict_json(done.stdout)
    assert next(iter(found)) == "customers"
    assert set(found) == {"customers", *(f"{name}@{k}" for name in NAMES for k in (5, 10, 20))}
    assert all(isinstance(value, int | float) for value in found.values())
    # 007 is served at once, b at the second place with one of two, late not at all.
    assert found["customers"] == 3
    assert found["recall@5"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert found["mrr@5"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    gain = 1 / math.log2(3)
    assert found["ndcg@10"] == pytest.approx((1 + gain / (1 + gain) + 0) / 3)
    # What was set aside is said where a machine does not read it.
    assert "without relevant offers" in done.stderr
    assert "without a list" in done.stderr


def test_the_wanted_cut_offs_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured(monkeypatch, capsys, *lists_and_truth(tmp_path), "--k", "1, 3")
    assert set(found) == {"customers", *(f"{name}@{k}" for name in NAMES for k in (1, 3))}
    assert found["precision@1"] == pytest.approx(1 / 3)


def test_scores_serve_as_well_as_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ranked = measured(monkeypatch, capsys, *lists_and_truth(tmp_path))
    scored = "customer_id,offer_id,score\nb,x,-0.5\n007,y,1e-3\nb,n,2.5\nstranger,x,1\n007,x,7\n"
    found = measured(monkeypatch, capsys, *lists_and_truth(tmp_path, scored))
    assert found == ranked


def test_parquet_lists_are_read_and_numeric_ids_are_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lists, truth = tmp_path / "lists.parquet", tmp_path / "truth.csv"
    table = pd.DataFrame({"customer_id": [1, 1], "offer_id": [5, 6], "rank": [1, 2]})
    table.to_parquet(lists)
    truth.write_text("customer_id,offer_id\n1,6\n", encoding="utf-8")
    found = measured(monkeypatch, capsys, "metrics", "--recommendations", lists, "--truth", truth)
    assert found["mrr@5"] == 0.5


@pytest.mark.parametrize("dtype", ["float64", "category", "str"])
def test_ids_are_read_as_those_of_a_dataset_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dtype: str
) -> None:
    lists, truth = tmp_path / "lists.csv", tmp_path / "truth.parquet"
    lists.write_text("customer_id,offer_id,rank\n 7 ,5,1\n8,5,1\n", encoding="utf-8")
    ids = pd.Series([7, 8]).astype(dtype)
    pd.DataFrame({"customer_id": ids, "offer_id": [5.0, 6.0]}).to_parquet(truth)
    found = measured(monkeypatch, capsys, "metrics", "--recommendations", lists, "--truth", truth)
    assert found["hit_rate@5"] == 0.5


def test_ranks_written_as_text_count_as_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lists, truth = tmp_path / "lists.parquet", tmp_path / "truth.csv"
    rows = [("a", f"o{i}", str(i)) for i in range(1, 12)]
    pd.DataFrame(rows, columns=["customer_id", "offer_id", "rank"]).to_parquet(lists)
    truth.write_text("customer_id,offer_id\na,o2\n", encoding="utf-8")
    found = measured(monkeypatch, capsys, "metrics", "--recommendations", lists, "--truth", truth)
    assert found["mrr@5"] == 0.5


NO_RANK = "customer_id,offer_id\n007,x\n"
BAD_RANK = "customer_id,offer_id,rank\n007,x,first\n"
BAD_SCORE = "customer_id,offer_id,score\n007,x,high\n"
NO_OFFER = "customer_id,rank\n007,1\n"


@pytest.mark.parametrize(
    ("lists", "truth", "told"),
    [
        (NO_OFFER, TRUTH, "offer_id"),
        (NO_RANK, TRUTH, "rank"),
        (BAD_RANK, TRUTH, "row 1"),
        (f"{BAD_RANK}b,n,2,oops\n", TRUTH, "row 2 has more fields than the header"),
        (BAD_SCORE, TRUTH, "row 1"),
        ("", TRUTH, "lists.csv"),
        (LISTS, "customer_id,item\n007,x\n", "offer_id"),
        (LISTS, "customer_id,offer_id\n", "nothing is relevant"),
        (LISTS, "customer_id,offer_id,event_type\n007,x,purchase\n", "event_type is purchase"),
        (LISTS, "customer_id,offer_id\n007,x\n,y\n", "truth.csv"),
    ],
)
def test_unusable_tables_are_bad_data_with_a_remedy(
    lists: str,
    truth: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code(monkeypatch, *lists_and_truth(tmp_path, lists, truth)) == 4
    printed = capsys.readouterr()
    assert told in printed.err
    assert "Remedy:" in printed.err
    assert printed.out == ""


def test_rows_that_cannot_be_used_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = "customer_id,offer_id,score\n007,x,1\n007,y,nan\nb,x,\nb,n,inf\n"
    assert exit_code(monkeypatch, *lists_and_truth(tmp_path, lists)) == 4
    assert "row 2 has no usable score, nor have 2 others" in capsys.readouterr().err


def test_what_is_unusual_of_lists_is_said_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = "customer_id,offer_id,rank\n007,n,1\n007,x,1\n007,x,3\nb,x,2.5\nlate,y,2\n"
    assert exit_code(monkeypatch, *lists_and_truth(tmp_path, lists)) == 0
    printed = capsys.readouterr()
    for told in (
        "ranks that are no whole numbers; only their order counts: 1.",
        "lists whose ranks do not run 1, 2, 3 to their end; only the order counts: 3.",
        "offers that stand twice",
        "offers with the rank or score of the one before, ordered by offer_id: 1.",
        "lists shorter than the longest",
    ):
        assert f"Note: {told}" in " ".join(printed.err.split())
    # Of equal ranks the smaller id is first, and gaps are closed.
    assert strict_json(printed.out)["mrr@5"] == pytest.approx((1 / 2 + 1 + 0) / 3)


def test_ids_that_look_like_nothing_are_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = "customer_id,offer_id,rank\nNA,None,1\n"
    words = lists_and_truth(tmp_path, lists, "customer_id,offer_id\nNA,None\n")
    assert measured(monkeypatch, capsys, *words)["mrr@5"] == 1.0


@pytest.mark.parametrize("k", ["0", "five", "5,,10", "-1", "", "2.5", "²"])
def test_bad_cut_offs_are_usage_errors(
    k: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, *lists_and_truth(tmp_path), "--k", k) == 2
    assert "Remedy:" in capsys.readouterr().err


@pytest.mark.parametrize("k", ["1000001", "100000000000", "9" * 21, "9" * 5000])
def test_cut_offs_beyond_any_list_are_refused_with_the_limit(
    k: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, *lists_and_truth(tmp_path), "--k", f"5,{k}") == 2
    assert "1,000,000" in capsys.readouterr().err


def test_the_largest_cut_off_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured(monkeypatch, capsys, *lists_and_truth(tmp_path), "--k", "1000000")
    assert found["ndcg@1000000"] > 0


def test_a_missing_file_is_bad_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "truth.csv").write_text(TRUTH, encoding="utf-8")
    words = ("metrics", "--recommendations", tmp_path / "no.csv", "--truth", tmp_path / "truth.csv")
    assert exit_code(monkeypatch, *words) == 4
    assert "no.csv" in capsys.readouterr().err


def test_an_unknown_suite_is_a_usage_error(tmp_path: Path) -> None:
    done = run_here(app, "benchmark", "--suite", "beauty", cwd=tmp_path)
    assert done.returncode == 2
    assert "segmentation" in done.stderr


@pytest.mark.parametrize("suite", ["anomaly", "segmentation", "policy"])
def test_public_data_that_are_not_there_are_bad_data(suite: str, tmp_path: Path) -> None:
    done = run_here(app, "benchmark", "--suite", suite, "--data", "nowhere", cwd=tmp_path)
    assert done.returncode == 4
    assert "There is no nowhere." in done.stderr
    assert "Remedy: Name the folder" in done.stderr


@pytest.mark.slow
def test_a_suite_prints_its_figures_and_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of a size at which nothing is fast or slow yet.
    monkeypatch.setattr(speed, "PRESET", "small")
    monkeypatch.setattr(throughput, "CUSTOMERS", 5_000)
    monkeypatch.setattr(throughput, "OFFERS", 200)
    monkeypatch.setattr(judging, "CUSTOMERS", 5_000)
    words = ("benchmark", "--suite", "speed", "--output", "out/found.json")
    done = run_here(app, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "rows a second" in done.stdout
    found = json.loads((tmp_path / "out" / "found.json").read_text(encoding="utf-8"))
    assert found["suite"] == "speed"
    assert all(row["value"] > 0 for row in found["rows"])
    assert found["machine"]["cores"]
    assert found["versions"]["numpy"]


@pytest.mark.parametrize("kind", ["redemption", "click"])
def test_of_interactions_what_was_taken_is_relevant(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = measured(monkeypatch, capsys, *lists_and_truth(tmp_path))
    pairs = TRUTH.splitlines()[1:]
    rows = [f"{pair},{kind}" for pair in pairs] + ["007,z,impression", "b,z,impression"]
    truth = "\n".join(["customer_id,offer_id,event_type", *rows]) + "\n"
    assert exit_code(monkeypatch, *lists_and_truth(tmp_path, LISTS, truth)) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == plain
    assert f"2 rows of truth.csv are left out: none is a {kind}" in printed.err
    assert ("clicks count as relevant" in printed.err) == (kind == "click")


def test_that_clicks_count_is_said_where_all_rows_are_clicks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = "customer_id,offer_id,event_type\n007,x,click\n"
    assert exit_code(monkeypatch, *lists_and_truth(tmp_path, LISTS, truth)) == 0
    told = "Note: nothing is redeemed in truth.csv: clicks count as relevant."
    assert told in capsys.readouterr().err


def test_a_kind_of_event_that_nobody_stated_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = measured(monkeypatch, capsys, *lists_and_truth(tmp_path))
    blank = TRUTH.replace("offer_id", "offer_id,event_type").replace("\n", ",\n")
    blank = blank.replace("event_type,", "event_type")
    assert measured(monkeypatch, capsys, *lists_and_truth(tmp_path, LISTS, blank)) == plain
