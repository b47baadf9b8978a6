"""Fitting collaborative filtering: ALS by `implicit`, and linear autoencoders by one solve."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from recommender.base import Query
from recommender.collaborative import PRIOR, SCALED, CollaborativeScorer
from recommender.features.history import count_once
from recommender.fitting.attribute_map import fit_attribute_map
from recommender.fitting.autoencoder import error_by_chance, placed, solve_autoencoder
from recommender.fitting.dependencies import fit_dependencies
from recommender.fitting.following import fit_following
from recommender.fitting.neighbours import fit_neighbours, scaled_by
from recommender.recipe import Recipe
from recommender.scoring.linear import Autoencoder, Factors, Space

ITERATIONS = 5
# So small that the first of them turn the offers' space further before they bend it.
START = 0.1
MOST_DENSE = 10_000  # offers up to which a square matrix of them is solved: 400 MB, half a minute
NEAR = 1000  # entries kept per offer
SCALE_SAMPLE = 300  # customers


def fit_collaborative(
    query: Query,
    repeatable: np.ndarray,
    attributes: sp.csr_matrix,
    recipe: Recipe,
    profiled: int,
    seed: int = 0,
    *,
    logged: bool = False,
) -> CollaborativeScorer:
    """Fit everything that learns from what all customers took.

    Parameters
    ----------
    query : Query
        Everybody's.
    repeatable : ndarray of bool, shape (offers,)
        Offers that can be taken again.
    attributes : csr_matrix, shape (offers, columns)
        By which offers that nobody took are told.
    recipe : Recipe
    profiled : int
        How many attributes profiles have.
    seed : int
        Seed of singular spaces and of samples.
    logged : bool
        Whether showings tell what might have been taken.
    """
    taken = query.taken()
    trained = np.asarray(taken.sum(axis=0)).ravel() > 0
    columns = np.flatnonzero(trained)
    kept = sp.csr_matrix(taken[:, columns])
    kept = sp.csr_matrix(kept[np.diff(kept.indptr) > 0])
    # Threads of BLAS inside other threads fight each other; one thread also fixes the rounding.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(1) as beside:
        solved = beside.submit(_fit_autoencoder, kept, recipe.penalty, seed)
        factors = _fit_factors(kept, recipe, seed)
        autoencoder, space = solved.result()
    times = np.asarray(query.redeemed.sum(axis=0)).ravel()
    shown = np.asarray(query.shown.sum(axis=0)).ravel() * logged
    takers = np.asarray((query.redeemed > 0).sum(axis=0)).ravel()
    factors = _spread(factors, columns, len(trained))
    autoencoder = Autoencoder(placed(autoencoder.near, columns, len(trained)))
    space = Space(*(_spread(side, columns, len(trained)) for side in (space.left, space.right)))
    following = fit_following(count_once(query.history, repeatable), taken)
    scorer = CollaborativeScorer(
        factors=Factors(factors, recipe.regularization, confidence(kept, recipe)),
        autoencoder=autoencoder,
        space=space,
        following=following,
        attributes=fit_attribute_map(
            attributes, trained, factors, space.right, autoencoder.near, following.near, seed
        ),
        others=fit_dependencies(taken, query.demographic, profiled),
        usual=np.divide(times, shown, out=np.zeros(len(times)), where=shown > 0),
        habit=repeatable * np.log(np.maximum(times, 1.0) / np.maximum(takers, 1.0)),
        repeatable=repeatable,
        trained=trained,
        scale=np.ones(len(PRIOR)),
        weight=np.array(list(PRIOR.values())),
    )
    return replace(scorer, scale=_scale(scorer, query, seed))


def confidence(taken: sp.csr_matrix, recipe: Recipe) -> float:
    """Return the ALS's confidence in what was taken, beside that in what was not.

    Of few pairs taken among many each has to tell more, or the others drown it.

    Parameters
    ----------
    taken : csr_matrix, shape (customers, offers)
        Of those who took something, and what was taken by anybody.
    """
    pairs = max(1, taken.shape[0] * taken.shape[1])
    return float(recipe.alpha * (max(1, taken.nnz) / pairs) ** -0.5)


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
                scale[row] = float(np.sqrt(spread)) or 1.0
    return scale


def _fit_factors(taken: sp.csr_matrix, recipe: Recipe, seed: int) -> np.ndarray:
    size = min(recipe.factors, max(1, min(taken.shape) - 1)) if min(taken.shape) else 1
    if not taken.nnz:
        return np.zeros((taken.shape[1], size))
    model = AlternatingLeastSquares(
        factors=size,
        regularization=recipe.regularization,
        alpha=confidence(taken, recipe),
        iterations=ITERATIONS,
        use_gpu=False,
        num_threads=0,  # each customer's factors are solved apart: their number changes nothing
        random_state=seed,
    )
    model.item_factors = _start(taken, size, seed)
    model.fit(sp.csr_matrix(taken, dtype=np.float32), show_progress=False)
    return np.asarray(model.item_factors, dtype=np.float64)


def _start(taken: sp.csr_matrix, size: int, seed: int) -> np.ndarray:
    """Return the offers' leading singular space, no busy customer or popular offer ruling it.

    From there a few iterations make better lists than many do from factors drawn by chance.
    """
    length, count = np.diff(taken.indptr), np.bincount(taken.indices, minlength=taken.shape[1])
    even = scaled_by(taken, np.maximum(length, 1) ** -0.5, np.maximum(count, 1) ** -0.5)
    space, spread, _ = randomized_svd(even.T, size, n_iter=2, random_state=seed)
    return np.asarray(START * space * np.sqrt(spread), dtype=np.float32)


def _fit_autoencoder(taken: sp.csr_matrix, penalty: float, seed: int) -> tuple[Autoencoder, Space]:
    offers = taken.shape[1]
    if offers <= MOST_DENSE:
        none = np.zeros((offers, 0), dtype=np.float32)
        near = solve_autoencoder(taken, penalty * error_by_chance(taken), NEAR)
        return Autoencoder(near), Space(none, none)
    return fit_neighbours(taken, seed)


def _spread(part: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
    """Put rows at their place among all offers."""
    whole = np.zeros((size, part.shape[1]), dtype=part.dtype)
    whole[rows] = part
    return whole
