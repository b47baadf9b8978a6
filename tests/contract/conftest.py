"""The databases that the contract of the store is held against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.suites.serving.postgres import Postgres, why_not


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if missing := why_not():
        pytest.skip(missing)
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=[pytest.mark.slow, pytest.mark.database]),
    ]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of every kind that the store keeps its promises on."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'deeper' / 'nbo.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()
