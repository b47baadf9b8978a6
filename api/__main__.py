"""`python -m api`: the service; makes what it needs if there is nothing yet."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from api.app import create_app
from api.house import House
from data.console import command_group, parse_moment, run, say, steps
from data.errors import DataError, OfferError, SettingsError
from data.ingest import MAX_BAD, read_folder
from data.settings import read_settings
from data.store import Store
from recommender.bundle import Bundle, load
from recommender.service import Service
from recommender.versions import CURRENT
from recommender.withholding import parse_rules

app = command_group("Serve recommendations over HTTP.")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8000,
    data: Annotated[
        str | None, typer.Option(metavar="DIR|URL", help="Dataset folder, or database URL.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model folder.")] = None,
    at: Annotated[
        str | None, typer.Option(help="Moment that lists are for (default: the present).")
    ] = None,
    max_bad: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of bad rows.")
    ] = MAX_BAD,
) -> None:
    """Serve; without a model, a default world is generated and a model trained first.

    Example: `python -m api --port 8000` then `curl localhost:8000/recommend/c0000042`
    """
    _refuse_public(host)
    settings = read_settings()
    url = data if data is not None and "://" in data else settings.database_url
    folder = Path(data) if data is not None and "://" not in data else settings.data_folder
    if data is not None and url != data and not folder.is_dir():
        raise DataError(f"{folder} is not a folder.", "Name a dataset folder or a database URL.")
    home_model = settings.model_folder if model is None else model
    _make_missing(folder, home_model, made_by_us=folder == settings.data_folder)
    bundle = load(home_model)
    store = Store.open(url)
    if url != data and folder.is_dir():
        _load_once(store, folder, max_bad)
    moment = parse_moment(at)
    home = House(bundle, _service(bundle, settings.withhold), store, moment)
    if home.service is not None and not home.service.count_candidates(home.now()):
        say(
            f"Warning: no offer is valid at {home.now().isoformat()}, so lists are empty. "
            f"To look at old data, start with --at {bundle.at}"
        )
    people = f"{len(bundle.customers.ids):,} customers"
    say(f"Model {bundle.version}, {people}. Serving on http://{host}:{port}/docs")
    say("No API keys are configured: only this machine can connect.")
    uvicorn.run(create_app(home), host=host, port=port, log_level="warning")


def _refuse_public(host: str) -> None:
    try:
        private = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        private = False
    if not private:
        raise SettingsError(
            f"Without API keys the service listens on this machine only, not on {host}.",
            "Leave --host at 127.0.0.1 and put a proxy that checks keys before it.",
        )


def _load_once(store: Store, folder: Path, max_bad: float) -> None:
    """Bring a dataset's facts into an empty database; never mix two datasets unasked."""
    with steps(5) as step:
        step("reading")
        intake = read_folder(folder, max_bad=max_bad)
        dataset = intake.dataset
        for remark in intake.remarks():
            say(f"Note: {remark}")
        if store.has_loaded(dataset):
            return
        if not store.is_empty():
            raise SettingsError(
                f"The database {store.name} holds other facts than {folder}.",
                "Give this dataset its own database with NBO_DATABASE or NBO_HOME, or load what is "
                f"new in it with `python -m data load {folder}`.",
            )
        store.load(dataset, on_step=step)


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


def _service(bundle: Bundle, withhold: str) -> Service | None:
    return None if bundle.recommender is None else Service(bundle, parse_rules(withhold))


if __name__ == "__main__":
    run(app)
