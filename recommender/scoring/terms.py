"""The terms that the hybrid sums up, and what they count before any data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recommender.base import Source

NEW, KNOWN = "popularity of new offers", "popularity of known offers"
TREND = "popularity gained of late"
READY = "readiness of new offers"
UNMET = "met by nobody so far"
# Weights believed before any data, per term: nothing known, history, purchases, both. Of a new
# offer popularity is but a guess from what people buy, which content knows better. Those of lifts
# are shares of a log-odds, the others are per standard deviation.
PRIOR: Mapping[str, tuple[float, float, float, float]] = {
    Source.COLLABORATIVE: (0.0, 0.5, 0.0, 0.4),
    Source.CONTENT: (0.0, 0.4, 1.0, 0.8),
    Source.SEGMENT: (0.6, 0.3, 0.3, 0.2),
    Source.DEMOGRAPHIC: (0.4, 0.2, 0.2, 0.1),
    Source.SURVEY: (0.6, 0.4, 0.4, 0.3),
    KNOWN: (0.8, 0.6, 0.5, 0.4),
    NEW: (0.8, 0.6, 0.0, 0.0),
    TREND: (0.0, 0.0, 0.0, 0.0),
    READY: (0.3, 0.3, 0.3, 0.3),
    UNMET: (0.0, 0.0, 0.0, 0.0),
}
OF_NEW = (NEW, READY)  # terms that tell new offers apart, the same for every customer
OF_NEWNESS = (NEW, UNMET)  # terms that hold new offers against known ones, for every customer
RATES, SHARE = (NEW, KNOWN), 0.7  # of a log-odds: what is believed of them where they are chances
LIFTS = (Source.SEGMENT, Source.DEMOGRAPHIC, Source.SURVEY)
MOST_OF_LIFTS = 2.0  # log-odds: beyond, what few people tell of a group would rule their lists


def units(spread: float, rated: bool = False) -> np.ndarray:
    """Return the weight at which each term counts fully: shape (terms,).

    That is for a lift what brings it back to a log-odds, for others one standard deviation.

    Parameters
    ----------
    spread : float
        Of the log rates, popularity's scale.
    rated : bool
        Whether popularity is a chance if shown, so that a log-odds goes with it too.
    """
    log_odds = {str(term): spread for term in LIFTS}
    if rated:
        log_odds |= dict.fromkeys(RATES, SHARE * spread)
    return np.array([log_odds.get(term, 1.0) for term in PRIOR])


def limits(spread: float, newcomers_follow: bool = False) -> np.ndarray:
    """Return the most that each term may count: shape (terms, corners).

    Parameters
    ----------
    spread : float
        Of the log rates, popularity's scale.
    newcomers_follow : bool
        Whether trend tells what newcomers take.
    """
    most = {str(term): (MOST_OF_LIFTS * spread,) * 4 for term in LIFTS}
    # Of trend at most what turns the rate of all the past into that of late. Counts of what was
    # taken of late are of those who come back: a newcomer has not had yet what everybody takes.
    most[TREND] = (1.0,) * 4 if newcomers_follow else (0.0, 1.0) * 2
    return np.array([most.get(term, (np.inf,) * 4) for term in PRIOR])


def scale_of(scores: np.ndarray) -> tuple[float, float]:
    """Return the mean and the spread of scores, where there are any; NaN says nothing."""
    finite = scores[np.isfinite(scores)]
    if not finite.size:
        return 0.0, 1.0
    spread = float(finite.std())
    return float(finite.mean()), spread if spread > 1e-9 else 1.0
