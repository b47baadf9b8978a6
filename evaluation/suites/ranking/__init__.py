"""Suite `ranking`: lists for real and made customers, beside plain methods and their floors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evaluation.benchmark import Row
from evaluation.suites.ranking import campaigns, films, purchases, value, worlds

STEPS = campaigns.STEPS + purchases.STEPS + films.STEPS + worlds.STEPS + value.STEPS


def run(on_step: Callable[[str], None], data: Path | None = None) -> list[Row]:
    """Measure everything; MovieLens is read from the folder `data`, or from its ml-100k."""
    return [
        *campaigns.rows(on_step),
        *purchases.rows(on_step),
        *films.rows(on_step, data),
        *worlds.rows(on_step),
        *value.rows(on_step),
    ]
