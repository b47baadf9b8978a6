"""`python -m api`: the service; makes what it needs if there is nothing yet."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn

import api.lean  # noqa: F401 - before pandas
from api import keys
from api.house import House
from api.opening import Opening, application, hand_over, open_house
from data.console import parse_moment, run, say
from data.errors import DataError, OfferError, SettingsError
from data.ingest import MAX_BAD
from data.settings import is_database, read_settings
from data.store import Store
from data.words import counted
from recommender.storage.versions import CURRENT

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


app.add_typer(keys.app, name="keys")
GRACE = 10  # seconds for requests under way when the service ends


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8000,
    data: Annotated[
        str | None, typer.Option(metavar="DIR|URL", help="Dataset folder, or database URL.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model folder.")] = None,
    at: Annotated[
        str | None, typer.Option(help="Moment that lists are for (default: the present).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that serve (default: NBO_WORKERS).")
    ] = None,
    max_bad: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of bad rows.")
    ] = MAX_BAD,
) -> None:
    """Serve recommendations over HTTP; without a model, a world is generated and one trained first.

    Example: `python -m api --port 8000` then `curl localhost:8000/recommend/c0000042`
    """
    if context.invoked_subcommand is not None:
        return
    settings = read_settings()
    stored = data is not None and is_database(data)
    url = data if data is not None and stored else settings.database_url
    folder = settings.data_folder if data is None or stored else Path(data)
    home_model = settings.model_folder if model is None else model
    moment = parse_moment(at)
    told_at = None if moment is None else moment.isoformat()
    opening = Opening(model=str(home_model), at=told_at, host=host)
    if opening.is_public:
        _refuse_without_keys(host, url)
    if data is not None and not stored and not folder.is_dir():
        raise DataError(f"{folder} is not a folder.", "Name a dataset folder or a database URL.")
    Store.open(url).close()  # one that is away is told before anything is made for it
    if not stored:
        _make_missing(folder, home_model, made_by_us=folder == settings.data_folder)
    hand_over(opening, url)
    settings = read_settings()
    if not stored and folder.is_dir():
        # In a process of its own: what it needs to read a dataset is given back when it ends.
        _child("data", "load", str(folder), "--alone", "--max-bad", str(max_bad))
    house = open_house(opening, settings)
    _announce(house, host, port)
    count = settings.workers if workers is None else workers
    options = uvicorn_options(host, port)
    if count == 1:
        uvicorn.run(application(house, opening, settings), **options)
        return
    house.close()
    with tempfile.TemporaryDirectory(prefix="nbo-figures-") as figures:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = figures
        uvicorn.run("api.worker:worker", factory=True, workers=count, **options)


def uvicorn_options(host: str, port: int) -> dict[str, Any]:
    """Return how every worker listens."""
    return {
        "host": host,
        "port": port,
        "log_level": "warning",
        "access_log": False,
        "timeout_graceful_shutdown": GRACE,
        "server_header": False,
    }


def _announce(house: House, host: str, port: int) -> None:
    bundle, now = house.bundle, house.now()
    if house.service is not None and not house.service.candidates.valid(now).any():
        say(
            f"Warning: no offer is valid at {now.isoformat()}, so lists are empty. "
            f"To look at old data, start with --at {bundle.at}"
        )
    people = counted(len(bundle.customers.ids), "customer")
    say(f"Model {bundle.version}, {people}. Serving on http://{host}:{port}/ (API: /docs)")
    if not house.store.keys():
        say("No API keys are configured: only this machine can connect.")


def _refuse_without_keys(host: str, url: str) -> None:
    # A database that is not there yet is not made for the sake of a refusal.
    fresh = url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file()
    if fresh or not Store.open(url).keys():
        raise SettingsError(
            f"Without API keys the service listens on this machine only, not on {host}.",
            "Make a key first: python -m api keys add NAME --scope write",
        )


def _make_missing(folder: Path, model: Path, *, made_by_us: bool) -> None:
    """Let child processes generate and train: serving itself holds no training library."""
    if (model / CURRENT).is_file():
        return
    say("There is no model yet.")
    if made_by_us and not folder.exists():
        _child("data", "generate", str(folder))
    _child("recommender", "train", "--data", str(folder), "--model", str(model))


def _child(module: str, *arguments: str) -> None:
    say(f"python -m {module} {' '.join(arguments)}")
    done = subprocess.run([sys.executable, "-m", module, *arguments], check=False)
    if done.returncode:
        error = OfferError(f"python -m {module} {arguments[0]} did not succeed.", "See above.")
        error.exit_code = done.returncode
        raise error


if __name__ == "__main__":
    run(app)
