"""Whom an offer is for, told by offers like it: a ridge over offers."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

STRENGTHS = np.geomspace(1.0, 1000.0, 7)  # redemptions that "as any offer" counts for
SURE = 2.0  # standard errors by which more than the least must be better
CHOOSING = 1000  # offers, those taken most, that choose the strength


def fit_by_attribute(
    cross: np.ndarray, events: np.ndarray, like: sp.csr_matrix, felt: np.ndarray, pooled: bool
) -> np.ndarray:
    """Regress what one redemption of an offer says of each trait on what the offer is like.

    A weighted ridge: each offer counts by its redemptions. With the least strength an attribute
    says about the mean of its offers; a larger one is taken if offers left out one by one are told
    better by more than chance.

    Parameters
    ----------
    cross : ndarray of float, shape (traits, offers)
        Centred traits times what was redeemed above what was expected.
    events : ndarray of float, shape (offers,)
        Redemptions.
    like : csr_matrix, shape (offers, kinds)
        See `recommender.features.kinship`.
    felt : ndarray of float, shape (traits, directions)
        Errors count by their products with it.
    pooled : bool
        False where each kind says the mean of its own offers and nothing else.

    Returns
    -------
    ndarray of float, shape (traits, kinds)
    """
    found = np.zeros((len(cross), like.shape[1]))
    heard = np.flatnonzero(heard_of(events, like))
    if not len(heard):
        return found
    if not pooled:
        found[:, heard] = (cross @ like)[:, heard] / (events @ like)[heard]
        return found
    taken = events > 0
    like, events, said = sp.csr_matrix(like[taken][:, heard]), events[taken], cross[:, taken].T
    often = np.argsort(-events, kind="stable")[:CHOOSING]
    strength = _choose(like[often].toarray(), events[often], said[often] @ felt)
    gram = (like.T @ (like.multiply(events[:, None]))).toarray()
    gram.flat[:: len(gram) + 1] += strength
    found[:, heard] = np.linalg.solve(gram, like.T @ said).T
    return found


def heard_of(events: np.ndarray, like: sp.csr_matrix) -> np.ndarray:
    """Tell of which kinds something was redeemed: shape (kinds,)."""
    return np.asarray(events @ like > 0)


def told_by_others(events: np.ndarray, like: sp.csr_matrix) -> sp.csr_matrix:
    """Leave out what is true of one offer with redemptions alone, such as its merchant.

    That was told by its own redemptions, which count by themselves.
    """
    found = like.copy()
    taken = np.repeat(events > 0, np.diff(like.indptr))
    alone = np.bincount(like.indices[taken], minlength=like.shape[1]) == 1
    found.data[taken & alone[like.indices]] = 0.0
    return found


def _choose(like: np.ndarray, events: np.ndarray, said: np.ndarray) -> float:
    """Find the strength by which offers left out one by one are told best."""
    weight = np.sqrt(events)[:, None]
    left, size, _ = np.linalg.svd(like * weight, full_matrices=False)
    target = said / weight
    wanted = left.T @ target

    def errors(strength: float) -> np.ndarray:
        """Square the error of each offer as if it had been left out (hat matrix)."""
        share = size**2 / (size**2 + strength)
        missed = target - left @ (share[:, None] * wanted)
        return np.asarray(((missed / (1.0 - left**2 @ share)[:, None]) ** 2).sum(axis=1))

    tried = [errors(strength) for strength in STRENGTHS]
    best = int(np.argmin([error.sum() for error in tried]))
    gain = tried[0] - tried[best]
    return float(STRENGTHS[best if gain.sum() > SURE * np.sqrt((gain**2).sum()) else 0])
