"""The command `import`: a public data set as a dataset folder, and what was brought in, told."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from data.console import out, say, steps
from data.ingest import MAX_BAD, Intake, refuse_existing, write_folder
from data.schema import MALL_FILE
from data.sources.complete_journey import STEPS as JOURNEY_STEPS
from data.sources.complete_journey import read_complete_journey
from data.sources.mall import read_mall
from data.sources.movielens import read_movielens
from data.words import form

MaxBad = Annotated[float, typer.Option(min=0, max=1, help="Largest share of bad rows.")]


class Source(StrEnum):
    """What `import` knows."""

    MALL = "mall"
    COMPLETE_JOURNEY = "complete-journey"
    MOVIELENS = "movielens"


# How many paths each takes: with or without what it is made from.
PATHS = {Source.MALL: (1, 2), Source.COMPLETE_JOURNEY: (1, 1), Source.MOVIELENS: (2, 2)}


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
    say_intake(intake)
    say_rows({name: len(frame) for name, frame in intake.dataset.tables().items()}, folder)


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


def say_intake(intake: Intake) -> None:
    """Say what is remarkable about what was read."""
    for remark in intake.remarks():
        say(f"Note: {remark}")


def say_rows(rows: dict[str, int], where: Path | str) -> None:
    """Say how many rows of each table were written, and where."""
    for name, count in rows.items():
        out.print(f"{name:<16} {count:>10,} {form(count, 'row', 'rows')}")
    out.print(f"Written to {where}.")
