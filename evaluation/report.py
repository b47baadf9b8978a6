"""The report as a value: what was measured, how, and what it does not say. Rendered elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from evaluation.comparison import ReportComparison, compare_reports
from evaluation.depth.ablation import Ablation
from evaluation.depth.depth import Depth
from evaluation.harness import SLICES, Trial
from evaluation.online import NOT_MEASURED
from evaluation.significance import Estimate
from evaluation.splitting import Split
from evaluation.trec import values_table
from recommender.bundle import Bundle
from recommender.release.verdict import Check


@dataclass(frozen=True)
class Report:
    """Everything one run of the evaluation found.

    Attributes
    ----------
    identity : dict
        What was evaluated with what: data fingerprint, model version, seed, versions, seconds.
    protocol : dict
        How: moment, window, candidates, customers, what was set aside.
    trial : Trial or None
        Ranking of every policy; None where there is nothing to rank.
    online : dict
        ``ctr`` and ``conversion``: an `Estimate` or why it is not measured.
    uplift : dict or str
        Incremental conversions where a holdout is named, or why they are not measured.
    segments, anomalies : dict
        Quality and contents.
    summary : DataFrame
        One row per segment.
    bundle : Bundle
        The model that was evaluated.
    ablation : mapping
        ``ablation[slice][part]``: what the hybrid loses without a part.
    depth : Depth or None
        What stands behind the headline; None where there is nothing to rank.
    checks : tuple of Check
        Questions by which the report can be refused, with their answers.
    split : Split or None
        What was split; None where nothing could be.
    since : ReportComparison or None
        The change since another report, where one was named.
    notes : list of str
        What the reader must know.
    """

    identity: dict[str, Any]
    protocol: dict[str, Any]
    trial: Trial | None
    online: dict[str, Estimate | str]
    segments: dict[str, Any]
    anomalies: dict[str, Any]
    summary: pd.DataFrame
    bundle: Bundle
    uplift: dict[str, Any] | str = NOT_MEASURED
    ablation: Ablation = field(default_factory=dict)
    depth: Depth | None = None
    checks: tuple[Check, ...] = ()
    split: Split | None = None
    since: ReportComparison | None = None
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values, ready for JSON; a figure that is not there is null."""
        found = {
            "identity": self.identity,
            "protocol": self.protocol,
            "ranking": {name: {} for name in SLICES}
            if self.trial is None
            else _plain(self.trial.ranking),
            "hybrid_against": {} if self.trial is None else _plain(self.trial.against),
            "ablation": _plain(self.ablation),
            "online": {**self.online, "uplift": self.uplift},
            "segments": {**self.segments, "summary": self.summary.to_dict("records")},
            "anomalies": self.anomalies,
            "depth": _plain(self.depth),
            "checks": _plain(self.checks),
            "notes": self.notes,
        }
        if self.since is not None:
            found["since"] = self.since.as_json()
        plain: dict[str, Any] = _plain(found)
        return plain


def since(report: Report, earlier: Mapping[str, Any], figures: pd.DataFrame | None) -> Report:
    """Add the change since an earlier report, given what `evaluation.earlier` reads of it."""
    ours = None if report.trial is None else values_table(report.trial)
    return replace(report, since=compare_reports(report.as_json(), earlier, ours, figures))


def _plain(value: Any) -> Any:
    """Turn estimates, arrays' scalars and NaN into what JSON knows."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
