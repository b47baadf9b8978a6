"""Everything there is to say about the segments of a dataset, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from data.dataset import Dataset
from segmentation.choice import bootstrap_agreement
from segmentation.explain import Rules, find_rules
from segmentation.features import FEATURES, CustomerFeatures, customer_features
from segmentation.habits import habit_features
from segmentation.identity import Drift, measure_drift
from segmentation.kmeans import Segmentation, segment_customers
from segmentation.moves import smallest_moves
from segmentation.outcome import later_redeemers, lift_table
from segmentation.profiles import summarise
from segmentation.stability import (
    NATURAL,
    NONE,
    REPRODUCIBLE,
    Stability,
    Structure,
    find_structure,
    measure_stability,
    verdict,
)

STEPS = 6
STABILITY_ROWS = 5000  # customers on whom stability is measured, if there are more
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


def build_segment_report(
    dataset: Dataset,
    at: pd.Timestamp,
    *,
    features: Mapping[str, float] | None = None,
    k: int | None = None,
    density: bool | Literal["auto"] = False,
    since: pd.Timestamp | None = None,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> SegmentReport:
    """Segment the customers of a dataset at a moment and say how sure, why and what for.

    Parameters
    ----------
    since : Timestamp, optional
        An earlier moment to compare with: who moved, which feature drifted.
    on_step : callable
        Told each of the `STEPS` steps.
    """
    on_step("features")
    six = customer_features(dataset, at)
    table = feature_table(dataset, at, six, features)
    on_step("segments")
    result = segment_customers(table, features=features, k=k, density=density, seed=seed)
    notes = [*six.notes, *result.notes]
    on_step("structure")
    with threadpool_limits(1):
        structure = find_structure(result.standardised, seed)
        found = verdict(structure, _agreement(result, seed), result.model.n_segments)
        if found == NONE and k is None and result.model.n_segments > 1:
            notes.append(f"{SAID[NONE]} All customers are taken as one.")
            result = segment_customers(table, features=features, k=1, seed=seed)
        on_step("stability")
        stability = _stability(result, seed)
    on_step("rules")
    used = table.loc[result.labels.index, list(result.model.features)]
    several = result.model.n_segments > 1
    labels = result.labels.to_numpy()
    rules = find_rules(used, labels, result.model) if several else None
    moves = smallest_moves(used, result.model)
    on_step("time")
    drift = None
    if since is not None:
        before = feature_table(dataset, since, customer_features(dataset, since), features)
        drift = measure_drift(result.model, before, table)
    acted = later_redeemers(dataset, at)
    return SegmentReport(
        result=result,
        table=table,
        summary=summarise(table, result.labels, result.model.names),
        effects=_effects(table.loc[result.labels.index], labels, result.model.n_segments),
        structure=structure,
        stability=stability,
        verdict=found,
        rules=rules,
        moves=moves,
        drift=drift,
        lift=None if acted is None else lift_table(result.labels, result.model.names, acted),
        notes=tuple(notes),
    )


def feature_table(
    dataset: Dataset,
    at: pd.Timestamp,
    six: CustomerFeatures,
    features: Mapping[str, float] | None,
) -> pd.DataFrame:
    """Return the six features, and beside them the habits that are asked for."""
    if features is None or set(features) <= set(FEATURES):
        return six.values
    habits = habit_features(dataset, at)
    return six.values.join(habits[[name for name in habits.columns if name in features]])


def _agreement(result: Segmentation, seed: int) -> float:
    """Return how well bootstrap fits agree with the segments: known if k was chosen by that too."""
    k = result.model.n_segments
    if k in result.choice.index:
        return float(result.choice["bootstrap_ari"].loc[k])
    return bootstrap_agreement(result.standardised, k, seed)


def _stability(result: Segmentation, seed: int) -> Stability:
    z, labels, weight = result.standardised, result.labels.to_numpy(), result.row_weight
    if len(z) > STABILITY_ROWS:
        rows = np.random.default_rng(seed).choice(len(z), STABILITY_ROWS, replace=False)
        z, labels, weight = z[rows], labels[rows], None if weight is None else weight[rows]
    return measure_stability(z, labels, result.model.n_segments, seed, weight)


def _effects(table: pd.DataFrame, labels: np.ndarray, k: int) -> pd.DataFrame:
    known = table.dropna(axis=1, how="all")
    spread = known.std(ddof=0).replace(0.0, 1.0)
    return (known.groupby(labels).mean().reindex(range(k)) - known.mean()) / spread


def _number(value: float) -> float | None:
    return None if not np.isfinite(value) else round(float(value), 6)
