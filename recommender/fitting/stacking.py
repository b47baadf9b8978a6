"""What lifts for frequent attributes count beside those for all, where attributes are very many.

Whether people go by the few kinds of offers or by rare tags is for what they took to say: some of
it is held out, and lifts by the rest have to tell it from what others took.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from recommender.features.likeness import Likeness
from recommender.features.many import Many
from recommender.scoring.liked import Liked

MOST, OTHERS = 10_000, 20  # choices that are held out, and offers that each is held against
HELD = 0.2  # share of what somebody took
CHUNK = 250  # customers at a time
BELIEVED, STRENGTH = np.array([1.0, 0.2]), 20.0  # before any choice, and how many it counts for


def stack(
    likeness: Likeness, many: Many, attributes: sp.csr_matrix, taken: sp.csr_matrix, seed: int
) -> Many:
    """Learn what both count.

    Parameters
    ----------
    attributes : csr_matrix, shape (offers, columns)
    taken : csr_matrix, shape (customers, offers)
    """
    lists, counted = _lists(likeness, many, attributes, taken, seed)
    frequent, whole = (_fit(lists, counted) if len(lists) else BELIEVED).tolist()
    return replace(many, frequent=frequent, whole=whole)


def _lists(
    likeness: Likeness, many: Many, attributes: sp.csr_matrix, taken: sp.csr_matrix, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Score held out choices and others that each is held against.

    The others are drawn as often as they are taken: what all like tells nobody's taste.

    Returns
    -------
    scores : ndarray of float, shape (choices, 1 + others, 2)
        The choice is the first of each list.
    counted : ndarray of bool, shape (choices, 1 + others)
        Whether an offer is in the list: what somebody took is not held against it.
    """
    random = np.random.default_rng(seed)
    person = np.repeat(np.arange(taken.shape[0]), np.diff(taken.indptr))
    out = (random.random(taken.nnz) < HELD) & (np.diff(taken.indptr)[person] > 1)
    held = np.flatnonzero(out)
    if len(held) > MOST:
        held = np.sort(random.choice(held, MOST, replace=False))
    kept = taken.copy()
    kept.data = np.where(out, 0.0, taken.data)
    kept.eliminate_zeros()
    others = taken.indices[random.integers(0, max(1, taken.nnz), (len(held), OTHERS))]
    offers = np.column_stack([taken.indices[held], others])
    own = np.asarray(taken[np.repeat(person[held], OTHERS), others.ravel()]).reshape(others.shape)
    counted = np.column_stack([np.ones(len(held), dtype=bool), own == 0])
    found = np.zeros((*offers.shape, 2))
    only = replace(many, frequent=1.0, whole=0.0), replace(many, frequent=0.0, whole=1.0)
    sides = [Liked(likeness, one, attributes) for one in only]
    who, first = np.unique(person[held], return_index=True)
    ends = np.append(first, len(held))
    for start in range(0, len(who), CHUNK):
        some = who[start : start + CHUNK]
        here = slice(ends[start], ends[start + len(some)])
        row = np.repeat(np.searchsorted(some, person[held[here]]), offers.shape[1])
        for place, side in enumerate(sides):
            at = side.part(sp.csr_matrix(kept[some])).at(row, offers[here].ravel())
            found[here, :, place] = at.reshape(-1, offers.shape[1])
    return found, counted


def _fit(lists: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Find the weights, none negative, by which the held out choices are likeliest."""
    unit = lists[counted].std(axis=0) + 1e-9
    scaled, believed = lists / unit, BELIEVED * unit

    def loss(weight: np.ndarray) -> tuple[float, np.ndarray]:
        score = np.where(counted, scaled @ weight, -np.inf)
        value = (logsumexp(score, axis=1) - score[:, 0]).sum()
        slope = (softmax(score, axis=1)[..., None] * scaled).sum(axis=1) - scaled[:, 0]
        away = weight - believed
        return float(value + STRENGTH / 2 * away @ away), slope.sum(axis=0) + STRENGTH * away

    found = minimize(loss, believed, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * 2)
    return np.asarray(found.x / unit)
