"""Everything there is to say about the segments of a dataset, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from segmentation.explain import Rules
from segmentation.identity import Drift
from segmentation.kmeans import Segmentation
from segmentation.stability import (
    NATURAL,
    NONE,
    REPRODUCIBLE,
    Stability,
    Structure,
)

SAID = {
    NATURAL: "The segments are natural: there is more structure than structureless data has.",
    REPRODUCIBLE: "The segments are reproducible: customers are a continuum, and cut the same way "
    "again in another sample.",
    "constructive": "The segments are constructive: customers are a continuum, and another sample "
    "would be cut somewhat differently. Use them if they help.",
    NONE: "There are no segments here: another sample would give other ones.",
}


@dataclass(frozen=True)
class SegmentReport:
    """What is known of a segmentation.

    Attributes
    ----------
    result : Segmentation
    table : DataFrame
        Features by customer id, also those that the segments do not use.
    summary : DataFrame
        Size, share and means per segment.
    effects : DataFrame, shape (k, features)
        Segment mean - everybody's mean, in everybody's standard deviations.
    structure : Structure
    stability : Stability
    verdict : str
        natural, reproducible, constructive or none.
    rules : Rules or None
        None for a single segment.
    moves : DataFrame
        Smallest change per customer.
    drift : Drift or None
        Since the earlier moment that was asked for.
    lift : DataFrame or None
        What the segments' customers did afterwards, where that is recorded.
    notes : tuple of str
    """

    result: Segmentation
    table: pd.DataFrame
    summary: pd.DataFrame
    effects: pd.DataFrame
    structure: Structure
    stability: Stability
    verdict: str
    rules: Rules | None
    moves: pd.DataFrame
    drift: Drift | None
    lift: pd.DataFrame | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the figures as a JSON value."""
        model, rules, drift = self.result.model, self.rules, self.drift
        structure = self.structure
        return {
            "customers": len(self.result.labels),
            "k": model.n_segments,
            "verdict": self.verdict,
            "silhouette": _number(self.result.silhouette),
            "features": dict(zip(model.features, model.weight.tolist(), strict=True)),
            "structure": {
                "silhouette": _number(structure.silhouette),
                "found": structure.found,
                "as_structured": {
                    name: {"sets": above, "of": drawn}
                    for name, (above, drawn) in structure.exceeded.items()
                },
            },
            "holdout": {
                "ari": _number(self.stability.holdout_ari),
                "silhouette": _number(self.stability.holdout_silhouette),
            },
            "segments": [
                {
                    "segment": row,
                    "name": model.names[row],
                    "description": model.descriptions[row],
                    "size": int(self.summary["size"][row]),
                    "share": round(float(model.shares[row]), 6),
                    "jaccard": _number(self.stability.jaccard[row]),
                    "stability": self.stability.verdicts[row],
                    "effects": {
                        name: _number(value) for name, value in self.effects.iloc[row].items()
                    },
                    "rule": rules.texts[row] if rules else "everybody",
                }
                for row in range(model.n_segments)
            ],
            "rules": None
            if rules is None
            else {
                "leaves": rules.leaves,
                "accuracy": _number(rules.accuracy),
                "cost": _number(rules.cost),
            },
            "choice": self.result.choice.reset_index().round(6).to_dict("records"),
            "drift": None
            if drift is None
            else {
                "verdict": drift.verdict,
                "reason": drift.reason,
                "stay_share": _number(drift.stay_share),
                "psi": {name: _number(value) for name, value in drift.psi.items()},
                "migration": drift.migration.to_numpy().tolist(),
            },
            "lift": None if self.lift is None else self.lift.round(6).to_dict("records"),
            "notes": list(self.notes),
        }


def _number(value: float) -> float | None:
    return None if not np.isfinite(value) else round(float(value), 6)
