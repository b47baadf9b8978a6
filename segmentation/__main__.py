"""`python -m segmentation`: who the customers are and who behaves oddly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.table import Table as RichTable

from data.console import command_group, out, parse_moment, run, say, steps, write_json
from data.errors import DataError, UsageError
from data.ingest import MAX_BAD, Intake, read_folder, read_table
from data.schema import CUSTOMERS, MALL_FILE
from segmentation.anomaly import ALARM_RATE, find_anomalies
from segmentation.charts import choice_chart, save_html, save_png, segment_map
from segmentation.features import CustomerFeatures, customer_features
from segmentation.kmeans import Segmentation, segment_customers
from segmentation.profiles import summarise

SHORT = {
    "segment": "#",
    "segment_name": "segment",
    "annual_income": "income",
    "spending_score": "score",
    "number_of_transactions": "trans.",
    "average_transaction_value": "value",
    "transaction_frequency": "a month",
}

app = command_group("Segments of customers, and customers who behave oddly.")

Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]",
        help="Dataset folder or a customers file; ./Mall_Customers.csv if not given.",
    ),
]
At = Annotated[str | None, typer.Option(help="Moment, ISO 8601 (default: after the last row).")]
MaxBad = Annotated[float, typer.Option(min=0, max=1, help="Largest share of bad rows.")]
Seed = Annotated[int, typer.Option(min=0, help="The only source of chance.")]


@app.command()
def report(
    folder: Folder = None,
    k: Annotated[str, typer.Option(help="Number of segments, or auto.")] = "auto",
    features: Annotated[
        str | None, typer.Option(help="Features to use, as a,b or with weights as a:1,b:0.5.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out/segments"),
    at: At = None,
    seed: Seed = 0,
    max_bad: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of bad rows.")
    ] = MAX_BAD,
) -> None:
    """Segment the customers: labels.csv, summary.csv, segments.png, segments.html, report.json.

    Example: `python -m segmentation report out/mall --features annual_income,spending_score`
    """
    chosen_k, weights = _parse_k(k), _parse_features(features)
    with steps(4) as step:
        step("reading")
        intake = _read(folder, max_bad)
        step("features")
        table = customer_features(intake.dataset, parse_moment(at) or intake.dataset.moment_after())
        step("segments")
        result = segment_customers(table.values, features=weights, k=chosen_k, seed=seed)
        step("writing")
        notes = [*intake.remarks(), *table.notes, *result.notes]
        _write_report(output, table, result, notes, seed)
    for note in notes:
        say(f"Note: {note}")
    _show(result, table)
    out.print(
        f"Written to {output}: labels.csv, summary.csv, segments.png, segments.html, report.json"
    )


@app.command()
def anomalies(
    folder: Folder = None,
    output: Annotated[Path, typer.Option(help="CSV or Parquet file for the result.")] = Path(
        "out/anomalies.csv"
    ),
    alarm_rate: Annotated[
        float, typer.Option(help="Share of ordinary customers that may be flagged.")
    ] = ALARM_RATE,
    at: At = None,
    seed: Seed = 0,
    max_bad: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of bad rows.")
    ] = MAX_BAD,
) -> None:
    """Find customers who behave oddly, with the reasons.

    Example: `python -m segmentation anomalies out/world --output out/anomalies.csv`
    """
    if not 0 < alarm_rate < 1:
        raise UsageError(f"--alarm-rate is {alarm_rate}.", "Give a share between 0 and 1.")
    if output.suffix not in (".csv", ".parquet"):
        raise UsageError(f"--output is {output}.", "Let it end in .csv or .parquet.")
    with steps(3) as step:
        step("reading")
        intake = _read(folder, max_bad)
        step("features")
        table = customer_features(intake.dataset, parse_moment(at) or intake.dataset.moment_after())
        step("forest")
        found = find_anomalies(table, alarm_rate=alarm_rate, seed=seed)
    for note in (*intake.remarks(), *table.notes):
        say(f"Note: {note}")
    if found.empty:
        raise DataError(
            f"{len(table.values)} customers are too few, or too little is known of them, "
            "to call anybody unusual.",
            "Bring at least 20 customers with attributes or transactions.",
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix == ".csv":
        found.to_csv(output, index=False)
    else:
        found.to_parquet(output, index=False)
    flagged = found[found["flagged"]]
    for kind, n in flagged["kind"].value_counts().items():
        out.print(f"{kind:<16} {n:>6}")
    for row in flagged.head(5).itertuples():
        out.print(f"{row.customer_id}: {row.kind}: {row.reasons}", soft_wrap=True)
    out.print(f"{len(flagged)} of {len(found)} customers flagged. Written to {output}.")


def _read(folder: Path | None, max_bad: float) -> Intake:
    if folder is None:
        folder = Path(MALL_FILE)
        if not folder.is_file():
            raise UsageError(
                f"No dataset folder is given and ./{MALL_FILE} is not there.",
                "Name a folder: python -m segmentation report DIR",
            )
    if not folder.is_file():
        return read_folder(folder, max_bad=max_bad)
    checked = read_table(folder, CUSTOMERS)
    checked.refuse_too_bad(folder.name, max_bad)
    return Intake.of({CUSTOMERS.name: checked})


def _parse_k(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--k is {text!r}.", "Give auto or a number such as 5.")
    return int(text)


def _parse_features(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition(":")
        if not name or name in weights:
            raise UsageError(f"--features is {text!r}.", "Name each feature once: a,b or a:2,b.")
        try:
            weights[name] = float(weight) if weight else 1.0
        except ValueError as error:
            raise UsageError(f"--features has {part!r}.", "Write name or name:weight.") from error
        if not 0 < weights[name] < float("inf"):
            raise UsageError(f"The weight of {name} is {weight}.", "Give a weight above 0.")
    return weights


def _write_report(
    output: Path, table: CustomerFeatures, result: Segmentation, notes: list[str], seed: int
) -> None:
    output.mkdir(parents=True, exist_ok=True)
    model = result.model
    names = list(model.features)
    placed = model.assign(table.values.loc[result.labels.index, names].to_numpy())
    labels = pd.DataFrame(
        {
            "customer_id": result.labels.index,
            "segment": result.labels.to_numpy(),
            "segment_name": [model.names[row] for row in result.labels],
            "confidence": placed.confidence.round(4),
        }
    )
    labels.to_csv(output / "labels.csv", index=False)
    summary = summarise(table.values, result.labels, model.names)
    summary.round(4).to_csv(output / "summary.csv", index=False)
    chart = segment_map(table.values, result.labels, model, seed)
    save_png(chart, output / "segments.png")
    page = chart if result.choice.empty else (chart & choice_chart(result.choice, model.n_segments))
    save_html(page, output / "segments.html")
    write_json(
        {
            "customers": len(result.labels),
            "k": model.n_segments,
            "silhouette": None if pd.isna(result.silhouette) else round(result.silhouette, 6),
            "features": dict(zip(names, model.weight.tolist(), strict=True)),
            "segments": [
                {"segment": row, "name": model.names[row], "description": model.descriptions[row],
                 "size": int(summary["size"][row]), "share": round(float(model.shares[row]), 6)}
                for row in range(model.n_segments)
            ],
            "choice": result.choice.reset_index().round(6).to_dict("records"),
            "notes": notes,
            "seed": seed,
        },
        output / "report.json",
    )  # fmt: skip


def _show(result: Segmentation, table: CustomerFeatures) -> None:
    model = result.model
    n = model.n_segments
    silhouette = "" if pd.isna(result.silhouette) else f", silhouette {result.silhouette:.3f}"
    grid = RichTable(title=f"{n} segment{'s' if n > 1 else ''}{silhouette}")
    summary = summarise(table.values, result.labels, model.names)
    for column in summary.columns:
        grid.add_column(SHORT.get(str(column), str(column)), no_wrap=True, justify="right")
    for row in summary.itertuples(index=False):
        grid.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row))
    out.print(grid)
    if not result.choice.empty:
        best = result.choice.sort_values("rank").head(3)
        shown = "; ".join(
            f"k={k}: silhouette {row['silhouette']:.3f}, bootstrap ARI {row['bootstrap_ari']:.3f}"
            for k, row in best.iterrows()
        )
        out.print(f"Choice of k by mean rank of four indices: {shown}")


if __name__ == "__main__":
    run(app)
