"""Fitting what customers would buy: an autoencoder of purchases, at one level of their keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from recommender.base import Query
from recommender.features.keys import TYPE, KeySpace
from recommender.fitting.autoencoder import mean_diagonal, placed, solve_autoencoder
from recommender.scoring.would import Would, bought_at

MOST_KEYS = 3000  # of a level, of which a square matrix is solved: 36 MB, a second
NEAR = 100  # entries kept per key
PENALTY = 10.0  # in multiples of the mean diagonal: what is bought is bought by many, and together
SCALE_SAMPLE = 300  # customers


def fit_would(query: Query, keys: KeySpace, seed: int = 0) -> Would:
    """Fit what purchases of some keys say of others.

    Parameters
    ----------
    query : Query
        Everybody's.
    seed : int
        Of the sample that the scale is taken from.
    """
    level = level_of(keys)
    by_visits = bool(keys.counted[keys.rows_of(level)].nnz)
    bought = bought_at(query, keys, level, by_visits)
    columns = np.flatnonzero(np.asarray(bought.sum(axis=0)).ravel())
    with threadpool_limits(1, "blas"):  # fixes the rounding
        rows = sp.csr_matrix(bought[:, columns])
        near = solve_autoencoder(rows, PENALTY * mean_diagonal(rows), NEAR)
    would = Would(level, placed(near, columns, bought.shape[1]), 1.0, by_visits)
    if would.silent:
        return would
    buyers = np.flatnonzero(np.diff(bought.indptr))
    chosen = np.random.default_rng(seed).permutation(buyers)[:SCALE_SAMPLE]
    spread = would.values(query.take(np.sort(chosen)), keys).var(axis=1).mean()
    return replace(would, scale=max(float(np.sqrt(spread)), 1e-9))


def level_of(keys: KeySpace) -> str:
    """Choose the level: types, or of those that have not too many keys the one with most."""
    span = {level: keys.rows_of(level) for level in keys.levels}
    count = {level: rows.stop - rows.start for level, rows in span.items()}
    if 0 < count[TYPE] <= MOST_KEYS:
        return TYPE
    return max(keys.levels, key=lambda level: count[level] if count[level] <= MOST_KEYS else -1)
