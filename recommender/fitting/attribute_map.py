"""Fitting what attributes say of offers that nobody took: a ridge over those that were taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from recommender.scoring.attribute_map import AttributeMap

PENALTIES = np.geomspace(3.0, 30_000.0, 9)  # offers by which attributes are held to tell nothing


def fit_attribute_map(
    points: np.ndarray,
    trained: np.ndarray,
    factors: np.ndarray,
    space: np.ndarray,
    autoencoder: sp.csr_matrix,
    following: sp.csr_matrix,
) -> AttributeMap:
    """Learn from the offers that were taken where attributes lead.

    Parameters
    ----------
    points : ndarray of float, shape (offers, axes)
        Where offers stand among attributes; zero for one that states none.
    trained : ndarray of bool, shape (offers,)
        Which were taken.
    factors, space : ndarray of float, shape (offers, f) and (offers, rank)
        Their sides of a product.
    autoencoder, following : csr_matrix, shape (offers, offers)
        From what was taken to each of them.
    """
    stated = points.any(axis=1)
    taken, others = np.flatnonzero(trained & stated), np.flatnonzero(~trained & stated)
    axes = points.shape[1] if len(taken) else 0
    mean = points[taken].mean(axis=0) if axes else np.zeros(0)
    rank = axes and 1 + axes
    told = AttributeMap(
        points=np.zeros((len(points), rank)),
        mean=mean,
        factors=np.zeros((factors.shape[1], rank)),
        space=np.zeros((space.shape[1], rank)),
        autoencoder=np.zeros((len(points), rank), dtype=np.float32),
        next=np.zeros((len(points), rank), dtype=np.float32),
    )
    if not rank:
        return told
    place = told.place(points[taken])
    # The mean is what all of them say, whatever the penalty.
    penalty = np.diag(np.r_[0.0, np.full(axes, choose_penalty(points[taken], factors[taken]))])
    weight = np.linalg.solve(place.T @ place + penalty, place.T).T
    told.points[others] = told.place(points[others])
    return replace(
        told,
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
