"""The command `metrics`: anybody's lists, scored by what was relevant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from data.console import say, say_json
from data.errors import DataError, UsageError
from data.files import read_raw
from data.schema import CLICK, CUSTOMER_ID, EVENT_TYPE, OFFER_ID, REDEMPTION, Column, Kind
from data.typed import as_text, plain
from data.words import counted, form
from evaluation.metrics import find_hits, per_customer
from evaluation.ranked_lists import count_odd_ranks

MOST_K = 1_000_000  # longer than any list


def metrics(
    recommendations: Annotated[
        Path, typer.Option(help="Lists: customer_id, offer_id, rank (or score).")
    ],
    truth: Annotated[
        Path,
        typer.Option(
            help="What is relevant: customer_id, offer_id; of interactions the redemptions, "
            "or where nothing is redeemed the clicks."
        ),
    ],
    k: Annotated[str, typer.Option(help=f"Cut-offs, each at most {MOST_K:,}.")] = "5,10,20",
) -> None:
    """Score anybody's lists; prints one flat JSON object.

    Example: `python -m evaluation metrics --recommendations lists.csv --truth truth.csv --k 10`
    """
    ks = _cut_offs(k)
    relevant = _relevant(truth)
    if relevant.empty:
        raise DataError(
            f"{truth.name}: nothing is relevant.", "Give it customer_id, offer_id rows."
        )
    hits = find_hits(_ranked(recommendations), relevant)
    for why, n in hits.dropped.items():
        say(f"Note: {why}: {n}.")
    values = per_customer(hits, ks)
    found: dict[str, float] = {"customers": len(hits.customers)}
    found |= {name: float(vector.mean()) for name, vector in values.items()}
    say_json(found)


def _cut_offs(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and part.strip("0") for part in parts):
        raise UsageError(f"--k is {text!r}.", "Write it as 5,10,20.")
    # Of very many digits no number can be made.
    if any(len(part) > len(str(MOST_K)) or int(part) > MOST_K for part in parts):
        raise UsageError("A cut-off of --k is too large.", f"Choose at most {MOST_K:,}.")
    return [int(part) for part in parts]


def _pairs(path: Path) -> pd.DataFrame:
    """Read a table that has at least customer_id and offer_id, ids as in a dataset's."""
    raw = read_raw(path)
    table = raw.frame
    ragged = np.isin(np.arange(1, len(table) + 1), [row for row, _ in raw.ragged])
    _refuse(ragged, "more fields than the header", path)
    for name in (CUSTOMER_ID, OFFER_ID):
        if name not in table.columns:
            raise DataError(f"{path.name}: the column {name!r} is missing.", "Add it.")
        ids = as_text(plain(table[name]), Column(name, Kind.ID, required=True))
        _refuse(ids.isna().to_numpy(dtype=bool), f"no {name}", path)
        table[name] = ids.astype("str")
    return table


def _relevant(path: Path) -> pd.DataFrame:
    """Read what is relevant; where rows say what happened, redemptions, or else clicks."""
    table = _pairs(path)
    if EVENT_TYPE not in table.columns:
        return table
    kinds = table[EVENT_TYPE].fillna("").astype("str").str.strip().str.lower()
    if not (kinds != "").any():
        return table
    kind = REDEMPTION if (kinds == REDEMPTION).any() else CLICK
    kept: pd.DataFrame = table[kinds == kind]
    if kept.empty:
        named = ", ".join(sorted(set(kinds[kinds != ""]))[:5])
        raise DataError(
            f"{path.name}: no row is a redemption or a click; {EVENT_TYPE} is {named}.",
            f"Call what is relevant redemption, or leave the column {EVENT_TYPE} out.",
        )
    if kind == CLICK:
        say(f"Note: nothing is redeemed in {path.name}: clicks count as relevant.")
    if len(kept) < len(table):
        left = len(table) - len(kept)
        rows = counted(left, f"row of {path.name} is", f"rows of {path.name} are")
        say(f"Note: {rows} left out: {form(left, 'it is not', 'none is')} a {kind}.")
    return kept


def _ranked(path: Path) -> pd.DataFrame:
    """Read lists; a score ranks them where no rank is given."""
    table = _pairs(path)
    name = next((name for name in ("rank", "score") if name in table.columns), None)
    if name is None:
        raise DataError(f"{path.name}: has neither rank nor score.", "Add one of them.")
    number = pd.to_numeric(table[name], errors="coerce").astype("float64")
    _refuse(~np.isfinite(number.to_numpy()), f"no usable {name}", path)
    if name == "score":
        return table.assign(rank=-number)
    for why, n in count_odd_ranks(table.assign(rank=number)).items():
        say(f"Note: {why}: {n}.")
    return table.assign(rank=number)


def _refuse(bad: np.ndarray, why: str, path: Path) -> None:
    """Name the first of the rows that cannot be used, and count them."""
    if bad.any():
        told = f"{path.name}: row {int(bad.argmax()) + 1} has {why}"
        more = int(bad.sum()) - 1
        others = f", nor {form(more, 'has', 'have')} {counted(more, 'other')}" if more else ""
        raise DataError(f"{told}{others}.", "Correct it, or leave the row out.")
