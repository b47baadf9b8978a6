"""How sure a segmentation is: whether there is structure at all, and whether it comes back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, pairwise_distances, silhouette_score
from sklearn.model_selection import KFold

from segmentation.choice import LARGEST_K, count_distinct

BOOTSTRAPS = 100
FOLDS = 10
# Hennig (2007); the words are those of fpc::clusterboot's help page.
VERDICTS = ((0.85, "highly stable"), (0.75, "valid"), (0.60, "a pattern, doubtful"))
UNTRUSTED = "not to be trusted"
REFERENCES = 39  # with at most one as structured as the data, the level is 2 in 40
EXCEEDED = 1
GATE_ROWS = 500
GATE_STARTS = 3
NATURAL, REPRODUCIBLE, CONSTRUCTIVE, NONE = "natural", "reproducible", "constructive", "none"
COMES_BACK, BARELY = 0.8, 0.6


@dataclass(frozen=True)
class Structure:
    """Whether the data has more structure than structureless data of its own shape.

    Attributes
    ----------
    silhouette : float
        The best over all numbers of segments.
    exceeded : dict of str to tuple of int
        By reference (uniform, gaussian): how many reference sets were as structured, of how many
        drawn. Drawing stops as soon as the answer is no.
    found : bool
        Whether both references were beaten at level .05.
    """

    silhouette: float
    exceeded: dict[str, tuple[int, int]]
    found: bool


@dataclass(frozen=True)
class Stability:
    """How well a segmentation comes back.

    Attributes
    ----------
    jaccard : ndarray of float, shape (k,)
        Mean over bootstrap samples of the best Jaccard index with a segment of the new fit.
    holdout_ari, holdout_silhouette : float
        Rows left out are placed by a fit to the others: agreement with the full fit, silhouette.
    """

    jaccard: np.ndarray
    holdout_ari: float
    holdout_silhouette: float

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Say for every segment how far it can be trusted."""
        return tuple(
            next((word for least, word in VERDICTS if value >= least), UNTRUSTED)
            for value in self.jaccard
        )


def find_structure(z: np.ndarray, seed: int = 0) -> Structure:
    """Compare the data with structureless data of its shape: uniform on a box, and Gaussian.

    The statistic is the best silhouette over the numbers of segments. Uniform noise of 200 rows
    reaches .459, so that a silhouette means nothing by itself. Both references live on the
    principal axes (as the box of Tibshirani, Walther and Hastie, 2001) with the data's variance.
    The test is sequential (Besag and Clifford, 1991): it stops at the second reference set of 39
    that is as structured, so that the level is at most 2/40.

    Parameters
    ----------
    z : ndarray of float, shape (n, d)
        Standardised, weighted features; of many rows `GATE_ROWS` drawn ones are used.
    """
    random = np.random.default_rng(seed)
    if len(z) > GATE_ROWS:
        z = z[np.sort(random.choice(len(z), GATE_ROWS, replace=False))]
    if count_distinct(z) < 3:
        return Structure(float("nan"), {}, found=False)
    ours = _best_silhouette(z, seed)
    exceeded: dict[str, tuple[int, int]] = {}
    for name in ("uniform", "gaussian"):
        above = 0
        for drawn in range(1, REFERENCES + 1):
            reference = _structureless(z, name, random)
            above += _best_silhouette(reference, seed + drawn) >= ours
            exceeded[name] = (above, drawn)
            if above > EXCEEDED:
                return Structure(ours, exceeded, found=False)
    return Structure(ours, exceeded, found=True)


