"""`python -m data`: make, bring in, check and load dataset folders."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from math import isnan
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from data.console import command_group, out, run, say, say_json, steps
from data.errors import DataError, SettingsError
from data.ingest import MAX_BAD, Intake, read_folder, refuse_existing, write_folder
from data.realism import NEAR, measure_realism
from data.realism import STEPS as REALISM_STEPS
from data.realism_view import realism_table, write_realism
from data.schema import MALL_FILE
from data.settings import read_settings
from data.sources.complete_journey import STEPS as JOURNEY_STEPS
from data.sources.complete_journey import read_complete_journey
from data.sources.mall import read_mall
from data.sources.movielens import read_movielens
from data.store import Store
from data.synthetic import PRESETS, count_steps, write_world
from data.words import counted, form

app = command_group("Make, bring in, check and load dataset folders.")

MaxBad = Annotated[float, typer.Option(min=0, max=1, help="Largest share of bad rows.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


class Preset(StrEnum):
    """Sizes of the synthetic world."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class Source(StrEnum):
    """What `import` knows."""

    MALL = "mall"
    COMPLETE_JOURNEY = "complete-journey"
    MOVIELENS = "movielens"


# How many paths each takes: with or without what it is made from.
PATHS = {Source.MALL: (1, 2), Source.COMPLETE_JOURNEY: (1, 1), Source.MOVIELENS: (2, 2)}


@app.command("generate")
def generate_command(
    folder: Annotated[Path, typer.Argument(help="Folder to make; must not exist yet.")],
    preset: Annotated[
        Preset, typer.Option(help="Where the other sizes start from.")
    ] = Preset.SMALL,
    customers: Annotated[int | None, typer.Option(help="How many customers (2000).")] = None,
    offers: Annotated[int | None, typer.Option(help="How many offers (150).")] = None,
    days: Annotated[int | None, typer.Option(help="Length of the history in days (180).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The only source of chance.")] = 0,
) -> None:
    """Make a synthetic world with known truth.

    The presets: small (2,000 customers, 150 offers, half a year), medium (100,000 customers, 500
    offers, a year), large (1,000,000 customers, 5,000 offers, a year).

    Example: `python -m data generate out/world --customers 500 --seed 1`
    """
    refuse_existing(folder)
    given = {"customers": customers, "offers": offers, "days": days, "seed": seed}
    sizes = {name: value for name, value in given.items() if value is not None}
    world = replace(PRESETS[preset], **sizes)  # type: ignore[arg-type]
    begun = perf_counter()
    with steps(count_steps(world)) as step:
        rows = write_world(world, folder, on_step=step)
    _say_rows(rows, folder)
    took = perf_counter() - begun
    total = sum(rows.values())
    say(f"{counted(total, 'row')} in {took:.1f} s: {total / took:,.0f} a second.")


@app.command("realism")
def realism_command(
    folder: Annotated[Path, typer.Argument(help="The dataset folder.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder for realism.csv, realism.png, realism.html.")
    ] = None,
    max_bad: MaxBad = MAX_BAD,
    as_json: Json = False,
) -> None:
    """Compare a dataset with a real retailer: popularity, rhythm, prices, redemptions.

    Example: `python -m data realism out/world --output out/realism`
    """
    with steps(REALISM_STEPS + 1) as step:
        step("reading")
        dataset = read_folder(folder, max_bad=max_bad).dataset
        figures = measure_realism(dataset, on_step=step)
    if output is not None:
        write_realism(figures, output)
    if as_json:
        say_json(
            {
                one.name: {
                    "reference": one.reference,
                    "found": None if isnan(one.found) else one.found,
                }
                for one in figures
            }
        )
        return
    out.print(realism_table(figures))
    known = [one for one in figures if not isnan(one.found)]
    near = sum(one.is_near for one in known)
    are = form(near, "is", "are")
    out.print(f"{near} of {len(known)} figures {are} within {NEAR:.0%} of the real ones.")


