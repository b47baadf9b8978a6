"""`python -m recommender`: train a model, make lists, explain them."""

from __future__ import annotations

import os
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from data.checks import Checked
from data.console import command_group, counting, out, parse_moment, run, say, say_json, steps
from data.dataset import Dataset
from data.errors import UsageError
from data.ingest import MAX_BAD, read_folder, read_table
from data.schema import (
    CUSTOMER_ID,
    CUSTOMERS,
    INTERACTIONS,
    OFFER_ID,
    OFFERS,
    SURVEY_ANSWERS,
    TABLES,
)
from data.schema import TRANSACTIONS as TRANSACTIONS_TABLE
from data.settings import read_settings
from recommender.base import HYBRID, POLICIES
from recommender.batch import query_customers, stream_batch, write_batch
from recommender.bundle import Bundle, load
from recommender.lists import Listed, Wish
from recommender.options import At, Folder, MaxBad, Model, folder_of
from recommender.ranking import Knobs
from recommender.recipe import Recipe
from recommender.releasing import current_bundle, publish, release, rollback
from recommender.service import Service
from recommender.training import STEPS
from recommender.training import train as train_bundle
from recommender.withholding import parse_rules

app = command_group("Train a model, make lists of offers, and explain them.")
app.command()(publish)
app.command()(rollback)


class Engine(StrEnum):
    """What computes over all rows."""

    LOCAL = "local"


@app.command()
def train(
    data: Folder = None,
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
) -> None:
    """Train a model from a dataset folder and make it the current one.

    Where there is a current model already, both rank what happened since its moment; a new one that
    is significantly worse is kept as a candidate only, and the command ends with 5. Segments that
    were in the model before keep their names and their order.

    Example: `python -m recommender train --data out/world --model out/model`
    """
    del engine  # there is one; the option is part of the contract
    settings = read_settings()
    folder = settings.data_folder if data is None else folder_of(data)
    target = settings.model_folder if model is None else model
    if target.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{target} lies in the dataset {folder}.", "Keep models apart from data.")
    moment = parse_moment(at)
    current = current_bundle(target)
    with steps(STEPS + 1 + (tune + 1 if tune else 0)) as step:
        step("reading")
        intake = read_folder(folder, max_bad=max_bad)
        bundle = train_bundle(
            intake.dataset,
            at=moment,
            seed=seed,
            previous=None if current is None else current.segments,
            recipe=Recipe(learn_from_suspects=learn_from_suspects),
            tries=tune,
            on_step=step,
        )
    bundle, verdict = release(bundle, intake.dataset, current, target, gate=gate)
    for line in () if verdict is None else verdict.lines():
        say(f"Gate: {line}.")
    for note in (*intake.remarks(), *bundle.notes):
        say(f"Note: {note}")
    if bundle.segments is not None:
        out.print(f"{bundle.segments.n_segments} segments: {'; '.join(bundle.segments.names)}")
    out.print(
        f"Model {bundle.version}: {len(bundle.customers.ids):,} customers, "
        f"{len(bundle.offers):,} offers, as of {bundle.at}. Written to {target}."
    )


@app.command()
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
        float, typer.Option(min=0, max=1, help="Share of popularity taken out of the order.")
    ] = 0.0,
    diversity: Annotated[
        float, typer.Option(min=0, max=1, help="Loss per earlier offer of a category.")
    ] = 0.0,
    withhold: Annotated[
        str | None, typer.Option(help="Rules such as 'possible fraud=cashback' (NBO_WITHHOLD).")
    ] = None,
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
    settings = read_settings()
    rules = parse_rules(settings.withhold if withhold is None else withhold)
    bundle = load(model or settings.model_folder)
    service = Service(bundle, rules)
    given = None
    if customers is not None:
        given = _tables(customers, history, purchases, answers, max_bad)
    wish = Wish(
        at=parse_moment(at) or _moment(bundle, given),
        n=n,
        policy=policy,
        offers=None if offers is None else _offer_ids(offers, bundle, max_bad),
        include_seen=include_seen,
        seed=seed,
        knobs=Knobs(novelty, diversity),
    )
    if wish.at < bundle.moment:
        say(
            f"Warning: the model knows what happened until {bundle.at}, after --at; "
            "train with the same --at for lists that are fair to judge."
        )
    if given is not None:
        _say_left_aside(bundle, given)
    candidates = int(service.candidates(wish).sum())
    if not candidates:
        say(f"Warning: no offer is a candidate at {wish.at.isoformat()}; every list is empty.")
    people = len(bundle.customers.ids) if given is None else len(given.customers)
    with counting(people, "customers") as done:
        parts = stream_batch(service, given, wish, workers=os.cpu_count() or 1, on_done=done)
        listed = write_batch(parts, output)
    out.print(f"{listed:,} lists from {candidates:,} candidates. Written to {output}.")


