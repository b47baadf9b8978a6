"""Whom an offer is for, told from what it is like: traits by attributes, over all offers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

STRENGTHS = np.geomspace(0.3, 3000.0, 9)  # redemptions that "as any offer" counts for
SHARED = 2  # offers with redemptions: an attribute of one alone tells of no other
LEAST, MOST = 2.0, 200.0  # redemptions of its own that relatives may stand for


@dataclass(frozen=True)
class Alike:
    """What offers say of each other.

    Attributes
    ----------
    by_attribute : ndarray of float, shape (columns, 1 + attributes)
        What one redemption of an offer says of each trait, by what the offer is like; the first is
        what holds for any offer.
    expected : ndarray of float, shape (columns, offers)
        What it expects of each offer.
    strength : float
        How many redemptions of its own that is worth.
    """

    by_attribute: np.ndarray
    expected: np.ndarray
    strength: float


def fit_alike(
    cross: np.ndarray,
    square: np.ndarray,
    events: np.ndarray,
    attributes: sp.csr_matrix,
    unit: np.ndarray,
) -> Alike:
    """Regress what one redemption of an offer says of each trait on the offer's attributes.

    A weighted ridge (each offer counts by its redemptions), whose strength is the one by which
    offers left out one by one are told best. How far offers are off beyond what so few redemptions
    must be (the method of moments of DerSimonian and Laird 1986) says what it is worth.

    Parameters
    ----------
    cross : ndarray of float, shape (columns, offers)
        Centred columns times what was redeemed above what was expected.
    square : ndarray of float, shape (columns,)
        Squares of the centred columns, summed over redemptions.
    events : ndarray of float, shape (offers,)
        Redemptions.
    attributes : csr_matrix, shape (offers, attributes)
    unit : ndarray of float, shape (columns,)
        Errors count in multiples of it.
    """
    like = sp.hstack([np.ones((len(events), 1)), attributes], format="csr")
    found, taken = np.zeros((len(cross), like.shape[1])), np.flatnonzero(events > 0)
    counted = np.flatnonzero(np.isfinite(unit) & (unit > 0))
    if not len(taken) or not len(counted):
        return Alike(found, np.zeros(cross.shape), LEAST)
    shared = np.flatnonzero(np.bincount(like[taken].indices, minlength=like.shape[1]) >= SHARED)
    weight = np.sqrt(events[taken])
    rows = like[taken][:, shared].toarray() * weight[:, None]
    target = (cross[:, taken] / weight).T
    value, axes = np.linalg.eigh(rows.T @ rows)
    along = rows @ axes
    wanted = along.T @ target
    tried = []
    for strength in STRENGTHS:
        share = 1.0 / (np.maximum(value, 0.0) + strength)
        left = (target - along @ (share[:, None] * wanted))[:, counted] / unit[counted]
        own = along**2 @ share
        # As if the offer itself had been left out.
        error = float(((left / (1.0 - own)[:, None]) ** 2).sum())
        tried.append((error, strength, left, own))
    _, strength, left, own = min(tried, key=lambda one: one[0])
    solved = axes @ (wanted / (np.maximum(value, 0.0) + strength)[:, None])
    found[:, shared] = solved.T
    within = (square[counted] / unit[counted] ** 2).sum()
    within -= ((target[:, counted] / unit[counted]) ** 2).sum()
    noise = max(within, 0.0) / max(events.sum() - len(taken), 1.0)
    beyond = float((left**2).sum() - (1.0 - own).sum() * noise) / max(
        (weight**2 @ (1.0 - own)), 1e-9
    )
    worth = noise / beyond if beyond * MOST > noise else MOST
    return Alike(found, np.asarray((like @ found.T).T), float(np.clip(worth, LEAST, MOST)))
