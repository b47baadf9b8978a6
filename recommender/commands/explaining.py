"""The command `explain`: why a customer is shown an offer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from data.console import out, say, say_json
from data.dataset import Dataset
from data.errors import UsageError
from data.ingest import MAX_BAD
from data.schema import CUSTOMER_ID, CUSTOMERS, OFFER_ID
from data.settings import read_settings
from recommender.batch import query_customers
from recommender.commands.given import moment_of, say_left_aside, tables
from recommender.commands.options import At, MaxBad, Model, Withhold, customer_of, rules_of
from recommender.service import Service
from recommender.serving.lists import Listed, Wish
from recommender.storage.model_folder import load


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
    withhold: Withhold = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    max_bad: MaxBad = MAX_BAD,
) -> None:
    """Say why a customer is shown an offer, with every part of its score.

    Somebody the model does not know is explained from the tables given, else as a stranger.

    Example: `python -m recommender explain c0000042 --model out/model`
    """
    customer = customer_of(customer)
    settings = read_settings()
    bundle = load(model or settings.model_folder)
    service = Service(bundle, rules_of(withhold, settings))
    if offer is not None and offer not in set(bundle.offers[OFFER_ID]):
        raise UsageError(f"The model does not know the offer {offer!r}.", "Check the id.")
    known = customer in bundle.customer_ids
    told = tables(customers, history, purchases, answers, max_bad)
    one = pd.DataFrame({CUSTOMER_ID: [customer]}, dtype="str")
    profile = one if told.customers.empty else told.customers
    given = replace(
        told, customers=Dataset.of({CUSTOMERS.name: one.merge(profile, how="left")}).customers
    )
    moment = moment_of(bundle, given, at)
    say_left_aside(bundle, given)
    _, query = query_customers(bundle, given, moment)
    wish = Wish(
        at=moment,
        n=n if offer is None else 1,
        offers=None if offer is None else (offer,),
        include_seen=offer is not None,
    )
    listed = service.recommend(query, wish)[0].offers
    if not listed:
        raise UsageError(*_why_none(service, offer, moment))
    reasons = service.explainer.reasons(query, listed)
    open_to = service.candidates.allowed(query, service.candidates.valid(moment))[0]
    if as_json:
        offers = [
            {
                "offer_id": service.shown(one.row)[0],
                "score": one.score,
                "calibrated": service.calibrated,
                "source": one.source,
                "contributions": one.contributions,
                "reasons": why,
                "listed": bool(open_to[one.row]),
            }
            for one, why in zip(listed, reasons, strict=True)
        ]
        say_json({"customer_id": customer, "known": known, "offers": offers})
        return
    if not known:
        say(f"The model does not know {customer}: only the tables given, if any, speak here.")
    for one_listed, why in zip(listed, reasons, strict=True):
        _print(service, one_listed, why, bool(open_to[one_listed.row]))


def _why_none(service: Service, offer: str | None, moment: pd.Timestamp) -> tuple[str, str]:
    """Say why there is nothing to explain, and what to do."""
    remedy, rules = "Choose another --at.", "Change the rules of what is withheld."
    offers, valid = service.bundle.offers, service.candidates.valid(moment)
    if offer is None:
        if not valid.any():
            return "No offer is a candidate at that moment.", remedy
        told = "All offers of that moment were redeemed by this customer, or are withheld."
        return told, "Name an offer, or change the rules of what is withheld."
    place = int((offers[OFFER_ID] == offer).argmax())
    if valid[place]:
        return f"The offer {offer!r} is withheld from this customer, who is flagged.", rules
    row = offers.iloc[place]
    dates = [
        f"{word} {row[name].isoformat()}"
        for word, name in (("from", "valid_from"), ("until", "valid_until"))
        if pd.notna(row[name])
    ]
    stated = f"; it is valid {' '.join(dates)}" if dates else ""
    return f"The offer {offer!r} is no candidate at {moment.isoformat()}{stated}.", remedy


def _print(service: Service, one: Listed, reasons: list[str], is_open: bool) -> None:
    offer_id, title, _ = service.shown(one.row)
    kind = "probability of redemption if shown" if service.calibrated else "relative score"
    out.print("  ".join(filter(None, (offer_id, title, f"{kind} {one.score:.4f}"))))
    if not is_open:
        out.print("  Lists do not hold it: it can be redeemed once only, and was.")
    for reason in reasons:
        out.print(f"  - {reason}")
    parts = sorted(one.contributions.items(), key=lambda part: -abs(part[1]))
    scale = "log-odds" if service.calibrated else "score"
    out.print(f"  {scale}: " + " ".join(f"{name} {value:+.3f}" for name, value in parts))
