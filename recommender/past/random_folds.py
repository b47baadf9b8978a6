"""What is held out at random, of pairs and of offers: moments like the present."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, EVENT_TYPE, OFFER_ID, REDEMPTION
from recommender.past.at_random import bought_with, draw_at_random, draw_offers
from recommender.past.fold import Fold, count_showings, nothing_shown
from recommender.past.moments import FEWEST_EVENTS
from recommender.past.outcomes import is_logged

PARTS = 5  # that are held out at random, one after the other, at most
FEWEST_HELD = 10  # offers held out for lists of them to say something
PLENTY = 2000  # redemptions that tell a level within a few per cent


def random_folds(
    dataset: Dataset, events: pd.DataFrame, at: pd.Timestamp, seed: int, *, alone: bool
) -> list[Fold]:
    """Hold out some of what happened at random: for data whose times are all alike or too few.

    Of few redemptions where showing is logged one part after the other: the level of probabilities
    is no surer than the number of redemptions that tell it. Lists learn no more from it: they are
    of the same people.

    Parameters
    ----------
    alone : bool
        Whether no moment in time tells anything: those tell how new offers are listed as well.
    """
    pair = [CUSTOMER_ID, OFFER_ID]
    if len(events[pair].drop_duplicates()) < FEWEST_EVENTS:
        return []
    kind, log, lines = events[EVENT_TYPE].iloc[0], dataset.interactions, dataset.transactions
    found: list[Fold] = []
    for part in range(PARTS):
        gone, logged = draw_at_random(dataset, kind, seed, part)
        held: pd.DataFrame = log[gone]
        taken = held.loc[held[EVENT_TYPE] == kind, pair].drop_duplicates()
        counts = count_showings(dataset, held, at, by_time=False) if logged else nothing_shown()
        kept = lines[~bought_with(dataset, gone)]
        past = replace(dataset, interactions=log[~gone], transactions=kept)
        found.append(Fold(past, at, taken, counts, logged, False))
        if not logged or sum(len(fold.taken) for fold in found) >= PLENTY:
            break
    if alone:
        found += _offers_fold(dataset, events, at, seed)
    return found


def _offers_fold(dataset: Dataset, events: pd.DataFrame, at: pd.Timestamp, seed: int) -> list[Fold]:
    """Hold out all that happened to some offers, where others are new now.

    Where showing is logged, what came of their showings tells how likely new offers are taken.
    """
    held, log = draw_offers(dataset, seed), dataset.interactions
    taken = events.loc[events[OFFER_ID].isin(held), [CUSTOMER_ID, OFFER_ID]].drop_duplicates()
    if len(held) < FEWEST_HELD or len(taken) < FEWEST_EVENTS:
        return []
    gone = log[OFFER_ID].isin(held).to_numpy()
    lines = dataset.transactions[~bought_with(dataset, gone)]
    past = replace(dataset, interactions=log[~gone], transactions=lines)
    counts = count_showings(dataset, log[gone], at, by_time=False)
    logged = events[EVENT_TYPE].iloc[0] == REDEMPTION and is_logged(taken, counts)
    shown = counts if logged else nothing_shown()
    return [Fold(past, at, taken, shown, logged, by_time=False, among=held)]
