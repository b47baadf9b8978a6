"""The report on a terminal of 100 columns."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from evaluation.charts import LABELS
from evaluation.comparison import print_comparison
from evaluation.depth_tables import print_depth
from evaluation.harness import HEADLINE, Trial
from evaluation.report import Report
from evaluation.wording import SHOWN, told_estimate, told_figure, told_gap, told_uplift


def print_report(report: Report, console: Console) -> None:
    """Print the report to a terminal of 100 columns."""
    if report.trial is not None:
        for name in report.trial.ranking:
            _print_slice(report.trial, name, console)
        _print_ablation(report, console)
    if report.depth is not None:
        print_depth(report.depth, console)
    for name, label in (("ctr", "CTR"), ("conversion", "Conversion")):
        console.print(f"{label}: {told_estimate(report.online[name], percent=True)}")
    console.print(f"Incremental conversions: {told_uplift(report.uplift)}")
    segments, anomalies = report.segments, report.anomalies
    if segments["k"]:
        text = f"Segments: {segments['k']}, silhouette {told_figure(segments['silhouette'])}"
        if "bootstrap_ari" in segments:
            text += f", bootstrap ARI {told_figure(segments['bootstrap_ari'])}"
        if "ari_to_truth" in segments:
            text += f", ARI to the truth {told_figure(segments['ari_to_truth'])}"
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
        cells = [told_figure(metrics[f"{metric}@10"].value) for metric in SHOWN[1:]]
        table.add_row(policy, told_estimate(metrics[HEADLINE]), *cells)
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
        gaps = [report.ablation[name][part] for name in slices]
        table.add_row(part, *(told_gap(gap, gap.p_value) for gap in gaps))
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
