"""Moments in the past at which a list can be judged by what was redeemed after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from data.dataset import Dataset, positive_among, valid_at
from data.schema import (
    CUSTOMER_ID,
    EVENT_TYPE,
    IMPRESSION,
    OCCURRED_AT,
    OFFER_ID,
    REDEMPTION,
)
from recommender.features.bought import known_before
from recommender.past.fold import Fold, count_showings
from recommender.past.moments import FEWEST_EVENTS, choose_moments, were_newer
from recommender.past.outcomes import is_logged
from recommender.past.random_folds import random_folds
from recommender.past.thinning import some_customers, thin


def look_back(dataset: Dataset, at: pd.Timestamp, seed: int = 0) -> list[Fold]:
    """Lay out past moments as far as they are learnt from: of some customers, machines thinned."""
    return make_folds(thin(some_customers(dataset, seed=seed)), at, seed)


def make_folds(dataset: Dataset, at: pd.Timestamp, seed: int = 0) -> list[Fold]:
    """Lay out past moments (see `choose_moments`) with what happened after each.

    Where time gives none, pairs are held out at random; so they are where most of what was taken
    after those moments was taken by people not met before, to say what a history is worth. Where
    all that was on offer at those moments was new then and is known now, as after a trial with some
    of the customers, half of the customers are held out of late: what they were shown is told by
    what others did with it.

    Parameters
    ----------
    dataset : Dataset
        Rows before `at`.

    Returns
    -------
    list of Fold
        Oldest first, that of half the customers or the random one last; empty where nothing was
        redeemed or clicked.
    """
    kind = dataset.positive_type()
    if kind is None:
        return []
    events = dataset.takings(kind)
    moments, horizon = choose_moments(dataset, kind, at)
    # Of what comes after the data nothing is seen: no showing has aged by it.
    found = [_fold(dataset, events, moment, min(moment + horizon, at)) for moment in moments]
    if any(fold.logged for fold in found) and were_newer(dataset, moments, at):
        found += _half_fold(dataset, events, moments[-1], at, seed)
    # What was shown next would decide over pairs held out where showing is logged.
    if not any(fold.logged or _tells_of_histories(dataset, fold) for fold in found):
        found += random_folds(dataset, events, at, seed, alone=not found)
    return found


def fold_at(dataset: Dataset, moment: pd.Timestamp, until: pd.Timestamp) -> Fold:
    """Lay out one moment with all that followed it until another.

    What counts is redemptions; clicks where nothing was redeemed in between.
    """
    window = known_before(dataset, until)
    later = window.interactions[window.interactions[OCCURRED_AT] >= moment]
    events = later[later[EVENT_TYPE] == positive_among(later)]
    return _fold(window, events, moment, until)


def _covered(
    dataset: Dataset, events: pd.DataFrame, moment: pd.Timestamp, until: pd.Timestamp
) -> pd.DataFrame:
    inside = (events[OCCURRED_AT] >= moment) & (events[OCCURRED_AT] < until)
    valid = dataset.offers.loc[valid_at(dataset.offers, moment), OFFER_ID]
    return events[inside & events[OFFER_ID].isin(valid)]


def _fold(
    dataset: Dataset, events: pd.DataFrame, moment: pd.Timestamp, until: pd.Timestamp
) -> Fold:
    pair = [CUSTOMER_ID, OFFER_ID]
    taken = _covered(dataset, events, moment, until)[pair].drop_duplicates()
    log = dataset.interactions
    counts = count_showings(
        dataset, log[(log[OCCURRED_AT] >= moment) & (log[OCCURRED_AT] < until)], until
    )
    logged = bool((events[EVENT_TYPE] == REDEMPTION).all()) and is_logged(taken, counts)
    return Fold(known_before(dataset, moment), moment, taken, counts, logged)


def _half_fold(
    dataset: Dataset, events: pd.DataFrame, moment: pd.Timestamp, at: pd.Timestamp, seed: int
) -> list[Fold]:
    """Hold out what half of the customers did since the offers of today came after a moment."""
    ids, shown = dataset.customer_ids, dataset.events(IMPRESSION)
    today = shown[OFFER_ID].isin(dataset.offers.loc[valid_at(dataset.offers, at), OFFER_ID])
    first = shown[today].groupby(OFFER_ID)[OCCURRED_AT].min()
    since = first[first >= moment].min()
    half = np.random.default_rng(seed).permutation(len(ids)) % 2 > 0

    def of_half(frame: pd.DataFrame) -> np.ndarray:
        late = (frame[OCCURRED_AT] >= since).to_numpy(dtype=bool)
        return np.asarray(half[ids.rows(frame[CUSTOMER_ID])] & late)

    taken = events.loc[of_half(events), [CUSTOMER_ID, OFFER_ID]].drop_duplicates()
    log, lines = dataset.interactions, dataset.transactions
    gone = of_half(log)
    counts = count_showings(dataset, log[gone], at)
    if len(taken) < FEWEST_EVENTS or not is_logged(taken, counts):
        return []
    past = replace(dataset, interactions=log[~gone], transactions=lines[~of_half(lines)])
    return [Fold(past, at, taken, counts, logged=True)]


def _tells_of_histories(dataset: Dataset, fold: Fold) -> bool:
    """Tell whether most was taken by customers of whom something had happened before.

    Where few come back, as where people say once what they like, those who do are others: by them
    alone a history would seem to tell less than what is popular of late.
    """
    ids = dataset.customer_ids
    met = np.zeros(len(ids), dtype=bool)
    for events in (fold.past.interactions, fold.past.transactions):
        met[ids.rows(events[CUSTOMER_ID])] = True
    back = met[ids.rows(fold.taken[CUSTOMER_ID])]
    return bool(back.sum() >= max(FEWEST_EVENTS, len(back) / 2))
