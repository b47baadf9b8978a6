"""How many segments: K-Means for every k, and what speaks for each."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    pairwise_distances,
    silhouette_score,
)

LARGEST_K = 10
FEWEST_PER_SEGMENT = 5
BOOTSTRAPS = 20
HALVES = 5
SAMPLE = 2500  # rows that the indices are computed on: they cost rows squared
# One start finds the best k = 5 on the mall table in 83 % of seeds, ten in 100 %; its k = 2 has a
# dozen near-equal optima, of which the best needs some fifty. Large tables need fewer.
FEWEST_STARTS, MOST_STARTS, ROWS_STARTED = 10, 50, 10_000
AGREEMENT = 0.8  # bootstrap ARI below which a k counts as unstable
STRONG = 0.8  # prediction strength: the largest k that has it is what the index says
HIGHER_IS_BETTER = {
    "silhouette": True,
    "davies_bouldin": False,
    "calinski_harabasz": True,
    "bootstrap_ari": True,
}


def choose_k(z: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Compare numbers of segments by five indices.

    No single index is to be trusted (on the mall table Calinski-Harabasz says 9). Each k is ranked
    by silhouette, Davies-Bouldin, Calinski-Harabasz, prediction strength (Tibshirani and Walther,
    2005) and the agreement (adjusted Rand index) of fits to bootstrap samples with the full fit;
    the mean rank decides among the ks that agree with themselves. Hennig (2007), Cluster-wise
    assessment of cluster stability.

    Parameters
    ----------
    z : ndarray of float, shape (n, d)
        Standardised, weighted features; of many rows `SAMPLE` drawn ones are compared.

    Returns
    -------
    DataFrame
        Indexed by k, with inertia, the indices and `rank`, smallest at the best; empty if n is too
        small for two segments.
    """
    random = np.random.default_rng(seed)
    if len(z) > SAMPLE:
        z = z[np.sort(random.choice(len(z), SAMPLE, replace=False))]
    largest = min(LARGEST_K, len(z) // FEWEST_PER_SEGMENT, count_distinct(z))
    samples = _bootstraps(z, random)
    halves = [random.permutation(len(z)) % 2 == 0 for _ in range(HALVES)]
    splits = [(z[half], z[~half]) for half in halves]
    kinds = [min(count_distinct(train), count_distinct(test)) for train, test in splits]
    apart = pairwise_distances(z)
    rows = []
    for k in range(2, largest + 1):
        labels, centroids = fit_kmeans(z, k, seed)
        rows.append(
            {
                "k": k,
                "inertia": float(((z - centroids[labels]) ** 2).sum()),
                "silhouette": silhouette_score(apart, labels, metric="precomputed"),
                "davies_bouldin": davies_bouldin_score(z, labels),
                "calinski_harabasz": calinski_harabasz_score(z, labels),
                "prediction_strength": _prediction_strength(
                    [split for split, most in zip(splits, kinds, strict=True) if most >= k], k, seed
                ),
                "bootstrap_ari": _agreement(z, labels, k, samples, seed),
            }
        )
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows).set_index("k")
    ranks = pd.DataFrame(
        {name: table[name].rank(ascending=not up) for name, up in HIGHER_IS_BETTER.items()}
    )
    strength = table["prediction_strength"]
    # Of the strong ones the largest k first, then the others by how strong they are.
    ranks["prediction_strength"] = strength.where(
        strength < STRONG, 1.0 + table.index.to_numpy()
    ).rank(ascending=False)
    table["rank"] = ranks.mean(axis=1)
    stable = table["bootstrap_ari"] >= AGREEMENT
    if stable.any():
        table["rank"] = table["rank"].where(stable, table["rank"] + len(table))
    # Equal mean ranks are settled by the silhouette.
    table["rank"] += 1e-3 * ranks["silhouette"]
    return table


def bootstrap_agreement(z: np.ndarray, k: int, seed: int = 0) -> float:
    """Return how well fits to bootstrap samples agree with the full fit: adjusted Rand index."""
    if k < 2:
        return 1.0
    random = np.random.default_rng(seed)
    if len(z) > SAMPLE:
        z = z[np.sort(random.choice(len(z), SAMPLE, replace=False))]
    samples = _bootstraps(z, random)
    return _agreement(z, fit_kmeans(z, k, seed)[0], k, samples, seed)


