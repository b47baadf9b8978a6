"""Suite `service`: the service under load and under fire, changing models, forgetting, in trouble.

Servers are processes of their own on the loopback address; nothing here imports them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from evaluation.benchmark import Row
from evaluation.suites.serving import crash, erasure, fresh, fuzz, load, swap, trouble
from evaluation.suites.serving.home import make_home

PARTS = (load, fresh, crash, swap, erasure, fuzz, trouble)
STEPS = 1 + sum(part.STEPS for part in PARTS)


def run(on_step: Callable[[str], None], data: Path | None = None) -> list[Row]:  # noqa: ARG001
    """Run the parts, each on servers of its own over one made world."""
    with tempfile.TemporaryDirectory(prefix="nbo-service-") as folder:
        on_step("a world and two models to serve")
        home = make_home(Path(folder))
        return [row for part in PARTS for row in part.rows(home, on_step)]
