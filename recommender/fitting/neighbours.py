"""What offers of a large catalogue say of each other, without a square matrix of them.

Near offers by a normalised Gram matrix of which only the largest entries are kept, and far ones
through the leading singular space of the histories (EigenRec: Nikolakopoulos et al. 2019).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from recommender.scoring.linear import Autoencoder, Space

NEAR = 200  # entries kept per offer
# Powers of a history's length, of the popularity of an offer taken and of that of one it speaks
# for. A long history says less of each pair; what many took says little of what else they would.
LENGTH, TAKEN, SPOKEN = -0.3, -0.8, -0.2
RANK = 512
SPACE_LENGTH, SPACE_OFFER = -0.25, -0.35  # the same for the singular space
SPACE_SPREAD = 0.5  # power of its singular values: the further out, the less each direction tells
STRIP_CELLS = 40_000_000  # offers times offers of which neighbours are looked for at once


def fit_neighbours(taken: sp.csr_matrix, seed: int) -> tuple[Autoencoder, Space]:
    """Fit near and far offers.

    Parameters
    ----------
    taken : csr_matrix, shape (customers, offers)
        What each took; no customer and no offer is without any.
    seed : int
        Of the singular space.
    """
    length = np.asarray(taken.sum(axis=1)).ravel()
    count = np.asarray(taken.sum(axis=0)).ravel()
    inward = sp.csr_matrix(scaled_by(taken, length**LENGTH, count**TAKEN).T)
    outward = scaled_by(taken, np.ones_like(length), count**SPOKEN)
    strip = max(1, STRIP_CELLS // len(count))
    strips = [
        keep_largest(sp.csr_matrix(inward[start : start + strip] @ outward), start)
        for start in range(0, len(count), strip)
    ]
    near = sp.csr_matrix(sp.vstack(strips), dtype=np.float32)
    weighed = scaled_by(taken, length**SPACE_LENGTH, count**SPACE_OFFER)
    rank = max(1, min(RANK, min(weighed.shape) - 1))
    _, spread, space = randomized_svd(weighed, rank, n_iter=4, random_state=seed)
    inside = space.T * spread ** (SPACE_SPREAD / 2)
    left = (count**SPACE_OFFER)[:, None] * inside
    right = (count**-SPACE_OFFER)[:, None] * inside
    return Autoencoder(near), Space(left.astype(np.float32), right.astype(np.float32))


def scaled_by(taken: sp.csr_matrix, rows: np.ndarray, columns: np.ndarray) -> sp.csr_matrix:
    """Multiply each entry by a factor of its row and one of its column, in single precision."""
    found = sp.diags_array(rows) @ taken @ sp.diags_array(columns)
    return sp.csr_matrix(found, dtype=np.float32)


def keep_largest(block: sp.csr_matrix, first: int = 0) -> sp.csr_matrix:
    """Keep the largest entries of each row; row r is offer first + r, which leaves itself out."""
    kept = []
    for row, (start, end) in enumerate(pairwise(block.indptr.tolist())):
        value = np.where(block.indices[start:end] == first + row, 0.0, block.data[start:end])
        if end - start > NEAR:
            kept.append(start + np.argpartition(-value, NEAR - 1)[:NEAR])
        else:
            kept.append(np.arange(start, end))
    place = np.concatenate(kept)
    rows = np.repeat(np.arange(len(kept)), [len(one) for one in kept])
    columns, value = block.indices[place], block.data[place]
    other = columns != rows + first
    return sp.csr_matrix((value[other], (rows[other], columns[other])), shape=block.shape)
