"""Fitting what attributes say of offers that nobody took: a ridge over those that were taken.

Of few attributes each is a direction of its own, and few offers span few. Else only some directions
are kept: those in which the ridge of all attributes leads (a reduced-rank regression; Mukherjee &
Zhu 2011). A ridge within directions that hold the ridge's own solution has the same solution, so no
more is lost than what lies beyond them; the directions in which offers vary most lose what rare
attributes tell.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import Ridge
from sklearn.utils.extmath import randomized_svd

from recommender.scoring.attribute_map import AttributeMap

PENALTIES = np.geomspace(0.3, 30_000.0, 11)  # offers by which attributes are held to tell nothing
MOST_AXES, MOST_CELLS = 256, 4_000_000  # axes, and axes times offers
LARGEST = 128  # directions of what each autoencoder says
LEFT_OUT = 0.2  # of the offers, where they are too many to leave out one by one
LEAST = 1e-9  # of the largest spread, for offers to span a direction
EXACT = 1e-2  # relative, of the solution where attributes are many; .0001 ranks the same


def fit_attribute_map(
    attributes: sp.csr_matrix,
    trained: np.ndarray,
    factors: np.ndarray,
    space: np.ndarray,
    autoencoder: sp.csr_matrix,
    following: sp.csr_matrix,
    seed: int = 0,
) -> AttributeMap:
    """Learn from the offers that were taken where attributes lead.

    Parameters
    ----------
    attributes : csr_matrix, shape (offers, columns)
    trained : ndarray of bool, shape (offers,)
        Which were taken.
    factors, space : ndarray of float, shape (offers, f) and (offers, rank)
        Their sides of a product.
    autoencoder, following : csr_matrix, shape (offers, offers)
        From what was taken to each of them.
    seed : int
        Of directions and of offers left out, where attributes are many.
    """
    stated = np.diff(attributes.indptr) > 0
    taken = np.flatnonzero(trained & stated)
    own = attributes[taken]
    told = np.flatnonzero(np.bincount(own.indices, minlength=attributes.shape[1]))
    own, most = own[:, told], _most(attributes)
    if min(own.shape) <= most:
        directions = _all_directions(own)
        penalty = choose_penalty(own @ directions, factors[taken]) if len(told) else 0.0
    else:
        said = [_largest(one[:, taken], seed) for one in (autoencoder, following)]
        target = [factors[taken], space[taken], *said]
        penalty = _choose_by_part(own, factors[taken], seed)
        directions = _leading(own, target, penalty, most, seed)
    axes = np.zeros((attributes.shape[1], directions.shape[1]))
    axes[told] = directions
    rank = axes.shape[1] and 1 + axes.shape[1]
    found = AttributeMap(
        points=np.zeros((len(stated), rank)),
        axes=axes,
        mean=np.asarray(own.mean(axis=0) @ directions).ravel() if rank else np.zeros(0),
        factors=np.zeros((factors.shape[1], rank)),
        space=np.zeros((space.shape[1], rank)),
        autoencoder=np.zeros((len(stated), rank), dtype=np.float32),
        next=np.zeros((len(stated), rank), dtype=np.float32),
    )
    if not rank:
        return found
    place = found.place(attributes[taken])
    # The mean is what all of them say, whatever the penalty.
    held = np.diag(np.r_[0.0, np.full(rank - 1, penalty)])
    weight = np.linalg.solve(place.T @ place + held, place.T).T
    others = np.flatnonzero(~trained & stated)
    found.points[others] = found.place(attributes[others])
    return replace(
        found,
        factors=factors[taken].T @ weight,
        space=space[taken].T.astype(np.float64) @ weight,
        autoencoder=np.asarray(autoencoder[:, taken] @ weight, dtype=np.float32),
        next=np.asarray(following[:, taken] @ weight, dtype=np.float32),
    )


def choose_penalty(points: np.ndarray, target: np.ndarray) -> float:
    """Find the penalty by which offers that are left out, one by one, are told best (Allen 1974).

    Parameters
    ----------
    points : ndarray of float, shape (n, axes)
    target : ndarray of float, shape (n, f)
    """
    centred, away = points - points.mean(axis=0), target - target.mean(axis=0)
    spread, turn = np.linalg.eigh(centred.T @ centred)
    along = centred @ turn
    pull = along.T @ away
    errors = []
    for penalty in PENALTIES.tolist():
        told = along / (np.maximum(spread, 0.0) + penalty)
        own = 1.0 / len(points) + (told * along).sum(axis=1)
        left_out = (away - told @ pull) / (1.0 - np.minimum(own, 0.99))[:, None]
        errors.append(float((left_out**2).sum()))
    return float(PENALTIES[int(np.argmin(errors))])


def _all_directions(own: sp.csr_matrix) -> np.ndarray:
    """Return each attribute as a direction, or where offers are fewer those that these span."""
    offers, columns = own.shape
    if columns <= offers:
        return np.eye(columns)
    if not offers:
        return np.zeros((columns, 0))
    _, spread, turn = np.linalg.svd(own.toarray(), full_matrices=False)
    return np.ascontiguousarray(turn[spread > LEAST * spread[0]].T)


def _choose_by_part(own: sp.csr_matrix, target: np.ndarray, seed: int) -> float:
    """Find the penalty by which a part of the offers is told best from the others."""
    left_out = np.random.default_rng(seed).random(len(target)) < LEFT_OUT
    best, least = float(PENALTIES[-1]), np.inf
    for penalty in PENALTIES[::-1].tolist():  # the smaller, the longer it takes
        ridge = _ridge(own[~left_out], target[~left_out], penalty)
        error = float(((ridge.predict(own[left_out]) - target[left_out]) ** 2).sum())
        if error > least:
            break
        best, least = penalty, error
    return best


def _leading(
    own: sp.csr_matrix, target: list[np.ndarray], penalty: float, most: int, seed: int
) -> np.ndarray:
    """Find the directions of attributes in which a ridge leads: shape (columns, most)."""
    away = [one - one.mean(axis=0) for one in target if one.size]
    whole = np.hstack([one / max(float(np.linalg.norm(one)), 1e-12) for one in away])
    side, spread, _ = randomized_svd(whole, min(most, *whole.shape), random_state=seed)
    ridge = _ridge(own, side * spread, penalty)
    along = ridge.predict(own) - ridge.intercept_
    _, _, turn = np.linalg.svd(along - along.mean(axis=0), full_matrices=False)
    return np.linalg.qr(ridge.coef_.T @ turn.T)[0]


def _ridge(own: sp.csr_matrix, target: np.ndarray, penalty: float) -> Ridge:
    return Ridge(alpha=penalty, solver="sparse_cg", tol=EXACT).fit(own, target)


def _largest(said: sp.csr_matrix, seed: int) -> np.ndarray:
    """Sum up what is said of each offer: shape (offers, LARGEST)."""
    if not said.nnz:
        return np.zeros((said.shape[1], 0))
    rank = min(LARGEST, *said.shape)
    _, spread, side = randomized_svd(said, rank, n_iter=3, random_state=seed)
    return np.asarray(side.T * spread)


def _most(attributes: sp.csr_matrix) -> int:
    return int(min(MOST_AXES, max(1, MOST_CELLS // max(1, attributes.shape[0]))))
