"""What the commands of `python -m recommender` share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from data.errors import UsageError
from data.ingest import Intake, read_folder
from data.recorded import read_database
from data.settings import Settings, is_database
from recommender.serving.withholding import Rules, configured_rules, parse_rules

Model = Annotated[Path | None, typer.Option("--model", help="Model folder (default: var/model).")]
At = Annotated[str | None, typer.Option("--at", help="Moment, ISO 8601.")]
MaxBad = Annotated[float, typer.Option(min=0, max=1, help="Largest share of bad rows.")]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DIR|URL",
        help="Dataset folder, or the service's database (default: var/data).",
    ),
]

Withhold = Annotated[
    str | None, typer.Option(help="Rules such as 'possible fraud=cashback' (NBO_WITHHOLD).")
]


@dataclass(frozen=True)
class Read:
    """What --data named.

    Attributes
    ----------
    intake : Intake
    at : Timestamp or None
        The moment it is known as of, where that is not just after its last row.
    began : Timestamp
        When the reading began.
    """

    intake: Intake
    at: pd.Timestamp | None
    began: pd.Timestamp


def customer_of(text: str) -> str:
    """Read the id of a customer, around which white space is no part of it.

    Raises
    ------
    UsageError
        Nobody can be called that.
    """
    customer = text.strip()
    if not customer:
        raise UsageError("The id of the customer is empty.", "Name one, known or not.")
    try:
        customer.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The id of the customer is not UTF-8: {customer!r}.",
            "Write it as it stands in the tables, all of whose ids are.",
        ) from error
    return customer


def rules_of(withhold: str | None, settings: Settings) -> Rules:
    """Read the rules of what is withheld: those given, else those of the settings."""
    return configured_rules(settings.withhold) if withhold is None else parse_rules(withhold)


def read_source(
    data: str | None, settings: Settings, max_bad: float, at: pd.Timestamp | None = None
) -> Read:
    """Read the dataset folder or the database that --data names.

    Parameters
    ----------
    at : Timestamp, optional
        What a database recorded from then on is not read.

    Raises
    ------
    DataError, SettingsError
        It cannot be read.
    """
    if data is not None and is_database(data):
        found = read_database(data, at=at, max_bad=max_bad)
        return Read(found.intake, found.at, found.began)
    folder, began = settings.data_folder if data is None else Path(data), pd.Timestamp.now("UTC")
    return Read(read_folder(folder, max_bad=max_bad), at, began)
