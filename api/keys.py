"""`python -m api keys`: make, list and drop API keys."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from api.security import SCOPES
from data.console import command_group, out, parse_moment, say, say_json
from data.errors import UsageError
from data.keys import digest_of, new_key
from data.settings import read_settings
from data.store import Store


class Scope(StrEnum):
    """What a key may do."""

    READ, WRITE, ADMIN = SCOPES


app = command_group("Make, list and drop API keys; a running service takes notice in a second.")
Database = Annotated[
    str | None, typer.Option(metavar="URL", help="Database (default: NBO_DATABASE).")
]
AsJson = Annotated[bool, typer.Option("--json", help="For a machine to read.")]
MOMENT = "%Y-%m-%d %H:%M"


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Whose it is: an app, a team.")],
    scope: Annotated[Scope, typer.Option(help="What it may do; each scope holds the ones before.")],
    expires: Annotated[str | None, typer.Option(metavar="ISO", help="Until when.")] = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: it is shown this once, and stored as a digest only.

    Example: `python -m api keys add shop --scope write --expires 2027-01-01`
    """
    until = parse_moment(expires)
    if until is not None and until.value <= time.time_ns():
        raise UsageError(f"{expires} is past already.", "Choose a later --expires.")
    if not 1 <= len(name) <= 64 or not name.isprintable():
        raise UsageError("A key's name has 1 to 64 printable characters.", "Choose another name.")
    key = new_key()
    store = _open(database)
    expires_at = None if until is None else int(until.value // 1000)
    if not store.add_key(name, digest_of(key), (str(scope),), expires_at):
        raise UsageError(
            f"There is a key named {name!r} already.",
            "Choose another name; to rotate, drop the old key after the new one is in use.",
        )
    if as_json:
        say_json({"name": name, "scope": str(scope), "key": key})
    else:
        out.print(key)
        say(f"Key {name!r} may {scope}. Keep it safe: it is not shown again.")


@app.command("list")
def list_keys(database: Database = None, as_json: AsJson = False) -> None:
    """List the keys by name, never the keys themselves.

    Example: `python -m api keys list`
    """
    rows = _open(database).keys()
    if as_json:
        shown = ("name", "scopes", "expires_at")
        say_json({"keys": [{name: getattr(row, name) for name in shown} for row in rows]})
        return
    table = Table("name", "scope", "expires")
    for row in rows:
        until = row.expires_at and time.strftime(MOMENT, time.gmtime(row.expires_at / 1e6))
        table.add_row(row.name, " ".join(row.scopes), until or "never")
    out.print(table)


@app.command()
def drop(
    name: Annotated[str, typer.Argument(help="As in `list`.")], database: Database = None
) -> None:
    """Take a key back.

    Example: `python -m api keys drop shop`
    """
    if not _open(database).drop_key(name):
        raise UsageError(f"There is no key named {name!r}.", "See: python -m api keys list")
    say(f"Key {name!r} is taken back.")


def _open(database: str | None) -> Store:
    return Store.open(database or read_settings().database_url)
