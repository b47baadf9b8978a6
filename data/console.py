"""What every command shares: messages in plain words, progress bars, exit codes."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from sqlalchemy import exc
from sqlalchemy.exc import SQLAlchemyError

from data.errors import DataError, OfferError, SettingsError, UsageError
from data.schema import EARLIEST, LATEST

WIDTH = 100  # columns that every table fits
# Names of files and customers are text, never markup.
out = Console(
    highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH
)
err = Console(stderr=True, highlight=False)


def command_group(help_text: str) -> typer.Typer:
    """Return a Typer application with this project's conventions."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )


def run(app: typer.Typer) -> None:
    """Run a command; an error made on purpose becomes one message and its exit code."""
    try:
        app()
    except OfferError as error:
        _end(error)
    except SQLAlchemyError as error:
        _end(_of_database(error))
    except OSError as error:
        if error.filename is None:
            raise
        told = f"{error.filename}: {error.strerror}."
        _end(SettingsError(told, "Check the path and its permissions."))


def _end(error: OfferError) -> NoReturn:
    err.print(f"[bold red]Error:[/] {_escaped(error.problem)}", soft_wrap=True)
    if error.remedy:
        err.print(f"[bold]Remedy:[/] {_escaped(error.remedy)}", soft_wrap=True)
    sys.exit(error.exit_code)


def _of_database(error: SQLAlchemyError) -> OfferError:
    """Tell the kind of an error alone: what the driver says may quote rows, or a password."""
    kind = type(error).__name__
    if isinstance(error, (exc.DataError, exc.IntegrityError)):
        return DataError(
            f"The database refuses a value ({kind}).", "Check the tables: python -m data validate."
        )
    return SettingsError(
        f"The database does not do what it is asked ({kind}).",
        "See that it answers, that nobody holds it locked and that its disk is not full; then do "
        "this again.",
    )


def say(message: str) -> None:
    """Tell the person at the terminal something; never mixed into what a machine reads."""
    err.print(_escaped(message), soft_wrap=True)


def say_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object for a machine to read."""
    typer.echo(_as_json(value))


class Steps:
    """A progress bar over named steps."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=total)
        self._begun = False

    def __call__(self, name: str) -> None:
        """Finish the step before and name the one that begins."""
        self._progress.update(self._task, advance=1 if self._begun else 0, description=name)
        self._begun = True


@contextmanager
def steps(total: int) -> Iterator[Steps]:
    """Show a bar for work of `total` steps; the last one ends with the block."""
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=not err.is_terminal) as progress:
        bar = Steps(progress, total)
        yield bar
        bar("done")


@contextmanager
def counting(total: int, name: str) -> Iterator[Callable[[int], None]]:
    """Show a bar for `total` pieces of work, of which some are done at a time."""
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=err, transient=not err.is_terminal) as progress:
        task = progress.add_task(name, total=total)
        yield lambda done: progress.update(task, advance=done)


def parse_moment(text: str | None) -> pd.Timestamp | None:
    """Read an ISO 8601 moment given on the command line; without a zone it is UTC.

    Raises
    ------
    UsageError
        The text is not a moment.
    """
    if text is None:
        return None
    try:
        # "now" differs from one second to the next, and 06/07/2025 from one country to another.
        if not re.match(r"\d{4}-", text):
            raise ValueError(text)
        moment = pd.Timestamp(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a moment.", "Write it as 2025-06-30T00:00Z.") from error
    if not EARLIEST <= moment.year <= LATEST:
        raise UsageError(f"{text!r} is not of our time.", f"Choose {EARLIEST} to {LATEST}.")
    return moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")


def write_json(value: Mapping[str, Any], path: Path) -> None:
    """Write a JSON document with a stable layout."""
    path.write_text(_as_json(value) + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """Put null where a number is none or has no end: JSON knows neither."""
    if isinstance(value, Mapping):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False)


def _escaped(text: str) -> str:
    # The name of a file may hold bytes that are no text.
    return text.encode(errors="backslashreplace").decode().replace("[", r"\[")
