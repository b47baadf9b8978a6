"""`python -m evaluation`: whether it works."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated

import pandas as pd
import typer

from data.console import command_group, out, parse_moment, run, say, steps, write_json
from data.errors import DataError, UsageError
from data.ingest import MAX_BAD, Intake, read_folder
from data.recorded import read_database
from data.settings import Settings, is_database, read_settings
from data.sources.complete_journey import NAME as COMPLETE_JOURNEY
from data.sources.complete_journey import read_complete_journey
from data.synthetic import WorldParameters, write_world
from evaluation.benchmark import Benchmark, print_benchmark
from evaluation.checks.drill import DRILLS
from evaluation.checks.refusal import refuse
from evaluation.earlier import read_report
from evaluation.off_policy.replaying import replay
from evaluation.protocol import PROTOCOLS, Protocol
from evaluation.render import write_report
from evaluation.report import since
from evaluation.reporting import STEPS, build_report
from evaluation.scoring import metrics
from evaluation.suites import SUITES
from evaluation.terminal import print_report

app = command_group("Measure whether recommendations, segments and alarms work.")
app.command()(metrics)
app.command()(replay)

SYNTHETIC = "synthetic"
MOST_DAYS = 36_525  # a century: what is longer is a slip
MaxBad = Annotated[float, typer.Option(min=0, max=1, help="Largest share of bad rows.")]


@app.command()
def report(
    data: Annotated[
        str | None,
        typer.Option(metavar="DIR|URL|synthetic|complete-journey", help="What to evaluate on."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for index.html, report.json.")] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="Moment of the lists, ISO 8601 (default: before the last sixth of the history; "
            "where hardly anything on offer then was taken, the begin of offers)."
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_DAYS, help="Length of the test window, at most to the data's end."
        ),
    ] = None,
    new_offers: Annotated[
        bool, typer.Option(help="Rank only the offers that begin at the moment.")
    ] = False,
    quick: Annotated[bool, typer.Option(help="Leave out what needs more trainings.")] = False,
    compare: Annotated[
        Path | None, typer.Option(help="Another report.json, or its folder: show the change.")
    ] = None,
    drill: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(DRILLS), help="Plant a mistake on purpose: the run must fail."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The only source of chance.")] = 0,
    max_bad: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of bad rows.")
    ] = MAX_BAD,
) -> None:
    """Train on the past, rank, and report with intervals: terminal, index.html, report.json.

    Without arguments the default synthetic world is made and evaluated. Beside the report stand
    the lists and the truth as TREC files and every customer's figures as Parquet. Where a check
    fails the report says so and the command ends with exit code 5.

    Example: `python -m evaluation report --data complete-journey --output out/cj`
    """
    if drill is not None and drill not in DRILLS:
        raise UsageError(f"There is no drill {drill!r}.", f"Choose {', '.join(DRILLS)}.")
    settings = read_settings()
    name = data or SYNTHETIC
    protocol = _protocol(name, at, days, new_offers)
    folder = settings.report_folder if output is None else output
    before = None if compare is None else read_report(compare)
    with steps(STEPS + 2) as step:
        step("reading")
        name, intake, truth = _read(name, settings, max_bad)
        found = build_report(
            intake.dataset, name=name, protocol=protocol, truth=truth, seed=seed,
            thorough=not quick, drill=None if drill is None else DRILLS[drill], on_step=step,
        )  # fmt: skip
        found.notes[:0] = intake.remarks()
        step("writing")
        if before is not None:
            found = since(found, *before)
        write_report(found, folder)
    print_report(found, out)
    out.print(f"Written to {folder}: index.html (open it in a browser), report.json")
    refuse(found.checks)


@app.command()
def benchmark(
    suite: Annotated[str, typer.Option(metavar="|".join(SUITES), help="What to measure.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of public data: Mall_Customers.csv for segmentation (or that file), .npz "
            "for anomaly, ml-100k for ranking."
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File for the figures, as JSON.")] = None,
) -> None:
    """Measure against known truth or beside something else; prints each figure with its floor.

    ranking: coupons, purchases and films, the hybrid beside its own parts and plain methods
    (minutes). policy: 500 worlds, off-policy estimates and all intervals against exact values
    (minutes). segmentation: segments found, kept, explained and used. anomaly: labelled tables,
    customers who leave, what was planted (minutes). service: servers under load and under fire,
    changing models, forgetting, in trouble (minutes). speed: rows and lists a second, and ratios to
    something else that runs here and now, which alone say something of another machine.

    Example: `python -m evaluation benchmark --suite segmentation --output out/segmentation.json`
    """
    if suite not in SUITES:
        raise UsageError(f"There is no suite {suite!r}.", f"Choose {', '.join(SUITES)}.")
    if data is not None and not data.exists():
        raise DataError(f"There is no {data}.", "Name the folder of public data with --data.")
    measure, count = SUITES[suite]
    begun = perf_counter()
    with steps(count) as step:
        rows = measure(step, data)
    found = Benchmark(suite, tuple(rows), perf_counter() - begun)
    print_benchmark(found, out)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_json(found.as_json(), output)
        out.print(f"Written to {output}.")


def _protocol(name: str, at: str | None, days: int | None, new_offers: bool) -> Protocol:
    moment = parse_moment(at)
    if moment is None:
        if days is not None or new_offers:
            raise UsageError("--days and --new-offers need --at.", "Give the moment as well.")
        return PROTOCOLS.get(name, Protocol())
    until = None if days is None else moment + pd.Timedelta(days=days)
    return Protocol(moment, until, new_offers)


def _read(
    name: str, settings: Settings, max_bad: float
) -> tuple[str, Intake, dict[str, pd.DataFrame]]:
    """Read what is to be evaluated: its name, its tables, and the truth where it is known."""
    if name == COMPLETE_JOURNEY:
        return name, read_complete_journey(), {}
    if is_database(name):
        recorded = read_database(name, max_bad=max_bad)
        return recorded.name, recorded.intake, {}  # without the password
    folder = Path(name)
    if name == SYNTHETIC:
        folder = settings.data_folder
        if not folder.exists():
            write_world(WorldParameters(), folder)
            say(f"The default world was made in {folder}.")
        else:
            say(f"The dataset in {folder} is used; remove it to make the default world anew.")
    intake = read_folder(folder, max_bad=max_bad)
    truth = {
        part: pd.read_parquet(path)
        for part in ("segments", "anomalies")
        if (path := folder / "truth" / f"{part}.parquet").is_file()
    }
    return name, intake, truth


if __name__ == "__main__":
    run(app)
