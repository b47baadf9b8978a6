"""Interactions held out at random: where time says nothing of what came first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, EVENT_TYPE, IMPRESSION, OFFER_ID, REDEMPTION
from recommender.outcomes import is_logged

HELD_OUT = 0.2


def draw_at_random(dataset: Dataset, kind: str, seed: int) -> tuple[np.ndarray, bool]:
    """Draw interactions to hold out: pairs of customer and offer, with everything between them.

    Else clicks would tell. Where showing is logged what was shown in vain is held out alike, or
    that a pair is gone would tell that it was taken; and of what can be redeemed again single
    showings, each with one click and one redemption: nothing else says whether it is.

    Parameters
    ----------
    kind : str
        What counts as taken: redemption or click.

    Returns
    -------
    drawn : ndarray of bool, shape (interactions,)
    logged : bool
        Whether showing is logged.
    """
    random = np.random.default_rng(seed)
    log, people, offers = dataset.interactions, dataset.customer_ids, dataset.offer_ids
    logged = kind == REDEMPTION and is_logged(dataset.events(kind), dataset.events(IMPRESSION))
    offer = offers.rows(log[OFFER_ID])
    pair = people.rows(log[CUSTOMER_ID]) * len(offers) + offer
    counts = log[EVENT_TYPE] == kind
    nth = np.zeros(len(log), dtype=np.int64)
    if logged:
        counts |= log[EVENT_TYPE] == IMPRESSION
        order = random.permutation(len(log))
        what = pd.DataFrame({"pair": pair, "type": pd.factorize(log[EVENT_TYPE])[0]}).iloc[order]
        nth[order] = what.groupby(["pair", "type"]).cumcount()
        nth *= dataset.repeatable[offer]
    _, key = np.unique(pair * (nth.max(initial=0) + 1) + nth, return_inverse=True)
    may_go = np.bincount(key[counts.to_numpy()], minlength=key.max(initial=-1) + 1) > 0
    return np.asarray((may_go & (random.random(len(may_go)) < HELD_OUT))[key]), logged
