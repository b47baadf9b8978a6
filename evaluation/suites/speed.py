"""Suite `speed`: how fast we are, always beside something else that is run here and now."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pyarrow.parquet as pq

from data.synthetic import PRESETS, write_world
from evaluation.benchmark import Row
from evaluation.suites import judging, throughput

STEPS = 2 + throughput.STEPS + judging.STEPS
PRESET = "medium"


def run(on_step: Callable[[str], None], data: Path | None = None) -> list[Row]:  # noqa: ARG001
    """Make the medium world; write the same tables once more from memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "world"
        on_step(f"making the {PRESET} world")
        begun = perf_counter()
        rows = sum(write_world(PRESETS[PRESET], folder).values())
        making = perf_counter() - begun
        on_step("writing the same from memory")
        writing = 0.0
        for path in sorted(folder.rglob("*.parquet")):
            table = pq.read_table(path)
            begun = perf_counter()
            pq.write_table(table, Path(name) / "again.parquet", store_schema=False)
            writing += perf_counter() - begun
    what = f"{PRESET} world, {rows:,} rows"
    return [
        Row(what, "rows a second, made and written", rows / making),
        Row(what, "rows a second, written from memory", rows / writing),
        Row(what, "making and writing / writing, times", making / writing),
        *throughput.rows(on_step),
        *judging.rows(on_step),
    ]
