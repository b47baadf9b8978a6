"""Fitting the ridge of redemptions on traits, with a penalty for each family of columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recommender.features.kinship import Kinship
from recommender.fitting.excess import Excess, rates_of
from recommender.fitting.penalties import Trial
from recommender.fitting.rates import Chances
from recommender.fitting.relatives import fit_by_attribute, heard_of, told_by_others
from recommender.fitting.shrinkage import choose_shrinkage
from recommender.scoring.traits import Relatives, TraitRidge, Traits

BLOCK, CELLS = 10_000, 20_000_000  # customers laid out at once, and customers times offers
SAMPLE = 4000  # customers left out to choose a penalty
KIN_STRENGTH = 5.0  # redemptions that what is known of similar offers counts for

TraitsOf = Callable[[np.ndarray], Traits]


@dataclass(frozen=True)
class Kin:
    """What stands for the redemptions of an offer that has few or none.

    Attributes
    ----------
    kinship : Kinship
        By what offers are kin.
    like : csr_matrix, shape (offers, kinds)
        What each is like by that.
    interest : callable
        Returns what some customers, given their rows, did that speaks for each offer, such as
        buying what it is for: csr_matrix, shape (rows, offers).
    keyed : csr_matrix, shape (customers, keys)
        The same for each purchase key.
    """

    kinship: Kinship
    like: sp.csr_matrix
    interest: Callable[[np.ndarray], sp.csr_matrix]
    keyed: sp.csr_matrix


def fit_traits(
    layout: TraitsOf,
    blocks: Sequence[Sequence[np.ndarray]],
    chances: Chances,
    kin: Kin,
    asked: np.ndarray,
    axes: np.ndarray,
    seed: int = 0,
) -> TraitRidge:
    """Sum up the normal equations and choose a penalty for each family of columns.

    Of what a company knows of its customers little tells what they want: with one penalty for all
    of it, what tells nothing would drown what does.

    Parameters
    ----------
    layout : callable
        Lays out the traits of some customers, given their rows.
    blocks : sequence of sequence of ndarray of int
        Columns by block and family; blocks get penalties one after the other.
    chances : Chances
        Redemptions, and the chances there were for them.
    kin : Kin
        What else tells whom an offer is for; counts as `KIN_STRENGTH` redemptions.
    asked : ndarray of bool, shape (offers,)
        Offers that are questions themselves: copies of their own predictors, they choose nothing.
    axes : ndarray of float, shape (offers, r)
        Directions that what is told of offers is held to (`shrinkage`); none with r = 0.
    """
    n, offers = chances.events.shape
    excess = Excess.of(chances)
    size = min(BLOCK, 1 + CELLS // max(1, offers))
    chunks = [np.arange(start, min(start + size, n)) for start in range(0, n, size)]
    width = layout(np.arange(0)).value.shape[1]
    total, known = np.zeros(width), np.zeros(width)
    said = excess.said()
    for rows in chunks:
        traits = layout(rows)
        total += said[rows] @ np.where(traits.known, traits.value, 0.0)
        known += said[rows] @ traits.known
    mean = total / np.maximum(known, 1e-9)
    gram, cross, liking, by_key = (
        np.zeros((width, columns)) for columns in (width, offers, offers, kin.keyed.shape[1])
    )
    interest = np.zeros(offers)
    for rows in chunks:
        centred = _centred(layout(rows), mean)
        gram += centred.T @ (said[rows, None] * centred)
        # Where a part is expected of everybody alike, all who are present say as much.
        cross += centred.T @ excess.rows(rows) - np.outer(said[rows] @ centred, excess.flat)
        interested = kin.interest(rows)
        interest += np.asarray(interested.sum(axis=0)).ravel()
        liking += centred.T @ interested
        by_key += centred.T @ kin.keyed[rows]
    present = np.flatnonzero(chances.present)
    sample = np.sort(np.random.default_rng(seed).permutation(present)[:SAMPLE])
    keep = np.flatnonzero(~asked if (~asked).any() else np.ones(offers, dtype=bool))
    trial = Trial(
        centred=_centred(layout(sample), mean),
        gram=gram,
        cross=cross[:, keep],
        target=sp.csr_matrix(excess.rows(sample)[:, keep]),
        flat=excess.flat[keep],
        n=max(1, len(present)),
        said=said[sample],
    )
    penalty = np.full(width, np.inf)
    for families in blocks:
        if any(map(len, families)):
            penalty = trial.choose(penalty, families)
    surer = cross.copy()
    surer[:, keep] = choose_shrinkage(trial, penalty, axes[keep]).of(cross[:, keep])
    events = np.asarray(excess.events.sum(axis=0)).ravel()
    felt = _felt(gram, penalty)
    by_attribute = fit_by_attribute(cross, events, kin.like, felt, kin.kinship.pooled)
    heard = heard_of(events, kin.like)
    like = told_by_others(events, kin.like) if kin.kinship.pooled else kin.like
    usual = (np.r_[events, 0.0] + KIN_STRENGTH) / (len(present) + 2 * KIN_STRENGTH)
    rate = np.clip(rates_of(events, usual, KIN_STRENGTH, chances), 0.0, 0.99)
    expected = _expected(like @ by_attribute.T, like @ heard > 0, liking, interest)
    scale = rate / usual  # what is expected more of customers, per showing
    return TraitRidge(
        mean=mean,
        gram=gram,
        cross=scale[:-1] * (surer + KIN_STRENGTH * expected),
        penalty=penalty,
        rate=rate[:-1],
        relatives=Relatives(
            kinship=kin.kinship,
            by_attribute=scale[-1] * by_attribute,
            heard=heard,
            by_key=(scale[-1] * by_key).astype(np.float32),
            interest=np.asarray(kin.keyed.sum(axis=0)).ravel(),
            strength=KIN_STRENGTH,
            rate=float(rate[-1]),
        ),
    )


def _centred(traits: Traits, mean: np.ndarray) -> np.ndarray:
    return np.where(traits.known, traits.value - mean, 0.0)


def _felt(gram: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Return what makes of errors of cross products those of the lifts that customers get."""
    here = np.flatnonzero(np.isfinite(penalty))
    inside = gram[np.ix_(here, here)]
    value, axes = np.linalg.eigh(inside)
    felt = np.zeros((len(gram), len(here)))
    felt[here] = np.linalg.solve(
        inside + np.diag(penalty[here]), axes * np.sqrt(np.maximum(value, 0.0))
    )
    return felt


def _expected(
    by_kin: np.ndarray, heard: np.ndarray, liking: np.ndarray, interest: np.ndarray
) -> np.ndarray:
    """Expect the cross products of one redemption of each offer: the mean of what speaks."""
    voices = heard.astype(np.float64) + (interest > 0)
    return np.asarray((by_kin.T + liking / np.maximum(interest, 1e-9)) / np.maximum(voices, 1.0))
