"""Pace: how fast what is taken moves on, told by how well the last days foretold the next.

What is in the cinemas moves within days, what is read over months. Where the past is foretold
surely better by a shorter or longer memory, that is the memory of trend. Each stretch of the past
is foretold by what came before it (Dawid 1984).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from recommender.features.history import HALF_LIFE
from recommender.fitting.trend import Takings, trend_of
from segmentation.features import DAY

OTHERS = (3 * DAY, 10 * DAY, 90 * DAY)  # half-lives beside the usual one
STRETCHES, LATER = 8, 1 / 3  # of the later third of the past so many are foretold
SHORTEST, LONGEST = 1 * DAY, 30 * DAY
MOST_TAKEN = 300_000  # of more every second, third, … customer is looked at
SURE = 2.0  # standard errors by which another half-life must foretell better
# By how much likelier trend must make what newcomers take, as a log, surely above nothing: for
# people spread over all times it tells nothing, and who comes now cannot be told from who is only
# met now.
LEAST_OF_NEWCOMERS, FEWEST_NEWCOMERS = 0.25, 50


@dataclass(frozen=True)
class Pace:
    """How fast what is taken moves on.

    Attributes
    ----------
    half_life : float
        Microseconds in which what was taken comes to count half.
    for_newcomers : bool
        Whether newcomers follow the trend as surely.
    """

    half_life: float = HALF_LIFE
    for_newcomers: bool = False


def pace_of(takings: Takings, moment: float) -> Pace:
    """Choose the half-life that foretells best.

    Parameters
    ----------
    takings : Takings
        Before the moment.
    moment : float
        Microseconds since 1970.
    """
    takings = _some(takings)
    if not len(takings):
        return Pace()
    span = moment - takings.when[0]
    length = min(max(span * LATER / STRETCHES, SHORTEST), LONGEST)
    starts = [moment - length * step for step in range(STRETCHES, 0, -1)]
    parts = [
        _foretell(takings, start, start + length) for start in starts if moment - start < span / 2
    ]
    parts = [part for part in parts if len(part.owner)]
    if not parts:
        return Pace()
    owner = np.concatenate([part.owner for part in parts])
    new = np.concatenate([part.new for part in parts])
    gain = np.concatenate([part.gain for part in parts], axis=1)
    usual, *others = _by_customer(gain, owner)
    best, half_life = usual, HALF_LIFE
    for found, life in zip(others, OTHERS, strict=True):
        if _is_sure(found - usual) and found.mean() > best.mean():
            best, half_life = found, life
    chosen = gain[[HALF_LIFE, *OTHERS].index(half_life)]
    newcomers = _by_customer(chosen[None, new], owner[new])[0]
    follow = len(newcomers) >= FEWEST_NEWCOMERS and newcomers.mean() > LEAST_OF_NEWCOMERS
    follow &= _is_sure(newcomers)
    return Pace(half_life, follow)


@dataclass(frozen=True)
class _Foretold:
    """How well what was taken in a stretch of time was foretold.

    Attributes
    ----------
    owner : ndarray of int, shape (events,)
        Who took it.
    new : ndarray of bool, shape (events,)
        Whether that customer had taken nothing before the stretch.
    gain : ndarray of float, shape (half-lives, events)
        Log of how much likelier trend made it.
    """

    owner: np.ndarray
    new: np.ndarray
    gain: np.ndarray


def _foretell(takings: Takings, start: float, stop: float) -> _Foretold:
    past = takings.before(start)
    stretch = slice(len(past), len(takings.before(stop)))
    offer, owner = takings.offer[stretch], takings.owner[stretch]
    count = past.count()
    open_then = (count > 0) & (takings.begin <= start) & (takings.end > start)
    if takings.shown is None:
        chance = np.ones(len(count))
    else:
        # As often as it was taken when shown, for each time that it is shown now.
        ever = takings.shown.between(-np.inf, start)
        chance = takings.shown.between(start, stop) / np.where(ever > 0, ever, np.inf)
        open_then &= chance > 0
    told = open_then[offer]
    offer, owner = offer[told], owner[told]
    # Of what nobody had taken, or is over, nothing is foretold.
    usual = np.full(len(count), -np.inf)
    usual[open_then] = np.log(count[open_then] * chance[open_then])
    gain = np.zeros((1 + len(OTHERS), len(offer)))
    if len(offer):
        for row, half_life in enumerate((HALF_LIFE, *OTHERS)):
            trend = trend_of(past, start, half_life)
            gain[row] = trend[offer] - logsumexp(usual + trend) + logsumexp(usual)
    return _Foretold(owner, ~np.isin(owner, past.owner), gain)


def _some(takings: Takings) -> Takings:
    """Keep what some customers took, all of theirs: or they would seem new."""
    kept = takings.owner % (1 + len(takings) // MOST_TAKEN) == 0
    return replace(
        takings, offer=takings.offer[kept], owner=takings.owner[kept], when=takings.when[kept]
    )


def _by_customer(gain: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return the mean gain of each customer: shape (half-lives, customers)."""
    _, person = np.unique(owner, return_inverse=True)
    count = np.bincount(person)
    return np.array([np.bincount(person, one) / count for one in gain])


def _is_sure(gain: np.ndarray) -> bool:
    """Tell whether the mean is above zero by more than chance."""
    if len(gain) < 2:
        return False
    return bool(gain.mean() > SURE * gain.std(ddof=1) / np.sqrt(len(gain)))
