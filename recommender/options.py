"""What the commands of `python -m recommender` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data.errors import UsageError

Model = Annotated[Path | None, typer.Option("--model", help="Model folder (default: var/model).")]
At = Annotated[str | None, typer.Option("--at", help="Moment, ISO 8601.")]
MaxBad = Annotated[float, typer.Option(min=0, max=1, help="Largest share of bad rows.")]
Folder = Annotated[
    str | None, typer.Option("--data", metavar="DIR", help="Dataset folder (default: var/data).")
]


def folder_of(text: str) -> Path:
    """Read what --data names.

    Raises
    ------
    UsageError
        It is a database.
    """
    if "://" in text:
        raise UsageError(
            "Training from a database is not there yet.", "Give --data a dataset folder."
        )
    return Path(text)
