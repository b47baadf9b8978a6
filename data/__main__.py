"""`python -m data`: make, bring in, check and load dataset folders."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from data.console import command_group, out, run, say, say_json, steps
from data.errors import DataError, SettingsError
from data.importing import MaxBad, import_command, say_intake, say_rows
from data.ingest import MAX_BAD, read_folder, refuse_existing
from data.realism import NEAR, measure_realism
from data.realism import STEPS as REALISM_STEPS
from data.realism_view import realism_table, write_realism
from data.settings import read_settings
from data.store import Store
from data.synthetic import PRESETS, count_steps, write_world
from data.words import counted, form

app = command_group("Make, bring in, check and load dataset folders.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


class Preset(StrEnum):
    """Sizes of the synthetic world."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


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
    offers, a year), large (1,000,000 customers, 5,000 offers, 400 days).

    Example: `python -m data generate out/world --customers 500 --seed 1`
    """
    refuse_existing(folder)
    given = {"customers": customers, "offers": offers, "days": days, "seed": seed}
    sizes = {name: value for name, value in given.items() if value is not None}
    world = replace(PRESETS[preset], **sizes)  # type: ignore[arg-type]
    begun = perf_counter()
    with steps(count_steps(world)) as step:
        rows = write_world(world, folder, on_step=step)
    say_rows(rows, folder)
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
        say_json({one.name: {"reference": one.reference, "found": one.found} for one in figures})
        return
    out.print(realism_table(figures))
    known = [one for one in figures if isfinite(one.found)]
    near = sum(one.is_near for one in known)
    are = form(near, "is", "are")
    out.print(f"{near} of {len(known)} figures {are} within {NEAR:.0%} of the real ones.")


app.command("import")(import_command)


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
    say_intake(intake)
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
    say_intake(intake)
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


if __name__ == "__main__":
    run(app)
