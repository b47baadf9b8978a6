"""Fitting collaborative filtering: ALS by `implicit`, and linear autoencoders by one solve."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from recommender.autoencoder import placed, solve_autoencoder
from recommender.base import Query
from recommender.collaborative import PRIOR, SCALED, Autoencoder, CollaborativeScorer, Factors
from recommender.recipe import Recipe

ITERATIONS = 15
MOST_DENSE = 10_000  # offers up to which a square matrix of them is solved: 400 MB, half a minute
NEAR_DENSE, NEAR_LARGE = 1000, 200  # entries kept per offer
RANK, SPECTRAL_SHARE = 512, 0.3
SCALE_SAMPLE = 300  # customers


def fit_collaborative(
    query: Query, repeatable: np.ndarray, recipe: Recipe, seed: int = 0
) -> CollaborativeScorer:
    """Fit everything that learns from what all customers took.

    Parameters
    ----------
    query : Query
        Everybody's.
    repeatable : ndarray of bool, shape (offers,)
        Offers that can be taken again.
    recipe : Recipe
    seed : int
        Seed of the ALS's first factors and of the spectral part.
    """
    taken = query.taken()
    trained = np.asarray(taken.sum(axis=0)).ravel() > 0
    columns = np.flatnonzero(trained)
    kept = sp.csr_matrix(taken[:, columns])
    kept = sp.csr_matrix(kept[np.diff(kept.indptr) > 0])
    # Threads of BLAS inside other threads fight each other; one thread also fixes the rounding.
    with threadpool_limits(1, "blas"):
        factors = _fit_factors(kept, recipe, seed)
        autoencoder = _fit_autoencoder(kept, recipe.penalty, seed)
    times = np.asarray(query.redeemed.sum(axis=0)).ravel()
    takers = np.asarray((query.redeemed > 0).sum(axis=0)).ravel()
    scorer = CollaborativeScorer(
        factors=Factors(
            _spread(factors, columns, len(trained)), recipe.regularization, recipe.alpha
        ),
        autoencoder=Autoencoder(
            near=placed(autoencoder.near, columns, len(trained)),
            left=_spread(autoencoder.left, columns, len(trained)),
            right=_spread(autoencoder.right, columns, len(trained)),
        ),
        habit=repeatable * np.log(np.maximum(times, 1.0) / np.maximum(takers, 1.0)),
        repeatable=repeatable,
        trained=trained,
        scale=np.ones(len(PRIOR)),
        weight=np.array(list(PRIOR.values())),
    )
    return replace(scorer, scale=_scale(scorer, query, seed))


def _scale(scorer: CollaborativeScorer, query: Query, seed: int) -> np.ndarray:
    """Measure how features spread within the lists of some customers."""
    active = np.flatnonzero(np.diff(query.history.indptr))
    scale = np.ones(len(PRIOR))
    if len(active):
        chosen = np.random.default_rng(seed).permutation(active)[:SCALE_SAMPLE]
        sample = query.take(np.sort(chosen))
        for row, name in enumerate(PRIOR):
            if name in SCALED:
                spread = scorer.feature(name, sample)[:, scorer.trained].var(axis=1).mean()
                scale[row] = max(float(np.sqrt(spread)), 1e-9)
    return scale


def _fit_factors(taken: sp.csr_matrix, recipe: Recipe, seed: int) -> np.ndarray:
    size = min(recipe.factors, max(1, min(taken.shape) - 1)) if min(taken.shape) else 1
    if not taken.nnz:
        return np.zeros((taken.shape[1], size))
    model = AlternatingLeastSquares(
        factors=size,
        regularization=recipe.regularization,
        alpha=recipe.alpha,
        iterations=ITERATIONS,
        use_gpu=False,
        num_threads=0,  # each customer's factors are solved apart: their number changes nothing
        random_state=seed,
    )
    model.fit(sp.csr_matrix(taken, dtype=np.float32), show_progress=False)
    return np.asarray(model.item_factors, dtype=np.float64)


def _fit_autoencoder(taken: sp.csr_matrix, penalty: float, seed: int) -> Autoencoder:
    offers = taken.shape[1]
    if offers <= MOST_DENSE:
        none = np.zeros((offers, 0), dtype=np.float32)
        return Autoencoder(solve_autoencoder(taken, penalty, NEAR_DENSE), none, none)
    return _fit_large(taken, seed)


def _fit_large(taken: sp.csr_matrix, seed: int) -> Autoencoder:
    """Filter a large catalogue without a square matrix of it.

    Neighbours by the normalised Gram matrix, the largest of each, plus its leading singular space
    (Shen et al. 2021, GF-CF), both seen from offers weighted by their popularity.
    """
    width = np.maximum(np.diff(taken.indptr), 1.0)
    count = np.maximum(np.asarray(taken.sum(axis=0)).ravel(), 1e-9)
    normal = sp.csr_matrix(
        sp.diags_array(width**-0.5) @ taken @ sp.diags_array(count**-0.5), dtype=np.float32
    )
    rank = min(RANK, min(normal.shape) - 1)
    _, _, space = randomized_svd(normal, rank, n_iter=4, random_state=seed)
    inward, outward = (count**-0.5).astype(np.float32), (count**0.5).astype(np.float32)
    transposed = sp.csr_matrix(normal.T)
    blocks = []
    for start in range(0, transposed.shape[0], 1000):
        block = sp.csr_matrix(transposed[start : start + 1000] @ normal)
        blocks.append(_largest_sparse(block, NEAR_LARGE, start))
    near = sp.csr_matrix(sp.vstack(blocks)).T
    return Autoencoder(
        near=sp.csr_matrix(sp.diags_array(inward) @ near @ sp.diags_array(outward)),
        left=inward[:, None] * space.T,
        right=SPECTRAL_SHARE * outward[:, None] * space.T,
    )


def _largest_sparse(block: sp.csr_matrix, most: int, first: int) -> sp.csr_matrix:
    """Keep the largest entries of each row; row r is offer first + r, which leaves itself out."""
    kept = []
    for row, (start, end) in enumerate(pairwise(block.indptr.tolist())):
        value = np.where(block.indices[start:end] == first + row, 0.0, block.data[start:end])
        if end - start > most:
            kept.append(start + np.argpartition(-value, most - 1)[:most])
        else:
            kept.append(np.arange(start, end))
    place = np.concatenate(kept) if kept else np.empty(0, dtype=np.int64)
    rows = np.repeat(np.arange(len(kept)), [len(one) for one in kept])
    columns, value = block.indices[place], block.data[place]
    other = columns != rows + first
    return sp.csr_matrix((value[other], (rows[other], columns[other])), shape=block.shape)


def _spread(part: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
    """Put rows at their place among all offers."""
    whole = np.zeros((size, part.shape[1]), dtype=part.dtype)
    whole[rows] = part
    return whole
