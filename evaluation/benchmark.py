"""The benchmark as a value: rows of measured figures, each beside what it should reach."""

from __future__ import annotations

import math
import os
import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table

from data.words import counted

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
    low, high : float
        Ends of its 95 % interval; NaN where there is none.
    p_value : float
        Of a paired difference; NaN of anything else.
    """

    data: str
    figure: str
    value: float
    floor: str = ""
    holds: bool | None = None
    low: float = math.nan
    high: float = math.nan
    p_value: float = math.nan


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
                | {name: float(getattr(row, name)) for name in ("value", "low", "high", "p_value")}
                | {"holds": None if row.holds is None else bool(row.holds)}
                for row in self.rows
            ],
        }


def print_benchmark(benchmark: Benchmark, console: Console) -> None:
    """Print the rows as tables, one for each data they were measured on."""
    for data, rows in groupby(benchmark.rows, key=lambda row: row.data):
        table = Table(title=data, title_justify="left", title_style="bold")
        table.add_column("figure", ratio=1)
        table.add_column("value (95% interval)", justify="right", no_wrap=True)
        table.add_column("p", justify="right", no_wrap=True)
        table.add_column("floor", no_wrap=True)
        for row in rows:
            mark = {None: "", True: " ok", False: " MISSED"}[row.holds]
            value = _told(row.value)
            if math.isfinite(row.low):
                value += f" ({_told(row.low)} to {_told(row.high)})"
            p_value = f"{row.p_value:.3f}" if math.isfinite(row.p_value) else ""
            table.add_row(row.figure, value, p_value, f"{row.floor}{mark}")
        console.print(table)
    reached = [row.holds for row in benchmark.rows if row.holds is not None]
    console.print(
        f"Suite {benchmark.suite}: {sum(reached)} of {counted(len(reached), 'floor')} reached, "
        f"{benchmark.seconds:.0f} s"
    )


def _told(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "-"