@app.command("import")
def import_command(
    source: Annotated[Source, typer.Argument(help="What to import.")],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[SOURCE] DIR", help="The file (mall), the folder (movielens); the new folder."
        ),
    ],
    max_bad: MaxBad = MAX_BAD,
    seed: Annotated[int, typer.Option(min=0, help="Seed of transactions generated for mall.")] = 0,
) -> None:
    """Turn a public data set into a dataset folder.

    Example: `python -m data import mall Mall_Customers.csv out/mall`
    """
    least, most = PATHS[source]
    if not least <= len(paths) <= most:
        wanted = f"{least}" if least == most else f"{least} or {most}"
        raise typer.BadParameter(f"{source} takes {wanted} paths, not {len(paths)}.")
    folder = paths[-1]
    refuse_existing(folder)
    if source is Source.MALL:
        path = paths[0] if len(paths) == 2 else Path(MALL_FILE)
        intake = _import_mall(path, max_bad, seed)
    elif source is Source.MOVIELENS:
        intake = read_movielens(paths[0], max_bad=max_bad)
    else:
        with steps(JOURNEY_STEPS) as step:
            intake = read_complete_journey(on_step=step)
    write_folder(intake.dataset.tables(), folder)
    intake.write_quarantine(folder)
    _say_intake(intake)
    _say_rows({name: len(frame) for name, frame in intake.dataset.tables().items()}, folder)


@app.command()
def validate(
    folder: Annotated[Path, typer.Argument(help="The dataset folder.")],
    max_bad: MaxBad = MAX_BAD,
    as_json: Json = False,
) -> None:
    """Check a dataset folder; rows that cannot be used go to its quarantine.

    Example: `python -m data validate out/world`
    """
    try:
        intake = read_folder(folder, max_bad=max_bad, write_quarantine=True)
    except DataError as error:
        if as_json:
            say_json({"error": error.problem, "remedy": error.remedy})
            raise typer.Exit(DataError.exit_code) from error
        raise
    if as_json:
        rejected = {name: len(rows) for name, rows in intake.rejected.items()}
        say_json({"rows": intake.rows, "rejected": rejected, "notes": intake.notes})
        return
    _say_intake(intake)
    for name, rows in intake.rows.items():
        usable = rows - len(intake.rejected.get(name, ()))
        out.print(f"{name:<16} {usable:>10,} of {rows:>10,} rows can be used")


@app.command()
def load(
    folder: Annotated[Path, typer.Argument(help="The dataset folder.")],
    database: Annotated[str | None, typer.Option(help="Database URL (default: SQLite).")] = None,
    max_bad: MaxBad = MAX_BAD,
    alone: Annotated[
        bool, typer.Option(help="Refuse a database that holds other facts than this dataset.")
    ] = False,
) -> None:
    """Load a dataset folder into the service's database; what is there already stays as it is.

    So does a transaction of which the database has lines: to correct one, post it again.

    Example: `python -m data load out/world --database sqlite:///var/nbo.db`
    """
    intake = read_folder(folder, max_bad=max_bad, write_quarantine=not alone)
    _say_intake(intake)
    store = Store.open(database or read_settings().database_url)
    if alone and store.has_loaded(intake.dataset):
        return
    if alone and not store.is_empty():
        raise SettingsError(
            f"The database {store.name} holds other facts than {folder}.",
            "Give this dataset its own database with NBO_DATABASE or NBO_HOME, or load what is "
            f"new in it with `python -m data load {folder}`.",
        )
    with steps(4) as step:
        written = store.load(intake.dataset, on_step=step)
    for name, one in written.items():
        out.print(f"{name:<16} {one.accepted:>10,} added {one.duplicates:>10,} already there")
    out.print(f"Loaded into {store.name}.")


def _import_mall(path: Path, max_bad: float, seed: int) -> Intake:
    table = read_mall(path, max_bad=max_bad, seed=seed)
    if table.known_good:
        say(f"{path.name} is the known-good mall table (200 customers).")
    else:
        say(
            f"Warning: {path.name} is not the known-good mall table: "
            f"{'; '.join(table.differences)}."
        )
    say("The mall table has no transactions: they are generated from income and score.")
    return table.intake


def _say_intake(intake: Intake) -> None:
    for remark in intake.remarks():
        say(f"Note: {remark}")


def _say_rows(rows: dict[str, int], where: Path | str) -> None:
    for name, count in rows.items():
        out.print(f"{name:<16} {count:>10,} {form(count, 'row', 'rows')}")
    out.print(f"Written to {where}.")


if __name__ == "__main__":
    run(app)
