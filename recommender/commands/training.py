"""The command `train`: once, or in rounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from data.console import out, parse_moment, say, steps
from data.dataset import Dataset
from data.errors import DataError, UsageError
from data.ingest import MAX_BAD
from data.settings import Settings, is_database, read_settings
from data.words import counted
from recommender.commands.options import At, DataOption, MaxBad, Model, read_source
from recommender.commands.rounds import Rounds, ended_by_sigterm, parse_span
from recommender.recipe import Recipe
from recommender.release.releasing import current_bundle, release
from recommender.storage.versions import current_version
from recommender.training import STEPS
from recommender.training import train as train_bundle


class Engine(StrEnum):
    """What computes over all rows."""

    LOCAL = "local"


def train(
    data: DataOption = None,
    model: Model = None,
    engine: Annotated[Engine, typer.Option(help="What computes over all rows.")] = Engine.LOCAL,
    at: At = None,
    seed: Annotated[int, typer.Option(min=0, help="The only source of chance.")] = 0,
    max_bad: MaxBad = MAX_BAD,
    gate: Annotated[bool, typer.Option(help="Compare it with the current model first.")] = True,
    tune: Annotated[
        int, typer.Option(min=0, max=200, help="Recipes to try on past moments beside the default.")
    ] = 0,
    learn_from_suspects: Annotated[
        bool, typer.Option(help="Learn from customers flagged as possible fraud as well.")
    ] = False,
    every: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Train again and again: 30m, 6h, 1d.")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="With --every: end after so many rounds.")
    ] = None,
) -> None:
    """Train a model from a dataset folder or the service's database and make it the current one.

    Where there is a current model already, both rank what happened since its moment; a new one that
    is significantly worse is kept as a candidate only, and the command ends with 5. Segments that
    were in the model before keep their names and their order.

    With --every rounds begin so far apart. One that fails, or whose model the gate refuses, is
    told, and the next one comes all the same; SIGTERM ends the command between two steps.

    Examples: `python -m recommender train --data out/world --model out/model`,
    `python -m recommender train --data sqlite:///var/nbo.db --every 6h`
    """
    del engine  # there is one; the option is part of the contract
    settings = read_settings()
    moment = parse_moment(at)
    target = settings.model_folder if model is None else model
    if data is None or not is_database(data):
        folder = settings.data_folder if data is None else Path(data)
        if target.resolve().is_relative_to(folder.resolve()):
            raise UsageError(
                f"{target} lies in the dataset {folder}.", "Keep models apart from data."
            )
    recipe = Recipe(learn_from_suspects=learn_from_suspects)

    def once(check: Callable[[], None] = lambda: None) -> None:
        _train_once(
            data, settings, target, moment, seed, max_bad, recipe, tune, gate=gate, check=check
        )

    if every is None:
        if rounds is not None:
            raise UsageError("--rounds is about --every.", "Give --every as well.")
        once()
        return
    if moment is not None:
        raise UsageError("With --at every round would train the same.", "Leave --at or --every.")
    repeated = Rounds(parse_span(every), rounds)
    with ended_by_sigterm(repeated):
        repeated.run(lambda: once(repeated.check))


def _train_once(
    data: str | None,
    settings: Settings,
    target: Path,
    moment: pd.Timestamp | None,
    seed: int,
    max_bad: float,
    recipe: Recipe,
    tries: int,
    *,
    gate: bool,
    check: Callable[[], None],
) -> None:
    """Read, train, and release; `check` may stop the work between two steps."""
    before = current_version(target)
    current = current_bundle(target)
    with steps(STEPS + 1 + (tries + 1 if tries else 0)) as bar:

        def step(name: str) -> None:
            check()
            bar(name)

        step("reading")
        read = read_source(data, settings, max_bad, moment)
        _refuse_too_early(read.intake.dataset, moment)
        bundle = train_bundle(
            read.intake.dataset,
            at=read.at,
            seed=seed,
            previous=None if current is None else current.segments,
            recipe=recipe,
            tries=tries,
            on_step=step,
        )
    check()
    bundle = replace(bundle, read_at=read.began.isoformat())
    dataset, stated = read.intake.dataset, moment is not None
    bundle, verdict = release(
        bundle, dataset, current, target, gate=gate, stated=stated, before=before
    )
    for line in () if verdict is None else verdict.lines():
        say(f"Gate: {line}.")
    for note in (*read.intake.remarks(), *bundle.notes):
        say(f"Note: {note}")
    if bundle.segments is not None:
        segments = counted(bundle.segments.n_segments, "segment")
        out.print(f"{segments}: {'; '.join(bundle.segments.names)}")
    out.print(
        f"Model {bundle.version}: {counted(len(bundle.customers.ids), 'customer')}, "
        f"{counted(len(bundle.offers), 'offer')}, as of {bundle.at}. Written to {target}."
    )
    if bundle.recommender is None:
        # A current one that recommends stays: the gate refuses this one, unless it is not asked.
        say(
            "Warning: no list can be made with this model. Add offers, and interactions or "
            "transactions, and train again."
        )


def _refuse_too_early(dataset: Dataset, moment: pd.Timestamp | None) -> None:
    """Refuse a moment before all that happened: no list could come of it.

    A dataset that has no history at all trains segments all the same, for a service begins like
    that; who names a moment means to learn from what was before it.
    """
    if moment is None or dataset.offers.empty:
        return
    known = dataset.before(moment)
    if known.interactions.empty and known.transactions.empty:
        raise DataError(
            f"No interaction or transaction is known before {moment.isoformat()}: the model would "
            "recommend nothing.",
            "Choose a later --at, or add interactions or transactions.",
        )
