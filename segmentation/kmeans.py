"""K-Means over chosen, weighted features, with a k that is justified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from data.errors import DataError, UsageError
from data.schema import AGE, ANNUAL_INCOME, SPENDING_SCORE
from segmentation.choice import choose_k, count_distinct, fit_kmeans, silhouette
from segmentation.features import AVERAGE_VALUE, FEATURES, FREQUENCY, LOGGED, TRANSACTIONS
from segmentation.profiles import describe
from segmentation.segments import SegmentModel

# Income and score are what the segments are meant to tell apart; age and the three views of
# transactions, which repeat each other, refine them. An explicit choice, to be changed by name.
WEIGHTS: Mapping[str, float] = {
    AGE: 0.3,
    ANNUAL_INCOME: 1.0,
    SPENDING_SCORE: 1.0,
    TRANSACTIONS: 0.1,
    AVERAGE_VALUE: 0.2,
    FREQUENCY: 0.2,
}
MOST_MISSING = 0.5


@dataclass(frozen=True)
class Segmentation:
    """A fitted segmentation of the customers of a table.

    Attributes
    ----------
    model : SegmentModel
        What serving needs.
    labels : Series of int
        Segment by customer id; customers of whom nothing is known are not in it.
    choice : DataFrame
        One row per k tried: silhouette, davies_bouldin, calinski_harabasz, bootstrap_ari, rank.
    silhouette : float
        Of the chosen segmentation; NaN for a single segment.
    notes : tuple of str
        What was left out or imputed, for the reader.
    """

    model: SegmentModel
    labels: pd.Series[int]
    choice: pd.DataFrame
    silhouette: float
    notes: tuple[str, ...]


def segment_customers(
    values: pd.DataFrame,
    *,
    features: Mapping[str, float] | None = None,
    k: int | None = None,
    seed: int = 0,
) -> Segmentation:
    """Fit segments to a table of features.

    Parameters
    ----------
    values : DataFrame
        Features by customer id, from `customer_features`.
    features : mapping of str to float, optional
        Features to use with their weights; by default those of `WEIGHTS` that are known for at
        least half of the customers.
    k : int, optional
        Number of segments; chosen by consensus if not given.
    seed : int
        Seed of starts, bootstraps and samples.

    Raises
    ------
    DataError
        No feature can be used, or there are fewer customers than segments.
    UsageError
        A feature is not known.
    """
    weights, notes = _usable(values, features)
    names = list(weights)
    table = values[names]
    table = table[table.notna().any(axis=1)]
    if len(table) < len(values):
        notes.append(f"{len(values) - len(table)} customers have none of the features.")
    logged = np.array([name in LOGGED for name in names])
    raw = table.to_numpy(dtype=np.float64)
    moved = np.where(logged, np.log1p(np.maximum(raw, 0.0)), raw)
    missing = np.isnan(moved)
    moved = np.where(missing, np.nanmedian(moved, axis=0), moved)
    if missing.any():
        counts = zip(names, missing.sum(axis=0), strict=True)
        told = ", ".join(f"{name} {count}" for name, count in counts if count)
        notes.append(f"Values missing in the fit of segments stand at their median: {told}.")
    mean, scale = moved.mean(axis=0), moved.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    weight = np.array([weights[name] for name in names])
    z = np.sqrt(weight) * (moved - mean) / scale
    distinct = count_distinct(z)
    if k is not None and distinct < k:
        raise DataError(
            f"{len(table)} customers with {distinct} different profiles cannot form {k} segments.",
            "Ask for fewer segments.",
        )
    # The rows are few and the fits many: threads would only wait for each other.
    with threadpool_limits(1):
        choice = choose_k(z, seed) if k is None else pd.DataFrame()
        if k is None:
            k = int(choice.index.to_numpy()[choice["rank"].argmin()]) if len(choice) else 1
        _, centroids = fit_kmeans(z, k, seed)
    if k == 1:
        notes.append(f"{len(table)} customers with {distinct} different profiles are one segment.")
    model = SegmentModel(
        features=tuple(names),
        logged=logged,
        mean=mean,
        scale=scale,
        weight=weight,
        centroids=centroids,
        names=("",) * k,
        descriptions=("",) * k,
        shares=np.zeros(k),
    )
    # Serving leaves out what is missing where the fit had to impute: its labels are the labels.
    labels = model.assign(raw).segment
    segment_names, descriptions = describe(table, labels, k)
    shares = np.bincount(labels, minlength=k) / len(labels)
    return Segmentation(
        model=replace(model, names=segment_names, descriptions=descriptions, shares=shares),
        labels=pd.Series(labels, index=table.index, name="segment"),
        choice=choice,
        silhouette=silhouette(z, labels, seed),
        notes=tuple(notes),
    )


def _usable(
    values: pd.DataFrame, features: Mapping[str, float] | None
) -> tuple[dict[str, float], list[str]]:
    """Choose the features, saying which of them cannot be used and why."""
    wanted = dict(WEIGHTS if features is None else features)
    unknown = [name for name in wanted if name not in values.columns]
    if unknown:
        raise UsageError(f"There is no feature {unknown[0]!r}.", f"Known: {', '.join(FEATURES)}.")
    usable: dict[str, float] = {}
    alike: dict[str, float] = {}
    notes: list[str] = []
    for name, weight in wanted.items():
        missing = float(values[name].isna().mean()) if len(values) else 1.0
        if missing == 1.0:
            reason = "it has no values"
        elif missing > MOST_MISSING and features is None:
            reason = f"{missing:.0%} of its values are missing"
        elif values[name].nunique() < 2:
            reason = "it is the same for everybody"
            alike[name] = weight
        else:
            usable[name] = weight
            continue
        if features is not None and missing == 1.0:
            raise DataError(
                f"The feature {name!r} has no values in this dataset.",
                "Add its column to customers, or transactions, or leave it out of --features.",
            )
        notes.append(f"The feature {name} is left out: {reason}.")
    if not usable and alike:
        return alike, [*notes, "Nothing tells the customers apart."]
    if not usable:
        raise DataError(
            "Nothing is known by which customers could be told apart.",
            f"Give customers some of {', '.join(FEATURES[:3])}, or transactions.",
        )
    return usable, notes
