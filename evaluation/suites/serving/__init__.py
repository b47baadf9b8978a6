"""Suite `service`: the service under load, under fire, through a change of models, and forgetting.

Servers are processes of their own on the loopback address; nothing here imports them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from evaluation.benchmark import Row
from evaluation.suites.serving import crash, erasure, fresh, load, swap, trouble
from evaluation.suites.serving.home import make_home

STEPS = 1 + load.STEPS + fresh.STEPS + crash.STEPS + swap.STEPS + erasure.STEPS + trouble.STEPS


def run(on_step: Callable[[str], None], data: Path | None = None) -> list[Row]:  # noqa: ARG001
    """Run the parts, each on servers of its own over one made world."""
    with tempfile.TemporaryDirectory(prefix="nbo-service-") as folder:
        on_step("a world and two models to serve")
        home = make_home(Path(folder))
        return [
            *load.rows(home, on_step),
            *fresh.rows(home, on_step),
            *crash.rows(home, on_step),
            *swap.rows(home, on_step),
            *erasure.rows(home, on_step),
            *trouble.rows(home, on_step),
        ]
