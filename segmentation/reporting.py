"""A dataset's segments from features to what they did afterwards: how the report comes about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from data.dataset import Dataset
from segmentation.choice import bootstrap_agreement
from segmentation.explain import find_rules
from segmentation.features import FEATURES, CustomerFeatures, customer_features
from segmentation.habits import habit_features
from segmentation.identity import measure_drift
from segmentation.kmeans import Segmentation, segment_customers
from segmentation.moves import smallest_moves
from segmentation.outcome import later_redeemers, lift_table
from segmentation.profiles import summarise
from segmentation.report import SAID, SegmentReport
from segmentation.stability import (
    NONE,
    Stability,
    find_structure,
    measure_stability,
    verdict,
)

STEPS = 6
STABILITY_ROWS = 5000  # customers on whom stability is measured, if there are more


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
