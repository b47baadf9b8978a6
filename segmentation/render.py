"""Renderings of a segment report: files, the page, the terminal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import altair as alt
import pandas as pd
from rich.console import Console
from rich.table import Table

from data.console import write_json
from segmentation.charts import choice_chart, save_png, segment_map, stability_chart
from segmentation.page import render_template
from segmentation.report import SAID, SegmentReport

FILES = (
    "labels.csv", "summary.csv", "moves.csv", "segments.png", "segments.html", "report.json",
)  # fmt: skip
MOST_COLUMNS = 10  # that a terminal shows side by side
SHORT = {
    "segment": "#",
    "segment_name": "segment",
    "annual_income": "income",
    "spending_score": "score",
    "number_of_transactions": "trans.",
    "average_transaction_value": "value",
    "transaction_frequency": "a month",
}


def write_segment_report(report: SegmentReport, folder: Path, seed: int) -> None:
    """Write `FILES` into a folder, making it if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    result, model = report.result, report.result.model
    placed = model.assign(report.table.loc[result.labels.index, list(model.features)].to_numpy())
    pd.DataFrame(
        {
            "customer_id": result.labels.index,
            "segment": result.labels.to_numpy(),
            "segment_name": [model.names[row] for row in result.labels],
            "confidence": placed.confidence.round(4),
        }
    ).to_csv(folder / "labels.csv", index=False)
    report.summary.round(4).to_csv(folder / "summary.csv", index=False)
    report.moves.round(4).reset_index(names="customer_id").to_csv(folder / "moves.csv", index=False)
    picture = segment_map(report.table, result.labels, model, seed)
    save_png(picture, folder / "segments.png")
    charts: dict[str, alt.TopLevelMixin] = {"map": picture}
    if model.n_segments > 1:
        charts["stability"] = stability_chart(model.names, report.stability.jaccard)
    if not result.choice.empty:
        charts["choice"] = choice_chart(result.choice, model.n_segments)
    page = render_template(
        "segmentation",
        "segments.html",
        charts,
        {"figure": figure},
        report=report,
        model=model,
        verdict=SAID[report.verdict],
        gate=_gate(report),
        gate_long=_gate_long(report),
    )
    (folder / "segments.html").write_text(page, encoding="utf-8")
    write_json({**report.as_json(), "seed": seed}, folder / "report.json")


def print_segment_report(report: SegmentReport, console: Console) -> None:
    """Print what matters most."""
    model, result = report.result.model, report.result
    n = model.n_segments
    silhouette = "" if math.isnan(result.silhouette) else f", silhouette {result.silhouette:.3f}"
    grid = Table(title=f"{n} segment{'s' if n > 1 else ''}{silhouette}")
    summary = report.summary
    if len(summary.columns) > MOST_COLUMNS:
        summary = summary[[*summary.columns[:4], *model.features]]
    for column in [*summary.columns, "Jaccard"]:
        # Names may be long: they wrap, figures do not.
        is_name = column == "segment_name"
        side: Literal["left", "right"] = "left" if is_name else "right"
        grid.add_column(SHORT.get(str(column), str(column)), no_wrap=not is_name, justify=side)
    for row, jaccard in zip(summary.itertuples(index=False), report.stability.jaccard, strict=True):
        cells = [f"{value:.2f}" if isinstance(value, float) else str(value) for value in row]
        grid.add_row(*cells, figure(jaccard))
    console.print(grid)
    console.print(SAID[report.verdict])
    if not result.choice.empty:
        best = result.choice.sort_values("rank").head(3)
        shown = "; ".join(
            f"k={k}: silhouette {row['silhouette']:.3f}, bootstrap ARI {row['bootstrap_ari']:.3f}"
            for k, row in best.iterrows()
        )
        console.print(f"Choice of k by mean rank of five indices: {shown}")
    if report.rules is not None:
        rules = report.rules
        console.print(
            f"In {rules.leaves} rules (they place {rules.accuracy:.1%} alike, at {rules.cost:.3f} "
            "times the cost):"
        )
        for name, text in zip(model.names, rules.texts, strict=True):
            console.print(f"  {name}: {text or 'no rule of its own'}")
    if report.drift is not None:
        console.print(f"Since then: {report.drift.verdict}. {report.drift.reason}.")
    if report.lift is not None:
        best_row = report.lift.sort_values("lift", kind="stable").iloc[-1]
        console.print(
            f"Redeemed afterwards: most in {best_row['segment_name']}, {best_row['lift']:.2f} "
            f"times everybody's rate ({best_row['low']:.2f} to {best_row['high']:.2f})."
        )


def figure(value: Any) -> str:
    """Write a number for people; a missing one as a dash."""
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if not math.isfinite(value) else f"{value:.3f}"


def _gate(report: SegmentReport) -> str:
    return (
        "more than structureless data reaches"
        if report.structure.found
        else "no more than structureless data reaches"
    )


def _gate_long(report: SegmentReport) -> str:
    told = ", ".join(
        f"{above} of {drawn} {name}" for name, (above, drawn) in report.structure.exceeded.items()
    )
    return (
        f"Structureless data of the same shape was drawn and segmented in the same way: {told} "
        "sets had a silhouette as high. More than one of a kind means that ours proves nothing."
    )
