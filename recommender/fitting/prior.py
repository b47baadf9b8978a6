"""The hybrid believed before any data."""

from __future__ import annotations

import numpy as np

from recommender.base import Source
from recommender.hybrid import Hybrid
from recommender.scoring.starts import Start
from recommender.scoring.terms import PRIOR, scale_of, units

HALF_KNOWN = 5.0  # redemptions after which an offer is as much known as new
# Log-odds: offers that hardly differ do so by chance, and what counts in units of that would count
# otherwise tomorrow.
LEAST_SPREAD = 0.25


def prior_hybrid(
    popularity: np.ndarray,
    collaborative: np.ndarray,
    content: np.ndarray,
    redemptions: np.ndarray,
    trend: np.ndarray,
    ready: np.ndarray,
    unmet: np.ndarray,
    steep: np.ndarray,
    start: Start,
    rated: bool = False,
    segmented: bool = True,
) -> Hybrid:
    """Build the hybrid believed before any data.

    The four sources that are log rates share one scale, so that a lift means the same in each.

    Parameters
    ----------
    popularity : ndarray of float, shape (offers,)
        What popularity scores.
    collaborative, content : ndarray of float, shape (n, offers)
        Scores of a sample of customers, for their scales.
    redemptions : ndarray of float, shape (offers,)
        Of all customers.
    trend : ndarray of float, shape (offers,)
        What the log rates gained of late.
    ready : ndarray of float, shape (offers,)
        The offers' readiness.
    unmet : ndarray of float, shape (offers,)
        As in `Hybrid`.
    steep : ndarray of float, shape (offers,)
        How far the log-odds of the rates are above what popularity scores.
    start : Start
        What customers start from.
    rated : bool
        Whether rates are chances if shown: then popularity counts a share of a log-odds as well.
    segmented : bool
        Whether there are segments; without them the profile alone tells what both would.
    """
    scale = {Source.COLLABORATIVE: scale_of(collaborative), Source.CONTENT: scale_of(content)}
    centre, spread = scale_of(popularity)
    rates = centre, max(spread, LEAST_SPREAD)
    pairs = [scale.get(source, rates) for source in Source]
    believed = {term: np.array(row) for term, row in PRIOR.items()}
    if not segmented:
        believed[Source.DEMOGRAPHIC] += believed[Source.SEGMENT]
    return Hybrid(
        sources=tuple(str(source) for source in Source),
        centre=np.array([centre for centre, _ in pairs]),
        scale=np.array([spread for _, spread in pairs]),
        weight=np.array(list(believed.values())) * units(rates[1], rated)[:, None],
        known=redemptions / (redemptions + HALF_KNOWN),
        trend=trend / rates[1],
        ready=ready,
        unmet=unmet,
        steep=steep / rates[1],
        start=start,
    )
