"""How likely each place of a list is looked at, from what was clicked where.

The position model of Richardson, Dominowska & Ragno (2007, "Predicting clicks"): a click needs the
place to be looked at and the offer to be wanted, so clicks are place times offer. Places and offers
are told apart because the same offer stood at several places; both factors are fitted by turns.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.crediting import credited
from data.schema import CUSTOMER_ID, OFFER_ID, POSITION

MOST_PLACES = 50  # places further down count as the last of these
MOST_ROWS = 1_000_000  # impressions that places are told from
FEWEST = 100  # clicks without which every place counts the same
STRENGTH = 20.0  # clicks by which a place is held to the average one
ROUNDS = 20


def looked_at(impressions: pd.DataFrame, clicks: pd.DataFrame) -> np.ndarray:
    """Return how much each impression counts: shape (impressions,), one on average.

    Of an impression without a place nothing is known: it counts one.

    Parameters
    ----------
    impressions, clicks : DataFrame
        Interactions; a click is credited to the last impression of the pair before it.
    """
    weight = np.ones(len(impressions))
    placed = impressions[POSITION].notna().to_numpy()
    place = impressions.loc[placed, POSITION].to_numpy(dtype=np.int64)
    place = np.clip(place - 1, 0, MOST_PLACES - 1)
    if len(clicks) < FEWEST or len(np.unique(place)) < 2:
        return weight
    share = -(-len(impressions) // MOST_ROWS)
    kept = (pd.factorize(impressions[CUSTOMER_ID])[0] % share) == 0
    # A click may be that of a showing without a place.
    clicked = credited(impressions[kept], clicks)[placed[kept]]
    offer = pd.factorize(impressions.loc[kept & placed, OFFER_ID])[0]
    found = _fit_places(place[kept[placed]], offer, clicked)[place]
    weight[placed] = found / found.mean()
    return weight


def _fit_places(place: np.ndarray, offer: np.ndarray, clicked: np.ndarray) -> np.ndarray:
    """Fit clicks as place times offer (Poisson), places held to one."""
    shape = (int(offer.max(initial=-1)) + 1, MOST_PLACES)
    cell = offer * MOST_PLACES + place
    shown = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    clicks = np.bincount(cell, weights=clicked, minlength=shape[0] * shape[1]).reshape(shape)
    weight = np.ones(MOST_PLACES)
    for _ in range(ROUNDS):
        rate = clicks.sum(axis=1) / np.maximum(shown @ weight, 1e-9)
        weight = (clicks.sum(axis=0) + STRENGTH) / (rate @ shown + STRENGTH)
    return weight
