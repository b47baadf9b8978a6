"""The benchmark as a value: rows of measured figures, each beside what it should reach."""

from __future__ import annotations

import math
import os
import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Table

LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "implicit")


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes
    ----------
    data, figure : str
        On what it was measured, and what.
    value : float
    floor : str
        What it should reach, in words; empty where it only informs.
    holds : bool or None
        Whether it does; None where there is no floor.
    """

    data: str
    figure: str
    value: float
    floor: str = ""
    holds: bool | None = None


def at_least(data: str, figure: str, value: float, floor: float) -> Row:
    """Return a row whose figure should reach a floor."""
    return Row(data, figure, float(value), f">= {floor:.4g}", bool(value >= floor))


def not_measured(data: str, why: str) -> Row:
    """Return a row that says why there is no figure."""
    return Row(data, f"not measured: {why}", math.nan)


@dataclass(frozen=True)
class Benchmark:
    """What a suite measured, on which machine, with which libraries."""

    suite: str
    rows: tuple[Row, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the benchmark as a JSON value."""
        return {
            "suite": self.suite,
            "seconds": round(self.seconds, 1),
            "machine": {
                "system": platform.system(),
                "processor": platform.machine(),
                "cores": os.cpu_count(),
                "python": sys.version.split()[0],
            },
            "versions": {name: version(name) for name in LIBRARIES},
            "rows": [
                asdict(row)
                | {
                    "value": float(row.value) if math.isfinite(row.value) else None,
                    "holds": None if row.holds is None else bool(row.holds),
                }
                for row in self.rows
            ],
        }


def print_benchmark(benchmark: Benchmark, console: Console) -> None:
    """Print the rows as a table."""
    table = Table(title=f"Suite {benchmark.suite}", title_justify="left")
    table.add_column("data")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("floor")
    for row in benchmark.rows:
        mark = {None: "", True: " ok", False: " MISSED"}[row.holds]
        value = f"{row.value:.4g}" if math.isfinite(row.value) else "-"
        table.add_row(row.data, row.figure, value, f"{row.floor}{mark}")
    console.print(table)
