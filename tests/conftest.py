"""Worlds and models that many tests share; small, so that they cost a second."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings

from data.dataset import Dataset
from data.ingest import read_folder, write_folder
from data.synthetic import WorldParameters, generate
from recommender.bundle import Bundle
from recommender.past import moments, random_folds
from recommender.service import Service
from recommender.training import train
from segmentation import choice, stability
from segmentation.detector import TREES

# How long an example takes says more about the machine than about the code.
settings.register_profile("patient", deadline=None, max_examples=25)
settings.load_profile("patient")
# Two thirds of the small world.
EARLIER = pd.Timestamp("2025-09-03", tz="UTC")
# For tests that do not judge how the number of segments is chosen.
FEWER = {"LARGEST_K": 4, "BOOTSTRAPS": 4, "HALVES": 2, "MOST_STARTS": 10}
# The same of how well segments come back.
RARER = {"LARGEST_K": 4, "BOOTSTRAPS": 10, "FOLDS": 3, "REFERENCES": 3}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave what is imported out of every search for garbage: it stays till the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@contextmanager
def sparing() -> Iterator[None]:
    """Spare the trees, ks, starts and parts that a file does not judge: most of a training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TREES, "improved", 30)
        patch.setattr(random_folds, "PARTS", 2)
        patch.setattr(moments, "MOST_MOMENTS", 1)
        for name, fewer in FEWER.items():
            patch.setattr(choice, name, fewer)
        for name, rarer in RARER.items():
            patch.setattr(stability, name, rarer)
        yield


@pytest.fixture(scope="module")
def spared() -> Iterator[None]:
    """All trainings of a file are spared."""
    with sparing():
        yield


@pytest.fixture(scope="session")
def small_world() -> dict[str, pd.DataFrame]:
    """Every table of a small world, with its truth."""
    return generate(WorldParameters(customers=150, offers=40, days=90, seed=3))


@pytest.fixture(scope="session")
def small_folder(
    small_world: dict[str, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The small world as a dataset folder; tests do not write into it."""
    folder = tmp_path_factory.mktemp("small") / "world"
    write_folder(small_world, folder)
    return folder


@pytest.fixture(scope="session")
def small_dataset(small_folder: Path) -> Dataset:
    """The small world as read."""
    return read_folder(small_folder).dataset


@pytest.fixture(scope="session")
def small_bundle(small_dataset: Dataset) -> Bundle:
    """A model of the small world: a spared one, whichever file asks for it first."""
    with sparing():
        return train(small_dataset)


@pytest.fixture(scope="session")
def earlier_bundle(small_dataset: Dataset) -> Bundle:
    """A spared model that knows the small world until `EARLIER`."""
    with sparing():
        return train(small_dataset, at=EARLIER)


@pytest.fixture(scope="session")
def small_service(small_bundle: Bundle) -> Service:
    """The verb of serving over that model."""
    return Service(small_bundle)