def measure_stability(
    z: np.ndarray, labels: np.ndarray, k: int, seed: int = 0, weight: np.ndarray | None = None
) -> Stability:
    """Measure how well the segments come back in bootstrap samples and for rows left out.

    Parameters
    ----------
    z : ndarray of float, shape (n, d)
        Standardised, weighted features.
    labels : ndarray of int, shape (n,)
        The segmentation in question.
    weight : ndarray of float, shape (n,), optional
        Weights of the rows in the fits.
    """
    if k < 2:
        return Stability(np.ones(k), float("nan"), float("nan"))
    random = np.random.default_rng(seed)
    found = np.full((BOOTSTRAPS, k), np.nan)
    for turn in range(BOOTSTRAPS):
        rows = random.integers(0, len(z), len(z))
        drawn = np.unique(rows)
        if count_distinct(z[drawn]) < k:
            continue
        counts = np.bincount(rows, minlength=len(z))[drawn].astype(np.float64)
        fitted = _fit(z[drawn], k, int(random.integers(2**31)), counts, weight, drawn)
        found[turn] = _jaccards(labels[drawn], fitted.labels_, k)
    agreement, placed = [], np.empty(len(z), dtype=np.int64)
    folds = KFold(min(FOLDS, len(z)), shuffle=True, random_state=seed)
    for train, test in folds.split(z):
        if count_distinct(z[train]) < k:
            continue
        fitted = _fit(z[train], k, seed, np.ones(len(train)), weight, train)
        placed[test] = fitted.predict(z[test])
        agreement.append(adjusted_rand_score(labels[test], placed[test]))
        # Numbers of a fold's segments are its own: take those of the full fit they overlap most.
        placed[test] = _matched(labels[train], fitted.labels_, k)[placed[test]]
    there = ~np.isnan(found).all(axis=1)
    different = len(np.unique(placed))
    return Stability(
        jaccard=found[there].mean(axis=0) if there.any() else np.zeros(k),
        holdout_ari=float(np.mean(agreement)) if agreement else float("nan"),
        holdout_silhouette=float(silhouette_score(z, placed, sample_size=min(len(z), 2500),
                                                  random_state=seed))
        if agreement and 1 < different < len(z) else float("nan"),
    )  # fmt: skip


def verdict(structure: Structure, bootstrap_ari: float, k: int) -> str:
    """Call a segmentation natural, reproducible, constructive or none (Dolnicar and Leisch, 2010).

    Natural segments are there without us. Reproducible ones are cut out of a continuum, but come
    back in another sample. Constructive ones are only useful. None: they do not even come back.
    """
    if k < 2:
        return NONE
    if structure.found:
        return NATURAL
    if bootstrap_ari >= COMES_BACK:
        return REPRODUCIBLE
    return CONSTRUCTIVE if bootstrap_ari >= BARELY else NONE


def _best_silhouette(z: np.ndarray, seed: int) -> float:
    distance = pairwise_distances(z)
    best = -1.0
    for k in range(2, min(LARGEST_K, len(z) - 1, count_distinct(z)) + 1):
        labels = KMeans(k, n_init=GATE_STARTS, random_state=seed).fit(z).labels_
        best = max(best, float(silhouette_score(distance, labels, metric="precomputed")))
    return best


def _structureless(z: np.ndarray, name: str, random: np.random.Generator) -> np.ndarray:
    _, spread, axes = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    shape = (len(z), len(spread))
    # Both with variance one. An extent taken from the extremes would be that of outliers.
    drawn = random.uniform(-np.sqrt(3), np.sqrt(3), shape) if name == "uniform" else (
        random.normal(size=shape)
    )  # fmt: skip
    return np.asarray(drawn * spread / np.sqrt(len(z)) @ axes)


def _fit(
    z: np.ndarray,
    k: int,
    seed: int,
    counts: np.ndarray,
    weight: np.ndarray | None,
    rows: np.ndarray,
) -> KMeans:
    of_rows = counts if weight is None else counts * weight[rows]
    return KMeans(k, n_init=10, random_state=seed).fit(z, sample_weight=of_rows)


def _overlaps(ours: np.ndarray, theirs: np.ndarray, k: int) -> np.ndarray:
    counts = np.zeros((k, k))
    np.add.at(counts, (ours, theirs), 1)
    return counts


def _jaccards(ours: np.ndarray, theirs: np.ndarray, k: int) -> np.ndarray:
    both = _overlaps(ours, theirs, k)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0) - both
    share = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return np.where(both.sum(axis=1) > 0, share.max(axis=1), 0.0)


def _matched(ours: np.ndarray, theirs: np.ndarray, k: int) -> np.ndarray:
    return np.asarray(_overlaps(ours, theirs, k).argmax(axis=0))
