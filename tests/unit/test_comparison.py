"""Two reports beside each other: paired where they may be, refused where they answer otherwise."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from data.errors import DataError
from evaluation.comparison import (
    NOT_COMPARABLE,
    PAIRED,
    UNPAIRED,
    ReportComparison,
    compare_reports,
    print_comparison,
)
from evaluation.earlier import read_report
from evaluation.harness import Trial
from evaluation.splitting import Split
from evaluation.trec import VALUES, values_table, write_values
from recommender.learning.yardstick import compare

MakeTrial = Callable[..., tuple[Trial, Split]]
Side = tuple[dict[str, Any], pd.DataFrame]


def report_of(trial: Trial, **changed: Any) -> dict[str, Any]:
    """Return what of report.json a comparison reads."""
    ranking = {
        name: {
            policy: {metric: asdict(one) for metric, one in metrics.items()}
            for policy, metrics in policies.items()
        }
        for name, policies in trial.ranking.items()
    }
    protocol = {
        "split": "by time",
        "at": "2025-03-01T00:00:00+00:00",
        "until": "2025-03-31T00:00:00+00:00",
        "relevant": "redemption",
        "candidates": 30,
        "customers": len(trial.customers),
        "pairs": 100,
    }
    fingerprint = changed.pop("fingerprint", "0123456789ab")
    protocol |= changed
    return {
        "identity": {"fingerprint": fingerprint}, "protocol": protocol, "ranking": ranking,
    }  # fmt: skip


@pytest.fixture(scope="module")
def before(make_trial: MakeTrial) -> Side:
    trial, _ = make_trial(0.2)
    return report_of(trial), values_table(trial)


@pytest.fixture(scope="module")
def now(make_trial: MakeTrial) -> Side:
    trial, _ = make_trial(0.6)
    return report_of(trial), values_table(trial)


def hybrid(found: ReportComparison) -> Any:
    return next(one for one in found.changes if (one.slice, one.policy) == ("all", "hybrid"))


def test_customers_are_paired_where_both_sides_have_them(now: Side, before: Side) -> None:
    found = compare_reports(now[0], before[0], now[1], before[1])
    assert found.comparable
    assert "40 customers" in found.told
    assert {one.how for one in found.changes} == {PAIRED}
    assert len(found.changes) == 3 * 3  # slices and policies
    one = hybrid(found)
    vectors = [
        side[1][side[1]["policy"] == "hybrid"]["ndcg@10"].to_numpy() for side in (now, before)
    ]
    gap = compare(*vectors)
    assert (one.value, one.low, one.high, one.p_value) == (
        gap.value, gap.low, gap.high, gap.p_value,
    )  # fmt: skip
    assert (one.ours, one.theirs) == pytest.approx((vectors[0].mean(), vectors[1].mean()))
    assert one.value > 0
    assert one.p_value < 0.05


def test_the_order_of_rows_does_not_matter(now: Side, before: Side) -> None:
    mixed = before[1].sample(frac=1, random_state=3)
    found = compare_reports(now[0], before[0], now[1], mixed)
    assert found == compare_reports(now[0], before[0], now[1], before[1])


def test_the_same_report_has_not_changed(now: Side) -> None:
    found = compare_reports(now[0], now[0], now[1], now[1])
    assert all((one.value, one.p_value) == (0, 1) for one in found.changes)
    unpaired = compare_reports(now[0], now[0])
    assert all(one.value == 0 and one.p_value == 1 for one in unpaired.changes)


def test_without_customers_the_intervals_decide_and_it_is_said(now: Side, before: Side) -> None:
    for values in ((None, None), (now[1], None), (None, before[1])):
        found = compare_reports(now[0], before[0], *values)
        assert found.comparable
        assert found.told.startswith("Unpaired")
        assert {one.how for one in found.changes} == {UNPAIRED}
    one, paired = hybrid(found), hybrid(compare_reports(now[0], before[0], now[1], before[1]))
    assert one.value == pytest.approx(paired.value)
    assert one.low < one.value < one.high
    ours, theirs = (side[0]["ranking"]["all"]["hybrid"]["ndcg@10"] for side in (now, before))
    width = math.hypot(ours["high"] - ours["low"], theirs["high"] - theirs["low"])
    assert one.high - one.low == pytest.approx(width)


def test_an_unpaired_p_value_is_that_of_a_normal_test() -> None:
    def side(value: float) -> dict[str, Any]:
        estimate = {"value": value, "low": value - 1.959964, "high": value + 1.959964, "n": 9}
        return {"ranking": {"all": {"hybrid": {"ndcg@10": estimate}}}}

    (one,) = compare_reports(side(math.sqrt(2) * 1.959964), side(0.0)).changes
    assert one.p_value == pytest.approx(0.05, abs=1e-6)
    assert one.low == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"fingerprint": "ba9876543210"}, "data (ba9876543210 before, 0123456789ab now)"),
        ({"at": "2025-02-01T00:00:00+00:00"}, "moment"),
        ({"until": "2025-04-01T00:00:00+00:00"}, "end of the window"),
        ({"candidates": 29}, "number of candidates (29 before, 30 now)"),
        ({"relevant": "click"}, "relevant"),
        ({"at": None}, "moment (not told before"),
    ],
)
def test_other_conditions_are_not_comparable_and_still_shown(
    changed: dict[str, Any], told: str, make_trial: MakeTrial, now: Side
) -> None:
    trial, _ = make_trial(0.2)
    found = compare_reports(now[0], report_of(trial, **changed), now[1], values_table(trial))
    assert not found.comparable
    assert any(told in words for words in found.differs)
    assert found.told.startswith("Not comparable")
    one = hybrid(found)
    assert one.how == NOT_COMPARABLE
    assert one.value > 0
    assert all(math.isnan(figure) for figure in (one.low, one.high, one.p_value))


def test_hashes_tell_what_counts_cannot(make_trial: MakeTrial, now: Side) -> None:
    trial, _ = make_trial(0.2)
    ours = report_of(trial, hashes={"candidates": "a", "truth": "b"})
    theirs = report_of(trial, hashes={"candidates": "c", "truth": "b"})
    assert compare_reports(ours, theirs).differs == ("candidates (c before, a now)",)
    assert compare_reports(ours, report_of(trial)).comparable  # an older report has none


def test_customers_of_another_run_are_not_taken(
    make_trial: MakeTrial, now: Side, before: Side
) -> None:
    found = compare_reports(now[0], before[0], now[1], now[1])
    assert "another run" in found.told
    assert {one.how for one in found.changes} == {UNPAIRED}
    for broken, told in (
        (before[1].drop(columns="policy"), "no column policy"),
        (pd.concat([before[1]] * 2), "twice"),
        (before[1].assign(**{"ndcg@10": "much"}), "no numbers in its column ndcg@10"),
    ):
        assert told in compare_reports(now[0], before[0], now[1], broken).told


def test_a_slice_of_other_customers_is_unpaired_alone(make_trial: MakeTrial, now: Side) -> None:
    trial, _ = make_trial(0.2)
    cold = np.roll(trial.slices["cold"], 1)
    table = values_table(trial)
    table["slice:cold"] = np.tile(cold, len(trial.values))
    report = report_of(trial)
    for policy, metrics in trial.values.items():
        report["ranking"]["cold"][policy]["ndcg@10"]["value"] = metrics["ndcg@10"][cold].mean()
    found = compare_reports(now[0], report, now[1], table)
    how = {one.slice: one.how for one in found.changes}
    assert how == {"all": PAIRED, "warm": PAIRED, "cold": UNPAIRED}
    assert "3 figures" in found.told


def test_what_only_one_report_has_is_left_out(now: Side, before: Side) -> None:
    theirs = {**before[0], "ranking": {"all": {"hybrid": before[0]["ranking"]["all"]["hybrid"]}}}
    assert len(compare_reports(now[0], theirs, now[1], before[1]).changes) == 1
    none = compare_reports({**now[0], "ranking": {"all": {}}}, theirs)
    assert not none.changes
    assert "No figure is in both" in none.told
    assert not compare_reports(now[0], before[0], metrics=("beauty@10",)).changes


def test_it_is_plain_json(now: Side, before: Side) -> None:
    for other in (before[0], {**before[0], "identity": {"fingerprint": "else"}}):
        text = json.dumps(compare_reports(now[0], other).as_json(), allow_nan=False)
        assert json.loads(text)["changes"]


@pytest.mark.parametrize("metrics", [("ndcg@10",), ("ndcg@10", "recall_min@20", "hit_rate@5")])
def test_the_table_fits_a_terminal_of_100_columns(
    metrics: tuple[str, ...], now: Side, before: Side
) -> None:
    long = "customers of a segment whose name is long"
    ours, theirs = ({**side[0], "ranking": dict(side[0]["ranking"])} for side in (now, before))
    for report in (ours, theirs):
        report["ranking"][long] = report["ranking"]["all"]
    for other in (theirs, {**theirs, "identity": {"fingerprint": "else"}}):
        text = io.StringIO()
        console = Console(file=text, width=120, soft_wrap=True)
        found = compare_reports(ours, other, metrics=metrics)
        print_comparison(found, console)
        lines = text.getvalue().splitlines()
        assert all(len(line) <= 100 for line in lines[1:])
        assert f"{hybrid(found).value:+.3f}" in text.getvalue()
        assert found.told in lines[0]


def test_a_report_is_read_with_the_customers_beside_it(
    tmp_path: Path, make_trial: MakeTrial
) -> None:
    trial, _ = make_trial(0.2)
    (tmp_path / "report.json").write_text(json.dumps(report_of(trial)), encoding="utf-8")
    for path in (tmp_path, tmp_path / "report.json"):
        report, values = read_report(path)
        assert report == report_of(trial)
        assert values is None
    write_values(trial, tmp_path / VALUES)
    report, values = read_report(tmp_path)
    assert values is not None
    found = compare_reports(report, report, values, values)
    assert {one.how for one in found.changes} == {PAIRED}
    (tmp_path / VALUES).write_bytes(b"no parquet")
    with pytest.raises(DataError, match="damaged"):
        read_report(tmp_path)


ESTIMATE = {"value": 0.2, "low": 0.1, "high": 0.3, "n": 9}
NO_REPORTS = [
    {"all": 3},
    {"all": {"hybrid": 3}},
    {"all": {"hybrid": {"ndcg@10": 0.2}}},
    {"all": {"hybrid": {"ndcg@10": {"value": 0.2, "n": 9}}}},
    *(
        {"all": {"hybrid": {"ndcg@10": {**ESTIMATE, name: wrong}}}}
        for name in ESTIMATE
        for wrong in ("much", None, math.nan)
    ),
]


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "{", "[]", "{}", '{"ranking": 3}'),
        *(json.dumps({"ranking": ranking}) for ranking in NO_REPORTS),
    ],
)
def test_what_is_no_report_is_bad_data(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="no report of an evaluation"):
        read_report(tmp_path)


def test_a_report_of_nobody_is_one(tmp_path: Path) -> None:
    nobody = {"value": None, "low": None, "high": None, "n": 0}
    report = {"ranking": {"all": {"hybrid": {"ndcg@10": nobody}}, "warm": {}}}
    (tmp_path / "report.json").write_text(json.dumps(report), encoding="utf-8")
    read, _ = read_report(tmp_path)
    assert compare_reports(read, read).changes == ()
