"""`python -m segmentation`: who the customers are and who behaves oddly."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from data.console import command_group, out, parse_moment, run, say, steps
from data.errors import DataError, UsageError
from data.ingest import MAX_BAD, Intake, read_folder, read_table
from data.schema import CUSTOMERS, MALL_FILE
from data.words import counted
from segmentation.anomaly import ALARM_RATE, find_anomalies
from segmentation.features import customer_features
from segmentation.habits import SHARE
from segmentation.odd_page import write_anomalies
from segmentation.render import FILES, print_segment_report, write_segment_report
from segmentation.reporting import STEPS, build_segment_report
from segmentation.sprees import find_odd_transactions


class Density(StrEnum):
    """Whether customers in sparse places weigh more."""

    OFF = "off"
    ON = "on"
    AUTO = "auto"


WEIGHING: dict[Density, bool | Literal["auto"]] = {
    Density.OFF: False,
    Density.ON: True,
    Density.AUTO: "auto",
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
    since: Annotated[
        str | None, typer.Option(help="An earlier moment to compare with: migration and drift.")
    ] = None,
    density: Annotated[
        Density, typer.Option(help="Weigh customers in sparse places more: finds small segments.")
    ] = Density.OFF,
    seed: Seed = 0,
    max_bad: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of bad rows.")
    ] = MAX_BAD,
) -> None:
    """Segment the customers, and say how sure that is: labels.csv, segments.html and more.

    Features beyond the six: recency_days, discount_share, coupon_share, coupon_transactions,
    redemptions, share:CATEGORY. With an --at before the end of the data the report also tells which
    segments redeemed afterwards.

    Example: `python -m segmentation report out/mall --features annual_income,spending_score`
    """
    chosen_k, weights = _parse_k(k), _parse_features(features)
    before = parse_moment(since)
    with steps(STEPS + 2) as step:
        step("reading")
        intake = _read(folder, max_bad, "report")
        moment = parse_moment(at) or intake.dataset.moment_after()
        if before is not None and before >= moment:
            raise UsageError(f"--since {since} is not before the moment.", "Name an earlier one.")
        found = build_segment_report(
            intake.dataset, moment, features=weights, k=chosen_k, density=WEIGHING[density],
            since=before, seed=seed, on_step=step,
        )  # fmt: skip
        step("writing")
        found = replace(found, notes=(*intake.remarks(), *found.notes))
        write_segment_report(found, output, seed)
    for note in found.notes:
        say(f"Note: {note}")
    print_segment_report(found, out)
    out.print(f"Written to {output}: {', '.join(FILES)}")


@app.command()
def anomalies(
    folder: Folder = None,
    output: Annotated[
        Path, typer.Option(help="Folder for all results, or one CSV or Parquet file.")
    ] = Path("out/anomalies"),
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

    Example: `python -m segmentation anomalies out/world --output out/anomalies`
    """
    if not 0 < alarm_rate < 1:
        raise UsageError(f"--alarm-rate is {alarm_rate}.", "Give a share between 0 and 1.")
    if output.suffix not in ("", ".csv", ".parquet"):
        raise UsageError(
            f"--output is {output}.", "Name a folder, or a file that ends in .csv or .parquet."
        )
    with steps(4) as step:
        step("reading")
        intake = _read(folder, max_bad, "anomalies")
        moment = parse_moment(at) or intake.dataset.moment_after()
        step("features")
        table = customer_features(intake.dataset, moment)
        step("customers")
        found = find_anomalies(table, intake.dataset, moment, alarm_rate=alarm_rate, seed=seed)
        step("transactions")
        odd = find_odd_transactions(intake.dataset, moment, seed=seed)
    for note in (*intake.remarks(), *table.notes):
        say(f"Note: {note}")
    if found.empty:
        n = len(table.values)
        raise DataError(
            f"{counted(n, 'customer is', 'customers are')} too few, or too little is known of "
            "them, to call anybody unusual.",
            "Bring at least 20 customers with attributes or transactions.",
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix == ".csv":
        found.to_csv(output, index=False)
    elif output.suffix == ".parquet":
        found.to_parquet(output, index=False)
    else:
        write_anomalies(found, odd, table.values, output, seed)
    flagged = found[found["flagged"]]
    for kind, n in flagged["kind"].value_counts().items():
        out.print(f"{kind:<16} {n:>6}")
    for row in flagged.head(5).itertuples():
        out.print(f"{row.customer_id}: {row.kind}: {row.reasons}", soft_wrap=True)
    out.print(f"{len(flagged)} of {counted(len(found), 'customer')} flagged. Written to {output}.")
    if len(odd):
        stand = counted(len(odd), "single transaction stands", "single transactions stand")
        out.print(f"{stand} out, with at most 10 % false ones.")


def _read(folder: Path | None, max_bad: float, verb: str) -> Intake:
    if folder is None:
        folder = Path(MALL_FILE)
        if not folder.is_file():
            raise UsageError(
                f"No dataset folder is given and ./{MALL_FILE} is not there.",
                f"Name a folder: python -m segmentation {verb} DIR",
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
        # The colon of share:CATEGORY is part of the name.
        shared = SHARE if part.strip().startswith(SHARE) else ""
        name, _, weight = part.strip().removeprefix(shared).partition(":")
        name = shared + name
        if not name or name in weights:
            raise UsageError(f"--features is {text!r}.", "Name each feature once: a,b or a:2,b.")
        try:
            weights[name] = float(weight) if weight else 1.0
        except ValueError as error:
            raise UsageError(f"--features has {part!r}.", "Write name or name:weight.") from error
        if not 0 < weights[name] < float("inf"):
            raise UsageError(f"The weight of {name} is {weight}.", "Give a weight above 0.")
    return weights


if __name__ == "__main__":
    run(app)
