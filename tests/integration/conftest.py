"""A service over a small world, for the tests that only speak HTTP to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.house import House, serve
from data.dataset import Dataset
from data.store import Store
from recommender.bundle import Bundle, load, save
from tests.contract.conftest import postgres

__all__ = ["postgres"]


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