def fit_kmeans(
    z: np.ndarray, k: int, seed: int, weight: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fit K-Means; the largest segment is number 0, equal ones ordered by centroid.

    Parameters
    ----------
    weight : ndarray of float, shape (n,), optional
        How much each row counts.

    Returns
    -------
    labels : ndarray of int, shape (n,)
    centroids : ndarray of float, shape (k, d)
    """
    if k == 1:
        return np.zeros(len(z), dtype=np.int64), np.average(z, axis=0, weights=weight)[None]
    starts = int(np.clip(ROWS_STARTED // len(z), FEWEST_STARTS, MOST_STARTS))
    fitted = KMeans(k, n_init=starts, random_state=seed).fit(z, sample_weight=weight)
    sizes = np.bincount(fitted.labels_, minlength=k)
    order = sorted(range(k), key=lambda row: (-sizes[row], *fitted.cluster_centers_[row]))
    place = np.empty(k, dtype=np.int64)
    place[order] = np.arange(k)
    return place[fitted.labels_], fitted.cluster_centers_[order]


def silhouette(z: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Compute the silhouette; NaN where there are not two segments, or nobody shares one."""
    if not 2 <= len(np.unique(labels)) < len(z):
        return float("nan")
    sample = SAMPLE if len(z) > SAMPLE else None
    return float(silhouette_score(z, labels, sample_size=sample, random_state=seed))


def count_distinct(z: np.ndarray) -> int:
    """Count different rows."""
    return len(np.unique(z, axis=0))


def _bootstraps(z: np.ndarray, random: np.random.Generator) -> list[tuple[np.ndarray, int]]:
    """Draw samples, each with the number of its different rows."""
    samples = [z[random.integers(0, len(z), len(z))] for _ in range(BOOTSTRAPS)]
    return [(sample, count_distinct(sample)) for sample in samples]


def _agreement(
    z: np.ndarray, labels: np.ndarray, k: int, samples: list[tuple[np.ndarray, int]], seed: int
) -> float:
    found = [
        _adjusted_rand(labels, _placed(KMeans(k, n_init=2, random_state=seed).fit(sample), z), k)
        for sample, distinct in samples
        # A sample of few distinct rows has no k clusters to find.
        if distinct >= k
    ]
    return float(np.mean(found)) if found else 0.0


def _prediction_strength(splits: list[tuple[np.ndarray, np.ndarray]], k: int, seed: int) -> float:
    """Average over splits the worst segment's share of pairs that the other half also joins."""
    found = []
    for train, test in splits:
        here = KMeans(k, n_init=3, random_state=seed).fit(test).labels_
        there = _placed(KMeans(k, n_init=3, random_state=seed).fit(train), test)
        counts = _crossed(here, there, k)
        size = counts.sum(axis=1)
        pairs = size * (size - 1)
        together = (counts * (counts - 1)).sum(axis=1)
        # A segment of one has no pair that could be torn apart.
        found.append(np.divide(together, pairs, out=np.ones(k), where=pairs > 0).min())
    return float(np.mean(found)) if found else 0.0


def _placed(fitted: KMeans, z: np.ndarray) -> np.ndarray:
    """Return the nearest centroid of each row, without the checks that cost more than that."""
    centroids = fitted.cluster_centers_
    return np.asarray(((centroids**2).sum(axis=1) - 2 * z @ centroids.T).argmin(axis=1))


def _crossed(here: np.ndarray, there: np.ndarray, k: int) -> np.ndarray:
    """Count the rows in each pair of labels: shape (k, k)."""
    return np.bincount(here * k + there, minlength=k * k).reshape(k, k)


def _adjusted_rand(here: np.ndarray, there: np.ndarray, k: int) -> float:
    """Compute the adjusted Rand index (Hubert and Arabie, 1985) of labels from 0 to k - 1."""
    counts = _crossed(here, there, k)
    both, one, other, every = (
        float((part * (part - 1)).sum())
        for part in (counts, counts.sum(axis=1), counts.sum(axis=0), counts.sum())
    )
    usual = one * other / every
    return 1.0 if one == other == both else (both - usual) / ((one + other) / 2 - usual)
