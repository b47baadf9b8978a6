"""Weights by which small segments are found: customers in sparse places count more."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from segmentation.choice import fit_kmeans, silhouette
from segmentation.stability import measure_stability

NEIGHBOUR = 15
# The silhouette that the weights must add to be worth having, and the least Jaccard index with
# which every segment must come back in bootstrap samples.
CLEARLY, VALID = 0.02, 0.75


def density_weight(z: np.ndarray) -> np.ndarray:
    """Weigh each row by the squared distance to its 15th neighbour.

    K-Means cuts up large segments rather than leave a small one alone, since a large one has more
    to gain. The density at a row is about the number of neighbours per volume: these weights even
    it out (in two dimensions exactly), so that a segment counts by its extent, not by its size.

    Parameters
    ----------
    z : ndarray of float, shape (n, d)
        Standardised, weighted features.

    Returns
    -------
    ndarray of float, shape (n,)
        With mean one; all ones where the rows are too few or too alike.
    """
    if len(z) <= NEIGHBOUR:
        return np.ones(len(z))
    distance, _ = NearestNeighbors(n_neighbors=NEIGHBOUR + 1).fit(z).kneighbors(z)
    weight = distance[:, -1] ** 2
    return np.asarray(weight / weight.mean()) if weight.mean() > 0 else np.ones(len(z))


def weigh_by_evidence(z: np.ndarray, k: int, seed: int = 0) -> np.ndarray | None:
    """Return density weights if with them the segments are clearly better apart, and come back.

    Returns
    -------
    ndarray of float, shape (n,), or None
        None where plain K-Means does as well.
    """
    plain, _ = fit_kmeans(z, k, seed)
    weight = density_weight(z)
    weighted, _ = fit_kmeans(z, k, seed, weight)
    if not silhouette(z, weighted, seed) > silhouette(z, plain, seed) + CLEARLY:
        return None
    worst = measure_stability(z, weighted, k, seed, weight).jaccard.min()
    return weight if worst >= VALID else None
