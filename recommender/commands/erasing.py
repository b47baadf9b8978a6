"""Commands of `python -m recommender` that erase a person, and prove it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data.console import out, say, say_json
from data.errors import BundleError, UsageError
from data.settings import read_settings
from data.store import Store
from data.words import counted
from recommender.commands.options import Model, customer_of
from recommender.storage.erasure import erased
from recommender.storage.searching import find_in_files

Customer = Annotated[str, typer.Argument(help="The customer's id.", show_default=False)]
Database = Annotated[
    str | None, typer.Option(metavar="URL", help="Database (default: NBO_DATABASE, or var/nbo.db).")
]
AsJson = Annotated[bool, typer.Option("--json", help="For a machine to read.")]


def erase(
    customer: Customer, database: Database = None, model: Model = None, as_json: AsJson = False
) -> None:
    """Take a person out of the database and of every stored model, and print the receipt.

    Example: `python -m recommender erase c0000042 --model var/model`
    """
    customer, settings = customer_of(customer), read_settings()
    store = Store.open(database or settings.database_url)
    receipt = erased(store, model or settings.model_folder, customer)
    store.close()
    if as_json:
        say_json(receipt.as_dict())
        return
    rows = ", ".join(f"{count} of {name}" for name, count in receipt.rows.items() if count)
    models = sum(receipt.models.values())
    out.print(f"Receipt {receipt.receipt_id}, {receipt.erased_at}")
    out.print(
        f"Rows removed: {rows or 'none'}. Models: {models} of {len(receipt.models)} held them."
    )
    for version, told in receipt.unread.items():
        say(f"Model {version}: {told}")
    if receipt.left:
        say(f"The id stands in other files of the model folder still: {', '.join(receipt.left)}")
    say("Check it: python -m recommender verify-erasure CUSTOMER")


def verify_erasure(
    customer: Customer,
    database: Database = None,
    model: Model = None,
    also: Annotated[
        list[Path] | None, typer.Option(help="Further files or folders to search, such as logs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search the database, every stored model and whatever else is named for a person's id.

    Ends with 5 where it stands anywhere, and where a file could not be looked into.

    Example: `python -m recommender verify-erasure c0000042 --also /var/log/nbo`
    """
    customer, settings = customer_of(customer), read_settings()
    for path in also or ():
        if not path.exists():
            raise UsageError(f"{path} is not there.", "Correct --also.")
    store = Store.open(database or settings.database_url)
    places = [
        f"table {name}: {counted(count, 'row')}"
        for name, count in store.find_everywhere(customer).items()
    ]
    store.close()
    unread: list[str] = []
    for place in (model or settings.model_folder, *(also or ())):
        if place.exists():
            places += find_in_files(place, customer, unread)
    if as_json:
        say_json({"found": bool(places), "places": places, "unread": unread})
    if places:
        raise BundleError(
            f"The id stands in {counted(len(places), 'place')}: {'; '.join(places)}.",
            "Erase the person (again), and clear what is outside of the service yourself.",
        )
    if unread:
        raise BundleError(
            f"The id was found nowhere, but {counted(len(unread), 'file')} could not be looked "
            f"into: {'; '.join(unread)}.",
            "Unpack what is packed and name it by --also, or remove it.",
        )
    if not as_json:
        say("The id stands nowhere.")