@app.command()
def explain(
    customer: Annotated[str, typer.Argument(help="A customer, known to the model or not.")],
    offer: Annotated[str | None, typer.Argument(help="An offer; else the top of the list.")] = None,
    model: Model = None,
    customers: Annotated[
        Path | None, typer.Option(help="Customers table with the profile of one it does not know.")
    ] = None,
    history: Annotated[Path | None, typer.Option(help="That customer's interactions.")] = None,
    purchases: Annotated[Path | None, typer.Option(help="Transactions.")] = None,
    answers: Annotated[Path | None, typer.Option(help="Survey answers.")] = None,
    at: At = None,
    n: Annotated[int, typer.Option(min=1, max=100, help="Length of the list.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    max_bad: MaxBad = MAX_BAD,
) -> None:
    """Say why a customer is shown an offer, with every part of its score.

    Somebody the model does not know is explained from the tables given, else as a stranger.

    Example: `python -m recommender explain c0000042 --model out/model`
    """
    bundle = load(model or read_settings().model_folder)
    service = Service(bundle)
    if offer is not None and offer not in set(bundle.offers[OFFER_ID]):
        raise UsageError(f"The model does not know the offer {offer!r}.", "Check the id.")
    known = customer in bundle.customer_ids
    told = _tables(customers, history, purchases, answers, max_bad)
    one = pd.DataFrame({CUSTOMER_ID: [customer]}, dtype="str")
    profile = one if told.customers.empty else told.customers
    given = replace(
        told, customers=Dataset.of({CUSTOMERS.name: one.merge(profile, how="left")}).customers
    )
    moment = parse_moment(at) or _moment(bundle, given)
    _, query = query_customers(bundle, given, moment)
    wish = Wish(
        at=moment,
        n=n if offer is None else 1,
        offers=None if offer is None else (offer,),
        include_seen=offer is not None,
    )
    listed = service.recommend(query, wish)[0].offers
    if not listed:
        raise UsageError("No offer is a candidate at that moment.", "Choose another --at.")
    reasons = service.explainer.reasons(query, listed)
    if as_json:
        offers = [
            {
                "offer_id": service.shown(one.row)[0],
                "score": one.score,
                "calibrated": service.calibrated,
                "source": one.source,
                "contributions": one.contributions,
                "reasons": why,
            }
            for one, why in zip(listed, reasons, strict=True)
        ]
        say_json({"customer_id": customer, "known": known, "offers": offers})
        return
    if not known:
        say(f"The model does not know {customer}: only the tables given, if any, speak here.")
    for one_listed, why in zip(listed, reasons, strict=True):
        _print_explained(service, one_listed, why)


def _tables(
    customers: Path | None,
    history: Path | None,
    purchases: Path | None,
    answers: Path | None,
    max_bad: float,
) -> Dataset:
    """Read what is told of customers the model may not know."""
    paths = {
        CUSTOMERS.name: customers,
        INTERACTIONS.name: history,
        TRANSACTIONS_TABLE.name: purchases,
        SURVEY_ANSWERS.name: answers,
    }
    return Dataset.of(
        {name: _read(path, name, max_bad) for name, path in paths.items() if path is not None}
    )


def _print_explained(service: Service, one: Listed, reasons: list[str]) -> None:
    offer = service.bundle.offers.iloc[one.row]
    kind = "probability of redemption if shown" if service.calibrated else "relative score"
    out.print(f"{offer[OFFER_ID]}  {offer['title'] or ''}  {kind} {one.score:.4f}")
    for reason in reasons:
        out.print(f"  - {reason}")
    parts = sorted(one.contributions.items(), key=lambda part: -abs(part[1]))
    scale = "log-odds" if service.calibrated else "score"
    out.print(f"  {scale}: " + " ".join(f"{name} {value:+.3f}" for name, value in parts))


def _moment(bundle: Bundle, given: Dataset | None) -> pd.Timestamp:
    """Return the model's moment, or just after the last row given if that is later."""
    if given is None or (given.transactions.empty and given.interactions.empty):
        return bundle.moment
    return max(bundle.moment, given.moment_after())


def _say_left_aside(bundle: Bundle, given: Dataset) -> None:
    """Name what of the given tables does not count."""
    for name, frame in given.tables().items():
        if name == CUSTOMERS.name:
            continue
        known = frame[CUSTOMER_ID].isin(bundle.customers.ids)
        if known.any():
            count = int(known.sum())
            say(f"Note: {count} rows of {name} are not used: the model knows these customers.")
        stranger = ~known & ~frame[CUSTOMER_ID].isin(given.customers[CUSTOMER_ID])
        if stranger.any():
            say(f"Note: {int(stranger.sum())} rows of {name} are of customers not asked for.")
    unknown = ~given.interactions[OFFER_ID].isin(bundle.offers[OFFER_ID])
    if unknown.any():
        say(f"Note: {int(unknown.sum())} interactions name offers that the model does not know.")


def _read(path: Path, name: str, max_bad: float) -> pd.DataFrame:
    checked: Checked = read_table(path, TABLES[name])
    total = len(checked.frame) + len(checked.rejected)
    checked.refuse_too_bad(path.name, max_bad)
    if len(checked.rejected):
        say(f"Left out {len(checked.rejected)} of {total} rows of {path.name}.")
    for note in checked.notes:
        say(f"Note: {note}")
    return checked.frame


def _offer_ids(path: Path, bundle: Bundle, max_bad: float) -> frozenset[str]:
    wanted = frozenset(_read(path, OFFERS.name, max_bad)[OFFER_ID])
    unknown = len(wanted.difference(bundle.offers[OFFER_ID]))
    if unknown:
        say(f"Note: {unknown} of {len(wanted)} offers of {path.name} are not in the model.")
    return wanted


if __name__ == "__main__":
    run(app)
