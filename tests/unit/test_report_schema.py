"""The contract of report.json: a report keeps it, and what breaks it is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from evaluation.comparison import compare_reports
from evaluation.harness import Trial
from evaluation.report import Report
from evaluation.report_schema import report_schema
from evaluation.significance import Estimate
from evaluation.splitting import Split
from recommender.bundle import Bundle

VALIDATOR = jsonschema.Draft202012Validator(
    report_schema(), format_checker=jsonschema.FormatChecker()
)


def messages(report: dict[str, Any]) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(report)]


@pytest.fixture(scope="module")
def plain(make_trial: Callable[..., tuple[Trial, Split]], small_bundle: Bundle) -> dict[str, Any]:
    """A report as JSON; the whole command's own is validated where commands are tested."""
    trial, split = make_trial()
    report = Report(
        identity={
            "data": "made", "fingerprint": "0123456789ab", "rows": {"offers": 30}, "seed": 0,
            "python": "3.11", "versions": {"numpy": "2"}, "seconds": 1.5,
        },
        protocol={
            "split": "by time", "at": split.at.isoformat(), "until": split.until.isoformat(),
            "relevant": split.relevant, "candidates": len(split.candidates),
            "customers": len(split.customers), "cold": len(split.cold), "warm": 30,
            "pairs": len(split.truth), "set_aside": {},
        },
        trial=trial,
        online={"ctr": Estimate(0.1, 0.05, 0.2, 100), "conversion": "not measured: no log"},
        segments={"k": 2, "silhouette": float("nan")},
        anomalies={"customers": 3, "flagged": 1, "kinds": {"vip": 1}, "examples": []},
        summary=small_bundle.anomalies.head(0),
        bundle=small_bundle,
        ablation={"all": {}},
        notes=["a note"],
    )  # fmt: skip
    found: dict[str, Any] = json.loads(json.dumps(report.as_json(), allow_nan=False))
    return found


def test_the_schema_is_one_and_describes_its_parts() -> None:
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for name in schema["required"]:
        part = schema["properties"][name]
        assert part.get("description") or part["properties"], name


def test_a_report_keeps_the_contract(plain: dict[str, Any]) -> None:
    assert not messages(plain)


def test_nothing_to_rank_keeps_it_as_well(plain: dict[str, Any]) -> None:
    empty = {**plain, "protocol": {}, "ranking": {name: {} for name in ("all", "warm", "cold")}}
    assert not messages({**empty, "hybrid_against": {}, "ablation": {}})


def test_new_parts_may_join_and_known_ones_keep_their_shape(plain: dict[str, Any]) -> None:
    check = {"name": "deterministic", "passed": None, "told": "not asked", "figures": {"n": 3}}
    more = {**plain, "weather": {"sun": 1}, "checks": [check]}
    more["since"] = compare_reports(plain, plain).as_json()
    assert not messages(more)
    for wrong in ({**check, "passed": "yes"}, {"name": "deterministic"}):
        assert messages({**more, "checks": [wrong]})
    more["since"]["changes"][0]["how"] = "guessed"
    assert messages(more) == ["$.since.changes[0].how"]


def _without(report: dict[str, Any], name: str) -> None:
    del report[name]


BROKEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no identity": lambda report: _without(report, "identity"),
    "no cold slice": lambda report: _without(report["ranking"], "cold"),
    "an estimate without n": lambda report: _without(
        report["ranking"]["all"]["hybrid"]["ndcg@10"], "n"
    ),
    "words for a figure": lambda report: report["ranking"]["all"]["random"].update(x="high"),
    "a p-value above one": lambda report: report["hybrid_against"]["all"]["random"].update(
        p_value=1.5
    ),
    "half a protocol": lambda report: _without(report["protocol"], "at"),
    "a strange fingerprint": lambda report: report["identity"].update(fingerprint="none"),
    "a negative count": lambda report: report["anomalies"].update(flagged=-1),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_contract_is_found(name: str, plain: dict[str, Any]) -> None:
    broken = copy.deepcopy(plain)
    BROKEN[name](broken)
    assert messages(broken)
