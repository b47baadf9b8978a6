"""K-Means over chosen, weighted features, with a k that is justified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)

from data.errors import DataError, UsageError
from data.schema import AGE, ANNUAL_INCOME, SPENDING_SCORE
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
LARGEST_K = 10
FEWEST_PER_SEGMENT = 5
MOST_MISSING = 0.5
BOOTSTRAPS = 20
SAMPLE = 2500  # rows that the indices are computed on: they cost rows squared
STARTS = 10  # one start finds the best solution on the mall table in 83 % of seeds, ten in 100 %
AGREEMENT = 0.8  # bootstrap ARI below which a k counts as unstable


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
    if k is not None and len(table) < k:
        raise DataError(
            f"{len(table)} customers cannot form {k} segments.", "Ask for fewer segments."
        )
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
    weight = np.array([weights[name] for name in names])
    z = np.sqrt(weight) * (moved - mean) / scale
    choice = choose_k(z, seed) if k is None else pd.DataFrame()
    if k is None:
        k = int(choice.index.to_numpy()[choice["rank"].argmin()]) if len(choice) else 1
    if k == 1:
        notes.append(f"{len(table)} customers are too few to tell segments apart.")
    labels, centroids = _fit(z, k, seed)
    shares = np.bincount(labels, minlength=k) / len(labels)
    bare = SegmentModel(
        tuple(names), logged, mean, scale, weight, centroids, ("",) * k, ("",) * k, shares
    )
    segment_names, descriptions = describe(table, labels, k)
    model = SegmentModel(
        bare.features, logged, mean, scale, weight, centroids, segment_names, descriptions, shares
    )
    return Segmentation(
        model=model,
        labels=pd.Series(labels, index=table.index, name="segment"),
        choice=choice,
        silhouette=_silhouette(z, labels, seed),
        notes=tuple(notes),
    )


def choose_k(z: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Compare numbers of segments by four indices.

    No single index is to be trusted (on the mall table Calinski-Harabasz says 9). Each k is ranked
    by silhouette, Davies-Bouldin, Calinski-Harabasz and the agreement (adjusted Rand index) of fits
    to bootstrap samples with the full fit; the mean rank decides among the ks that agree with
    themselves. Hennig (2007), Cluster-wise assessment of cluster stability.

    Parameters
    ----------
    z : ndarray of float, shape (n, d)
        Standardised, weighted features.

    Returns
    -------
    DataFrame
        Indexed by k, best first where `rank` is smallest; empty if n is too small for two segments.
    """
    random = np.random.default_rng(seed)
    if len(z) > SAMPLE:
        z = z[np.sort(random.choice(len(z), SAMPLE, replace=False))]
    distinct = len(np.unique(z, axis=0))
    largest = min(LARGEST_K, len(z) // FEWEST_PER_SEGMENT, distinct - 1)
    samples = [random.integers(0, len(z), len(z)) for _ in range(BOOTSTRAPS)]
    rows = []
    for k in range(2, largest + 1):
        labels, _ = _fit(z, k, seed)
        agreement = []
        for sample in samples:
            fitted = KMeans(k, n_init=2, random_state=seed).fit(z[sample])
            agreement.append(adjusted_rand_score(labels, fitted.predict(z)))
        rows.append(
            {
                "k": k,
                "silhouette": silhouette_score(z, labels),
                "davies_bouldin": davies_bouldin_score(z, labels),
                "calinski_harabasz": calinski_harabasz_score(z, labels),
                "bootstrap_ari": float(np.mean(agreement)),
            }
        )
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows).set_index("k")
    ranks = pd.DataFrame(
        {
            "silhouette": table["silhouette"].rank(ascending=False),
            "davies_bouldin": table["davies_bouldin"].rank(),
            "calinski_harabasz": table["calinski_harabasz"].rank(ascending=False),
            "bootstrap_ari": table["bootstrap_ari"].rank(ascending=False),
        }
    )
    table["rank"] = ranks.mean(axis=1)
    stable = table["bootstrap_ari"] >= AGREEMENT
    if stable.any():
        table["rank"] = table["rank"].where(stable, table["rank"] + len(table))
    # Equal mean ranks are settled by the silhouette.
    table["rank"] += 1e-3 * ranks["silhouette"]
    return table


def _usable(
    values: pd.DataFrame, features: Mapping[str, float] | None
) -> tuple[dict[str, float], list[str]]:
    """Choose the features, saying which of them cannot be used and why."""
    wanted = dict(WEIGHTS if features is None else features)
    unknown = [name for name in wanted if name not in values.columns]
    if unknown:
        raise UsageError(f"There is no feature {unknown[0]!r}.", f"Known: {', '.join(FEATURES)}.")
    usable, notes = {}, []
    for name, weight in wanted.items():
        missing = float(values[name].isna().mean()) if len(values) else 1.0
        if missing == 1.0:
            reason = "it has no values"
        elif missing > MOST_MISSING and features is None:
            reason = f"{missing:.0%} of its values are missing"
        elif values[name].nunique() < 2:
            reason = "it is the same for everybody"
        else:
            usable[name] = weight
            continue
        if features is not None and missing == 1.0:
            raise DataError(
                f"The feature {name!r} has no values in this dataset.",
                "Add its column to customers, or transactions, or leave it out of --features.",
            )
        notes.append(f"The feature {name} is left out: {reason}.")
    if not usable:
        raise DataError(
            "No feature can tell the customers apart.",
            f"Give customers some of {', '.join(FEATURES[:3])}, or transactions.",
        )
    return usable, notes


def _fit(z: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit K-Means; the largest segment is number 0, equal ones ordered by centroid."""
    if k == 1:
        return np.zeros(len(z), dtype=np.int64), z.mean(axis=0, keepdims=True)
    fitted = KMeans(k, n_init=STARTS, random_state=seed).fit(z)
    sizes = np.bincount(fitted.labels_, minlength=k)
    order = sorted(range(k), key=lambda row: (-sizes[row], *fitted.cluster_centers_[row]))
    place = np.empty(k, dtype=np.int64)
    place[order] = np.arange(k)
    return place[fitted.labels_], fitted.cluster_centers_[order]


def _silhouette(z: np.ndarray, labels: np.ndarray, seed: int) -> float:
    if len(np.unique(labels)) < 2:
        return float("nan")
    sample = SAMPLE if len(z) > SAMPLE else None
    return float(silhouette_score(z, labels, sample_size=sample, random_state=seed))
