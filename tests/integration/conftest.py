"""A service over a small world, for the tests that only speak HTTP to it; commands run here."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import typer
from fastapi.testclient import TestClient

from api.app import create_app
from api.house import House
from api.served import serve
from data.console import run
from data.dataset import Dataset
from data.store import Store
from recommender.bundle import Bundle
from recommender.storage.model_folder import load, save
from tests.contract.conftest import postgres

__all__ = ["postgres"]


def run_here(
    app: typer.Typer, *words: object, cwd: Path, home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command within this process, which saves its start of seconds; else as a shell would.

    That `python -m` leads to the same is for one test of each folder to show.
    """
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        for name in [name for name in os.environ if name.startswith("NBO_")]:
            patch.delenv(name)
        if home is not None:
            patch.setenv("NBO_HOME", str(home))
        patch.setattr(sys, "argv", ["command", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            run(app)
    code = int(caught.value.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def small_record(small_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the small world on record, to be copied."""
    path = tmp_path_factory.mktemp("record") / "facts.db"
    store = Store.open(f"sqlite:///{path}")
    store.load(small_dataset)
    store.close()
    return path


@pytest.fixture
def small_store(small_record: Path, tmp_path: Path) -> Iterator[Store]:
    """The small world on record, for one test to write into."""
    store = Store.open(f"sqlite:///{shutil.copy(small_record, tmp_path / 'facts.db')}")
    yield store
    store.close()


@pytest.fixture(scope="module")
def world_home(
    small_bundle: Bundle, small_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A house with the small world on record and its model in a folder of its own.

    The tests of a file share it: each writes about customers and offers of its own.
    """
    place = tmp_path_factory.mktemp("house")
    save(small_bundle, place / "model")
    store = Store.open(f"sqlite:///{place / 'facts.db'}")
    store.load(small_dataset)
    bundle = load(place / "model")
    made = House(bundle, serve(bundle, None), store, bundle.moment, folder=place / "model")
    yield made
    made.close()


@pytest.fixture(scope="module")
def world_client(world_home: House) -> Iterator[TestClient]:
    """A client of that house."""
    with TestClient(create_app(world_home), raise_server_exceptions=False) as made:
        yield made
