"""The command `recommend`: the lists of many customers at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from data.console import counting, out, say
from data.errors import UsageError
from data.ingest import MAX_BAD
from data.settings import read_settings
from data.words import counted
from recommender.base import HYBRID, POLICIES
from recommender.batch import stream_batch, write_batch
from recommender.commands.given import candidate_ids, moment_of, say_left_aside, tables
from recommender.commands.options import At, MaxBad, Model, Withhold, rules_of
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.serving.ranking import Knobs
from recommender.storage.model_folder import load


def recommend(
    output: Annotated[Path, typer.Option(help="File to write, .parquet or .csv.")],
    model: Model = None,
    customers: Annotated[
        Path | None, typer.Option(help="Customers table; all of the model's if not given.")
    ] = None,
    history: Annotated[Path | None, typer.Option(help="Interactions of unknown customers.")] = None,
    purchases: Annotated[Path | None, typer.Option(help="Their transactions.")] = None,
    answers: Annotated[Path | None, typer.Option(help="Their survey answers.")] = None,
    offers: Annotated[
        Path | None, typer.Option(help="Table whose offer_id are candidates.")
    ] = None,
    at: At = None,
    n: Annotated[int, typer.Option(min=1, max=1000, help="Length of a list.")] = 10,
    include_seen: Annotated[bool, typer.Option(help="List redeemed offers again.")] = False,
    policy: Annotated[str, typer.Option(help=f"One of {', '.join(POLICIES)}.")] = HYBRID,
    novelty: Annotated[
        float,
        typer.Option(min=0, max=1, help="Popularity taken out of the order (hybrid)."),
    ] = 0.0,
    diversity: Annotated[
        float, typer.Option(min=0, max=1, help="Loss per earlier offer of a category (hybrid).")
    ] = 0.0,
    withhold: Withhold = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random policy.")] = 0,
    max_bad: MaxBad = MAX_BAD,
) -> None:
    """Make the lists of many customers at once.

    Example: `python -m recommender recommend --model out/model --output out/lists.csv --n 5`
    """
    if output.suffix not in (".csv", ".parquet"):
        raise UsageError(f"--output is {output}.", "Let it end in .csv or .parquet.")
    if customers is None and (history or purchases or answers):
        raise UsageError(
            "--history, --purchases and --answers speak of customers that --customers names.",
            "Give --customers as well.",
        )
    if policy != HYBRID and (novelty or diversity):
        raise UsageError(
            f"--novelty and --diversity change lists of policy {HYBRID} only, not of {policy}.",
            f"Leave them out, or let --policy be {HYBRID}.",
        )
    settings = read_settings()
    bundle = load(model or settings.model_folder)
    service = Service(bundle, rules_of(withhold, settings))
    given = None
    if customers is not None:
        given = tables(customers, history, purchases, answers, max_bad)
    wish = Wish(
        at=moment_of(bundle, given, at),
        n=n,
        policy=policy,
        offers=None if offers is None else candidate_ids(offers, bundle, max_bad),
        include_seen=include_seen,
        seed=seed,
        knobs=Knobs(novelty, diversity),
    )
    if given is not None:
        say_left_aside(bundle, given)
    candidates = int(service.candidates.of(wish).sum())
    if not candidates:
        say(f"Warning: no offer is a candidate at {wish.at.isoformat()}; every list is empty.")
    people = len(bundle.customers.ids) if given is None else len(given.customers)
    with counting(people, "customers") as done:
        parts = stream_batch(service, given, wish, workers=os.cpu_count() or 1, on_done=done)
        listed = write_batch(parts, output)
    made = f"{counted(listed, 'list')} from {counted(candidates, 'candidate')}"
    out.print(f"{made}. Written to {output}.")
