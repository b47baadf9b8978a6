"""Another report as read from disk, with the figures of its customers where they lie beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from data.errors import DataError
from data.schema import CUSTOMER_ID
from evaluation.harness import HEADLINE
from evaluation.trec import POLICY, SLICE, VALUES

REPORT = "report.json"
SAME = 1e-9  # a report and the customers beside it must agree so closely


def read_report(path: Path) -> tuple[dict[str, Any], pd.DataFrame | None]:
    """Read a report.json, or the one in a folder, and the customers' figures beside it, if any.

    Raises
    ------
    DataError
        There is no report, or it cannot be understood.
    """
    file = path / REPORT if path.is_dir() else path
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(report, dict) or not _is_ranking(report["ranking"]):
            raise ValueError(file.name)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{file} is no report of an evaluation.",
            "Name a report.json, or its folder, that python -m evaluation report wrote.",
        ) from error
    beside = file.with_name(VALUES)
    try:
        values = pd.read_parquet(beside) if beside.is_file() else None
    except (OSError, ValueError) as error:
        raise DataError(f"{beside} is damaged.", "Remove it to compare without pairs.") from error
    return report, values


def _is_ranking(found: Any) -> bool:
    """Tell whether it is ranking[slice][policy][metric], as far as a comparison reads it."""
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        return False
    policies = [metrics for one in found.values() for metrics in one.values()]
    return all(
        isinstance(metrics, dict) and all(_is_estimate(one) for one in metrics.values())
        for metrics in policies
    )


def _is_estimate(found: Any) -> bool:
    """Tell whether it is a mean with its interval; of nobody the numbers are null."""
    if not isinstance(found, dict) or not {"value", "low", "high", "n"} <= set(found):
        return False
    numbers = [found["n"]] + [found[name] for name in ("value", "low", "high") if found["n"]]
    return all(
        isinstance(one, int | float) and not isinstance(one, bool) and isfinite(one)
        for one in numbers
    )


@dataclass(frozen=True)
class CustomerFigures:
    """The customers' figures of one report, or why they cannot be used.

    Attributes
    ----------
    table : DataFrame or None
        Indexed by policy and customer_id: metrics and slices (see `evaluation.trec.values_table`).
    why : str
        Why there is none.
    """

    table: pd.DataFrame | None
    why: str = ""

    @classmethod
    def of(cls, report: Mapping[str, Any], values: pd.DataFrame | None) -> CustomerFigures:
        """Take the figures of a report; those of another run are not taken."""
        if values is None:
            return cls(None, f"one report has no {VALUES} beside it")
        if lacking := {POLICY, CUSTOMER_ID} - set(values.columns):
            return cls(None, f"a {VALUES} has no column {min(lacking)}")
        for name in values.columns.drop([POLICY, CUSTOMER_ID]):
            if not is_numeric_dtype(values[name]):
                return cls(None, f"a {VALUES} holds no numbers in its column {name}")
        table = values.set_index([POLICY, CUSTOMER_ID]).sort_index()
        if table.index.has_duplicates:
            return cls(None, f"a {VALUES} names a customer twice")
        found = cls(table)
        for name, policies in report["ranking"].items():
            for policy, metrics in policies.items():
                told, vector = metrics.get(HEADLINE), found.vector(name, policy, HEADLINE)
                if vector is None or told is None or not told["n"]:
                    continue
                if len(vector) != told["n"] or abs(vector.mean() - told["value"]) > SAME:
                    return cls(None, f"a {VALUES} is of another run than the report beside it")
        return found

    @property
    def n(self) -> int:
        """How many customers."""
        return 0 if self.table is None else self.table.index.get_level_values(1).nunique()

    def vector(self, name: str, policy: str, metric: str) -> pd.Series[float] | None:
        """Return a metric of the customers of a slice, by customer; None where it is not there."""
        table, flag = self.table, f"{SLICE}{name}"
        if table is None or policy not in table.index or not {flag, metric} <= set(table.columns):
            return None
        rows = table.loc[policy]
        vector: pd.Series[float] = rows.loc[rows[flag].to_numpy(dtype=bool), metric]
        return vector.astype("float64")
