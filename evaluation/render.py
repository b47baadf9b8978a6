"""The report as files: a page that needs no network, JSON, and what was ranked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt

from data.console import write_json
from evaluation.charts import LABELS, policy_chart, reliability_chart
from evaluation.depth.baselines import ORACLE
from evaluation.depth.shown import COUNTED
from evaluation.earlier import REPORT
from evaluation.findings import feature_table, labels_of
from evaluation.harness import HEADLINE, KS, Trial
from evaluation.reliability import Reliability
from evaluation.report import Report
from evaluation.trec import write_outputs
from evaluation.wording import (
    SHOWN,
    told_difference,
    told_estimate,
    told_exposure,
    told_figure,
    told_gap,
    told_uplift,
)
from recommender.base import HYBRID
from segmentation.charts import choice_chart, segment_map
from segmentation.page import render_template

LIMITS = (
    "Offline figures reward what the old policy showed: an offer nobody was shown could not be "
    "redeemed.",
    "A redemption is not an increase: some customers would have bought without the offer.",
    "Intervals say how far other customers could move a figure, not how far another season could.",
)


def write_report(report: Report, folder: Path) -> None:
    """Write index.html, report.json and what was ranked, making the folder if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(report.as_json(), folder / REPORT)
    if report.trial is not None and report.split is not None:
        write_outputs(report.trial, report.split, folder)
    (folder / "index.html").write_text(render_page(report), encoding="utf-8")


def render_page(report: Report) -> str:
    """Render the report as one HTML page that needs no network."""
    return render_template(
        "evaluation",
        "report.html",
        _charts(report),
        {
            "figure": told_figure,
            "told": told_estimate,
            "gap": told_difference,
            "exposure": told_exposure,
            "uplift": told_uplift,
        },
        holm=told_gap,
        report=report,
        slices=[] if report.trial is None else _slices(report.trial),
        ks=KS,
        shown=SHOWN,
        headline=HEADLINE,
        labels=LABELS,
        limits=LIMITS,
        verdict=f"{_verdict(report.trial)} {_beside(report)}",
    )


def _charts(report: Report) -> dict[str, alt.TopLevelMixin]:
    """Return charts by the id of the element that shows them."""
    charts: dict[str, alt.TopLevelMixin] = {}
    if report.trial is not None:
        charts["policies"] = policy_chart(report.trial)
    if report.depth is not None and isinstance(report.depth.reliability, Reliability):
        charts["reliability"] = reliability_chart(report.depth.reliability)
    bundle = report.bundle
    if bundle.segments is not None:
        charts["segments"] = segment_map(feature_table(bundle), labels_of(bundle), bundle.segments)
        if not bundle.choice.empty:
            choice = bundle.choice.set_index("k")
            charts["choice"] = choice_chart(choice, bundle.segments.n_segments)
    return charts


def _slices(trial: Trial) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "label": LABELS[name],
            "n": next(iter(policies.values()))[HEADLINE].n,
            "policies": policies,
            "against": trial.against[name],
        }
        for name, policies in trial.ranking.items()
    ]


def _verdict(trial: Trial | None) -> str:
    """Say in one sentence how the hybrid did against the best other policy."""
    if trial is None:
        return "Ranking was not measured."
    others = {name: one for name, one in trial.ranking["all"].items() if name != "hybrid"}
    best = max(others, key=lambda name: others[name][HEADLINE].value)
    ours, gap = trial.ranking["all"]["hybrid"][HEADLINE], trial.against["all"][best]
    sure = "a difference that chance explains badly" if gap.p_value < 0.05 else "within chance"
    popular = others["popularity"][HEADLINE]
    return (
        f"The hybrid reaches {HEADLINE.upper().replace('@', ' at ')} of {ours.value:.3f} "
        f"({ours.low:.3f} to {ours.high:.3f}); popularity {popular.value:.3f}. The best single "
        f"policy is {best} with {others[best][HEADLINE].value:.3f}: {gap.value:+.3f}, {sure} "
        f"(p = {gap.p_value:.3f})."
    )


def _beside(report: Report) -> str:
    """Say how the hybrid did against the best tuned baseline, and among what was shown."""
    if report.depth is None:
        return ""
    rivals = {name: one for name, one in report.depth.baselines["all"].items() if name != ORACLE}
    best = max(rivals, key=lambda name: rivals[name].metrics[HEADLINE].value)
    gap = rivals[best].hybrid
    told = f"The best tuned baseline is {best} with {rivals[best].metrics[HEADLINE].value:.3f}"
    if gap is not None:
        told += f" ({gap.value:+.3f} for the hybrid, p = {rivals[best].p_holm:.3f} after Holm)"
    shown = report.depth.shown
    if not isinstance(shown, str):
        told += (
            ". Among what customers were shown the hybrid reaches "
            f"{shown.policies[HYBRID].value:.3f}, the most redeemed offers "
            f"{shown.policies[COUNTED].value:.3f}"
        )
    return f"{told}."
