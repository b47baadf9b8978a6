"""Three renderings of a report: the terminal, a self-contained page, JSON."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import altair as alt
from rich.console import Console
from rich.table import Table

from data.console import write_json
from evaluation.charts import LABELS, policy_chart, reliability_chart
from evaluation.comparison import print_comparison
from evaluation.depth.baselines import ORACLE
from evaluation.depth.shown import COUNTED
from evaluation.depth_tables import print_depth, told_exposure, told_gap
from evaluation.earlier import REPORT
from evaluation.findings import feature_table, labels_of
from evaluation.harness import HEADLINE, KS, Trial
from evaluation.reliability import Reliability
from evaluation.report import Report
from evaluation.significance import Estimate
from evaluation.trec import write_outputs
from recommender.base import HYBRID
from recommender.learning.yardstick import Difference
from segmentation.charts import choice_chart, segment_map
from segmentation.page import render_template

SHOWN = ("ndcg", "precision", "recall", "f1", "map", "mrr", "hit_rate")
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


def print_report(report: Report, console: Console) -> None:
    """Print the report to a terminal of 100 columns."""
    if report.trial is not None:
        for name in report.trial.ranking:
            _print_slice(report.trial, name, console)
        _print_ablation(report, console)
    if report.depth is not None:
        print_depth(report.depth, console)
    for name, label in (("ctr", "CTR"), ("conversion", "Conversion")):
        console.print(f"{label}: {_told(report.online[name], percent=True)}")
    console.print(f"Incremental conversions: {_told_uplift(report.uplift)}")
    segments, anomalies = report.segments, report.anomalies
    if segments["k"]:
        text = f"Segments: {segments['k']}, silhouette {_figure(segments['silhouette'])}"
        if "bootstrap_ari" in segments:
            text += f", bootstrap ARI {_figure(segments['bootstrap_ari'])}"
        if "ari_to_truth" in segments:
            text += f", ARI to the truth {_figure(segments['ari_to_truth'])}"
        console.print(text)
    kinds = ", ".join(f"{n} {kind}" for kind, n in anomalies["kinds"].items())
    text = f"Anomalies: {anomalies['flagged']} of {anomalies['customers']} customers ({kinds})"
    if "truth" in anomalies:
        truth = anomalies["truth"]
        text += (
            f"; of {truth['planted']} planted {truth['recall']:.0%} found, false alarms "
            f"{truth['false_alarm_rate']:.1%}"
        )
    console.print(text if anomalies["customers"] else "Anomalies: not measured")
    for note in report.notes:
        console.print(f"Note: {note}", style="dim")
    _print_checks(report, console)
    if report.since is not None:
        print_comparison(report.since, console)


def render_page(report: Report) -> str:
    """Render the report as one HTML page that needs no network."""
    return render_template(
        "evaluation",
        "report.html",
        _charts(report),
        {
            "figure": _figure,
            "told": _told,
            "gap": _gap,
            "exposure": told_exposure,
            "uplift": _told_uplift,
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


def _print_slice(trial: Trial, name: str, console: Console) -> None:
    policies = trial.ranking[name]
    n = next(iter(policies.values()))[HEADLINE].n
    if not n:
        console.print(f"{LABELS[name]}: none in the test window")
        return
    table = Table(title=f"{LABELS[name]} (n = {n:,}), lists of 10", title_justify="left")
    table.add_column("policy")
    table.add_column("ndcg, 95% interval", justify="right")
    for metric in SHOWN[1:]:
        table.add_column(metric.replace("_", " "), justify="right")
    for policy, metrics in policies.items():
        cells = [_figure(metrics[f"{metric}@10"].value) for metric in SHOWN[1:]]
        table.add_row(policy, _told(metrics[HEADLINE]), *cells)
    console.print(table)


def _print_ablation(report: Report, console: Console) -> None:
    """Print what each part adds, where there is somebody to tell."""
    slices = [name for name, parts in report.ablation.items() if any(d.n for d in parts.values())]
    title = "What each part adds to the hybrid's NDCG@10 (* p < 0.05)"
    table = Table(title=title, title_justify="left")
    table.add_column("part")
    for name in slices:
        table.add_column(LABELS[name], justify="right")
    for part in report.ablation[slices[0]] if slices else ():
        table.add_row(part, *(_starred(report.ablation[name][part]) for name in slices))
    console.print(table)


def _print_checks(report: Report, console: Console) -> None:
    """Count the checks that hold and name the others."""
    if not report.checks:
        return
    asked = [one for one in report.checks if one.passed is not None]
    held = sum(bool(one.passed) for one in asked)
    console.print(f"Checks: {held} of {len(asked)} hold")
    for one in report.checks:
        if one.passed is None:
            console.print(f"  not asked: {one.name}: {one.told}", style="dim")
        elif not one.passed:
            console.print(f"  FAILED: {one.name}: {one.told}", style="bold red")


def _gap(one: Difference) -> str:
    if not one.n:
        return "-"
    return f"{one.value:+.3f} ({one.low:+.3f}, {one.high:+.3f}) p {one.p_value:.3f}"


def _starred(one: Difference) -> str:
    if not one.n:
        return "-"
    return f"{one.value:+.3f} ({one.low:+.3f}, {one.high:+.3f}){'*' if one.p_value < 0.05 else ' '}"


def _told(one: Estimate | str, percent: bool = False) -> str:
    if isinstance(one, str):
        return one
    if not one.n:
        return "-"
    if percent:
        return f"{one.value:.2%} ({one.low:.2%} to {one.high:.2%}, {one.n:,} impressions)"
    return f"{one.value:.3f} ({one.low:.3f}-{one.high:.3f})"


def _told_uplift(found: dict[str, Any] | str) -> str:
    if isinstance(found, str):
        return found
    gap = found["difference"]
    return f"{gap['value']:+.2%} ({gap['low']:+.2%} to {gap['high']:+.2%}) of customers"


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.3f}"
    return "-" if value is None else str(value)
