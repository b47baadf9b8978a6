"""Fitting offer factors with `implicit`; the arrays are kept, the library's object is dropped."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recommender.collaborative import CollaborativeScorer

FACTORS, ITERATIONS = 32, 15
REGULARIZATION, ALPHA = 5.0, 4.0


def fit_factors(history: sp.csr_matrix, seed: int = 0) -> CollaborativeScorer:
    """Fit ALS to a weighted history.

    Parameters
    ----------
    history : csr_matrix, shape (customers, offers)
        Interaction weights.
    seed : int
        Seed of the first factors.
    """
    trained = np.asarray(history.sum(axis=0)).ravel() > 0
    kept = sp.csr_matrix(history[:, np.flatnonzero(trained)], dtype=np.float32)
    kept = kept[np.diff(kept.indptr) > 0]
    size = min(FACTORS, max(1, min(kept.shape) - 1)) if min(kept.shape) else 1
    factors = np.zeros((len(trained), size))
    if kept.nnz:
        # BLAS threads inside ALS threads fight each other; one thread also fixes the rounding.
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=size,
                regularization=REGULARIZATION,
                alpha=ALPHA,
                iterations=ITERATIONS,
                use_gpu=False,
                num_threads=1,
                random_state=seed,
            )
            model.fit(kept, show_progress=False)
        factors[trained] = np.asarray(model.item_factors, dtype=np.float64)
    return CollaborativeScorer(factors, trained, REGULARIZATION, ALPHA)
