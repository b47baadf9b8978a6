"""Whom an offer is for, told from what it is like: traits by attributes, over all offers."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

STRENGTHS = np.geomspace(1.0, 1000.0, 7)  # redemptions that "as any offer" counts for
SURE = 2.0  # standard errors by which more than the least must be better
BELIEVED = 20.0  # redemptions that purchases are believed for, before any
CHOOSING = 1000  # offers, those taken most, that choose the strength


def worth_of_buying(
    cross: np.ndarray, events: np.ndarray, bought: np.ndarray, unit: np.ndarray
) -> float:
    """Tell how much of what purchases say of an offer's traits its redemptions bear out, 0 to 1.

    Parameters
    ----------
    cross, events, unit
        As in `fit_by_attribute`.
    bought : ndarray of float, shape (columns, offers)
        What one redemption says of each trait if those redeem who buy what the offer is for.
    """
    said = bought / unit[:, None]
    square = (said**2).sum(axis=0)
    believed = BELIEVED * square.mean()
    if not believed > 0:
        return 1.0  # nobody buys what an offer is for: nothing speaks against it
    agreed = ((cross / unit[:, None]) * said).sum()
    return float(np.clip((agreed + believed) / (events @ square + believed), 0.0, 1.0))


def fit_by_attribute(
    cross: np.ndarray, events: np.ndarray, attributes: sp.csr_matrix, unit: np.ndarray
) -> np.ndarray:
    """Regress what one redemption of an offer says of each trait on the offer's attributes.

    A weighted ridge: each offer counts by its redemptions. With the least strength an attribute
    says about the mean of its offers; a larger one is taken if offers left out one by one are told
    better by more than chance.

    Parameters
    ----------
    cross : ndarray of float, shape (columns, offers)
        Centred columns times what was redeemed above what was expected.
    events : ndarray of float, shape (offers,)
        Redemptions.
    attributes : csr_matrix, shape (offers, attributes)
    unit : ndarray of float, shape (columns,)
        Errors count in multiples of it; where it is infinite not at all.

    Returns
    -------
    ndarray of float, shape (columns, 1 + attributes)
        The first is what holds for any offer of which something is known.
    """
    found, taken = np.zeros((len(cross), 1 + attributes.shape[1])), np.flatnonzero(events > 0)
    if not len(taken) or not len(cross):
        return found
    like = with_all(attributes)[taken]
    heard = np.unique(like.indices)
    like, events, said = sp.csr_matrix(like[:, heard]), events[taken], cross[:, taken].T
    often = np.argsort(-events, kind="stable")[:CHOOSING]
    strength = _choose(like[often].toarray(), events[often], said[often], unit)
    gram = (like.T @ (like.multiply(events[:, None]))).toarray()
    gram.flat[:: len(gram) + 1] += strength
    found[:, heard] = np.linalg.solve(gram, like.T @ said).T
    return found


def _choose(like: np.ndarray, events: np.ndarray, said: np.ndarray, unit: np.ndarray) -> float:
    """Find the strength by which offers left out one by one are told best."""
    weight = np.sqrt(events)[:, None]
    left, size, _ = np.linalg.svd(like * weight, full_matrices=False)
    target = said / weight
    wanted = left.T @ target

    def errors(strength: float) -> np.ndarray:
        """Square the error of each offer as if it had been left out (hat matrix)."""
        share = size**2 / (size**2 + strength)
        missed = (target - left @ (share[:, None] * wanted)) / unit
        return np.asarray(((missed / (1.0 - left**2 @ share)[:, None]) ** 2).sum(axis=1))

    tried = [errors(strength) for strength in STRENGTHS]
    best = int(np.argmin([error.sum() for error in tried]))
    gain = tried[0] - tried[best]
    return float(STRENGTHS[best if gain.sum() > SURE * np.sqrt((gain**2).sum()) else 0])


def expect(by_attribute: np.ndarray, events: np.ndarray, attributes: sp.csr_matrix) -> np.ndarray:
    """Expect the same of each offer from what it shares with others: shape (columns, offers).

    What is an attribute of one offer alone, such as its merchant, was told by its own redemptions
    only, which count by themselves.
    """
    like = with_all(attributes)
    taken = np.repeat(events > 0, np.diff(like.indptr))
    alone = np.bincount(like.indices[taken], minlength=like.shape[1]) == 1
    like.data[taken & alone[like.indices]] = 0.0
    return np.asarray((like @ by_attribute.T).T)


def with_all(attributes: sp.csr_matrix) -> sp.csr_matrix:
    """Put a one before the attributes of offers, but of those of which nothing is known."""
    told = (np.diff(attributes.indptr) > 0).astype(np.float64)
    return sp.csr_matrix(sp.hstack([told[:, None], attributes], format="csr"))
