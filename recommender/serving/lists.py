"""What a list should be like, and lists as they are handed on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd

from recommender.base import HYBRID
from recommender.serving.ranking import Knobs


@dataclass(frozen=True)
class Wish:
    """What a list should be like.

    Attributes
    ----------
    at : Timestamp
        The moment it is for; offers not valid then are no candidates.
    n : int
        Length.
    policy : str
        One of `recommender.base.POLICIES`.
    category : str, optional
        Only offers of this category.
    offers : collection of str, optional
        Only these offers.
    exclude : collection of str
        None of these offers.
    include_seen : bool
        List redeemed offers again.
    seed : int
        Seed of the random policy.
    explain : bool
        With the contributions of every listed offer.
    knobs : Knobs
        Novelty and diversity, for policy hybrid.
    """

    at: pd.Timestamp
    n: int = 10
    policy: str = HYBRID
    category: str | None = None
    offers: Collection[str] | None = None
    exclude: Collection[str] = field(default_factory=tuple)
    include_seen: bool = False
    seed: int = 0
    explain: bool = True
    knobs: Knobs = field(default_factory=Knobs)


@dataclass(frozen=True)
class Listed:
    """One offer of a list.

    Attributes
    ----------
    row : int
        Row of the offer.
    score : float
        Probability of a redemption if shown where calibrated, else relative.
    source : str
        The source that speaks most for it.
    contributions : dict of str to float
        Per source, and ``intercept``: they add up to logit(score), or to the score where not
        calibrated. Empty for policies other than hybrid, and where not wished for.
    """

    row: int
    score: float
    source: str
    contributions: dict[str, float]


@dataclass(frozen=True)
class Ranked:
    """Lists of n customers as arrays; k is the length of the longest.

    Attributes
    ----------
    rows : ndarray of int, shape (n, k)
        Rows of the offers, best first.
    length : ndarray of int, shape (n,)
        How many of them are listed.
    score : ndarray of float, shape (n, k)
        As in `Listed`.
    source : ndarray of int, shape (n, k)
        Place of the source that speaks most.
    contributions : ndarray of float, shape (n, k, sources + 1)
        Per source, then the intercept; of width zero for policies other than hybrid.
    speaking : ndarray of bool, shape (n, sources)
        Sources that can say something; of width zero for policies other than hybrid.
    """

    rows: np.ndarray
    length: np.ndarray
    score: np.ndarray
    source: np.ndarray
    contributions: np.ndarray
    speaking: np.ndarray


def stacked(parts: Sequence[Ranked]) -> Ranked:
    """Put lists of equal width on top of each other."""
    return Ranked(
        *(np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(Ranked))
    )


@dataclass(frozen=True)
class Listing:
    """A list for one customer, and in one word what it is made from."""

    strategy: str
    offers: list[Listed]
