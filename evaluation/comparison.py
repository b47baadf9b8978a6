"""The change since another report: paired over customers where both name theirs, or unpaired."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.special import ndtr

from data.console import WIDTH
from data.words import counted
from evaluation.earlier import CustomerFigures
from evaluation.harness import HEADLINE
from evaluation.significance import Z
from recommender.learning.yardstick import compare

# What must be the same, or the figures answer different questions: path in the report, and words.
CONDITIONS = {
    ("identity", "fingerprint"): "data",
    ("protocol", "split"): "way of splitting",
    ("protocol", "at"): "moment",
    ("protocol", "until"): "end of the window",
    ("protocol", "relevant"): "what is relevant",
    ("protocol", "candidates"): "number of candidates",
    ("protocol", "customers"): "number of customers",
    ("protocol", "pairs"): "number of tested pairs",
    ("protocol", "hashes", "candidates"): "candidates",
    ("protocol", "hashes", "truth"): "tested pairs",
}
PAIRED, UNPAIRED, NOT_COMPARABLE = "paired", "unpaired", "not comparable"


@dataclass(frozen=True)
class Change:
    """How one figure changed.

    Attributes
    ----------
    slice, policy, metric : str
        Which figure.
    ours, theirs : float
        The means now and in the other report.
    value, low, high : float
        ours - theirs with its 95 % interval; no interval (NaN) where it is not comparable.
    p_value : float
        Of no change, not corrected for the number of figures; NaN where not comparable.
    n : int
        Customers.
    how : str
        ``paired``, ``unpaired`` or ``not comparable``.
    """

    slice: str
    policy: str
    metric: str
    ours: float
    theirs: float
    value: float
    low: float
    high: float
    p_value: float
    n: int
    how: str


@dataclass(frozen=True)
class ReportComparison:
    """Two reports beside each other.

    Attributes
    ----------
    differs : tuple of str
        What makes them not comparable; empty where they are.
    told : str
        In words how the changes were found.
    changes : tuple of Change
    """

    differs: tuple[str, ...]
    told: str
    changes: tuple[Change, ...]

    @property
    def comparable(self) -> bool:
        """Whether the figures answer the same question."""
        return not self.differs

    def as_json(self) -> dict[str, Any]:
        """Return it for a machine to read; what is not there is null."""
        changes = [
            {
                key: None if isinstance(value, float) and math.isnan(value) else value
                for key, value in asdict(change).items()
            }
            for change in self.changes
        ]
        return {
            "comparable": self.comparable,
            "differs": list(self.differs),
            "told": self.told,
            "changes": changes,
        }


def compare_reports(
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    ours_values: pd.DataFrame | None = None,
    theirs_values: pd.DataFrame | None = None,
    *,
    metrics: Collection[str] = (HEADLINE,),
    seed: int = 0,
) -> ReportComparison:
    """Compare a report with another one, figure by figure.

    Paired over customers (randomisation test and bootstrap: `recommender.learning.yardstick`) where
    both sides have their customers' figures; else from the two intervals as if the customers were
    others, which the same customers' likeness makes cautious. Where data, candidates or window
    differ the differences are shown as not comparable, without a test.

    Parameters
    ----------
    ours, theirs : mapping
        What `report.json` holds: of now, and of before.
    ours_values, theirs_values : DataFrame, optional
        What `evaluation.trec.values_table` gives of the same runs.
    metrics : collection of str
        Keys such as ``ndcg@10``.
    """
    differs = tuple(_differences(ours, theirs))
    one, other = CustomerFigures.of(ours, ours_values), CustomerFigures.of(theirs, theirs_values)
    missing = one.why or other.why
    changes = []
    for name, policies in ours["ranking"].items():
        for policy, found in policies.items():
            for metric in (metric for metric in metrics if metric in found):
                before = theirs["ranking"].get(name, {}).get(policy, {}).get(metric)
                if before is None or not found[metric]["n"] or not before["n"]:
                    continue
                key = name, policy, metric
                pair = one.vector(*key), other.vector(*key)
                if differs:
                    changes.append(_shown(key, found[metric], before))
                elif pair[0] is None or pair[1] is None or not pair[0].index.equals(pair[1].index):
                    changes.append(_unpaired(key, found[metric], before))
                else:
                    changes.append(_paired(key, pair[0].to_numpy(), pair[1].to_numpy(), seed))
    pairs = sum(change.how == PAIRED for change in changes)
    if differs:
        told = f"Not comparable: {'; '.join(differs)}."
    elif pairs:
        left = len(changes) - pairs
        told = f"Paired over the same {counted(one.n, 'customer')}."
        rest = counted(left, "figure is", "figures are")
        told += f" {rest} of other customers each and unpaired." if left else ""
    else:
        told = f"Unpaired, from the intervals: {missing or 'the customers are not the same'}."
    told += "" if changes else " No figure is in both."
    return ReportComparison(differs, told, tuple(changes))


def print_comparison(found: ReportComparison, console: Console) -> None:
    """Print the changes as a table of at most 100 columns."""
    console.print(f"Since the other report. {found.told}")
    if not found.changes:
        return
    metrics = {one.metric for one in found.changes}
    table = Table(title=f"Change of {', '.join(sorted(metrics))}", title_justify="left")
    # One metric is named above the table: there is room for the names of slices.
    names = ("customers", "policy", "metric") if len(metrics) > 1 else ("customers", "policy")
    for name in names:
        table.add_column(name, overflow="fold")
    for name in ("before", "now", "change, 95% interval", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found.changes:
        interval = "" if math.isnan(one.low) else f" ({one.low:+.3f}, {one.high:+.3f})"
        p_value = "-" if math.isnan(one.p_value) else f"{one.p_value:.3f}"
        figures = f"{one.theirs:.3f}", f"{one.ours:.3f}", f"{one.value:+.3f}{interval}", p_value
        table.add_row(*(one.slice, one.policy, one.metric)[: len(names)], *figures)
    console.print(table, width=min(WIDTH, console.width))


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Say which conditions differ; hashes that an older report does not have are no difference."""
    found = []
    for path, words in CONDITIONS.items():
        one, other = _at(ours, path), _at(theirs, path)
        if one == other or ("hashes" in path and None in (one, other)):
            continue
        before, now = ("not told" if value is None else value for value in (other, one))
        found.append(f"{words} ({before} before, {now} now)")
    return found


def _at(report: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = report
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _paired(key: tuple[str, str, str], ours: np.ndarray, theirs: np.ndarray, seed: int) -> Change:
    gap = compare(ours, theirs, seed)
    return Change(
        *key, float(ours.mean()), float(theirs.mean()), gap.value, gap.low, gap.high, gap.p_value,
        gap.n, PAIRED,
    )  # fmt: skip


def _unpaired(
    key: tuple[str, str, str], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> Change:
    """Treat the two means as independent, each with the error that its interval says."""
    errors = [(one["high"] - one["low"]) / (2 * Z) for one in (ours, theirs)]
    error, value = math.hypot(*errors), ours["value"] - theirs["value"]
    p_value = float(2 * ndtr(-abs(value) / error)) if error else float(value == 0)
    return Change(
        *key, ours["value"], theirs["value"], value, value - Z * error, value + Z * error, p_value,
        int(min(ours["n"], theirs["n"])), UNPAIRED,
    )  # fmt: skip


def _shown(key: tuple[str, str, str], ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Change:
    nan = math.nan
    value = ours["value"] - theirs["value"]
    return Change(
        *key, ours["value"], theirs["value"], value, nan, nan, nan, int(ours["n"]), NOT_COMPARABLE
    )
