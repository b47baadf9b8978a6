"""What follows what: which offers customers took soon after others.

A Markov chain that looks back over some steps (Rendle, Freudenthaler & Schmidt-Thieme 2010; He &
McAuley 2016). That a lens is bought after a camera, a sequel seen after its film, no table without
order can tell.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from recommender.features.order import in_order
from recommender.fitting.neighbours import keep_largest, scaled_by
from recommender.scoring.linear import Autoencoder

STEPS = 10  # by which one offer may follow another
FADING = 0.8  # what each further step counts of the one before
# Powers of the popularity of an offer that was taken and of one that followed it.
TAKEN, FOLLOWED = -0.7, -0.2


def fit_following(history: sp.csr_matrix, taken: sp.csr_matrix) -> Autoencoder:
    """Count for each offer what was taken soon after it; what was taken at once has no order.

    Parameters
    ----------
    history, taken : csr_matrix, shape (customers, offers)
        How much the events with each offer still count, and how far it was taken; with entries at
        the same places.
    """
    history, taken = history.sorted_indices(), taken.sorted_indices()
    n, offers = history.shape
    order, later = in_order(history)
    person = np.repeat(np.arange(n), np.diff(history.indptr))
    column, value = history.indices[order], taken.data[order]
    counted = sp.csr_matrix((offers, offers), dtype=np.float32)
    for step in range(1, STEPS + 1):
        # The latest come first.
        follows = (person[step:] == person[:-step]) & (later[step:] > later[:-step])
        after = np.flatnonzero(follows)
        counts = (FADING ** (step - 1) * value[after]).astype(np.float32)
        pairs = column[after + step], column[after]
        counted += sp.csr_matrix((counts, pairs), shape=(offers, offers))
    if not counted.nnz:
        return Autoencoder(counted)
    count = np.maximum(np.asarray(taken.sum(axis=0)).ravel(), 1e-9)
    return Autoencoder(keep_largest(scaled_by(counted, count**TAKEN, count**FOLLOWED)))
