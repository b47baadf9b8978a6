"""Interactions held out at random: where time says nothing of what came first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset, microseconds, transaction_numbers
from data.schema import (
    BOUGHT,
    CUSTOMER_ID,
    EVENT_TYPE,
    IMPRESSION,
    ITEM_ID,
    OCCURRED_AT,
    OFFER_ID,
    REDEMPTION,
)
from recommender.features.keys import STATED
from recommender.past.outcomes import is_logged

HELD_OUT = 0.2
LEAST_NEW = 0.01  # share of offers that nobody met from which lists of new ones are learnt from


def draw_at_random(
    dataset: Dataset, kind: str, seed: int, part: int = 0
) -> tuple[np.ndarray, bool]:
    """Draw interactions to hold out: pairs of customer and offer.

    Clicks stay, but those that are later than the redemption: who redeems has often clicked before,
    and without that it would seem that nobody redeems what they clicked. Where showing is logged
    everything between the two goes, what was shown in vain alike, or that a pair is gone would tell
    that it was taken. Of what can be redeemed again single events go, each showing with one click
    and one redemption: nothing else says whether it is. Where to buy counts as to take whole pairs
    go, as do all purchases of them.

    Parameters
    ----------
    kind : str
        What counts as taken: redemption, click or purchase.
    part : int
        Which of the parts of this size, of which none holds what another does.

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
    if logged or (kind != BOUGHT and dataset.repeatable[offer].any()):
        order = random.permutation(len(log))
        what = pd.DataFrame({"pair": pair, "type": pd.factorize(log[EVENT_TYPE])[0]}).iloc[order]
        nth[order] = what.groupby(["pair", "type"]).cumcount()
        nth *= dataset.repeatable[offer]
    _, key = np.unique(pair * (nth.max(initial=0) + 1) + nth, return_inverse=True)
    may_go = np.bincount(key[counts.to_numpy()], minlength=key.max(initial=-1) + 1) > 0
    of_part = np.floor(random.random(len(may_go)) / HELD_OUT) == part
    drawn = (may_go & of_part)[key]
    if kind == REDEMPTION and not logged:
        own = counts.to_numpy()
        when = microseconds(log[OCCURRED_AT]).to_numpy(dtype=np.float64, na_value=np.nan)
        first = np.full(len(may_go), np.inf)
        np.fmin.at(first, key[own], when[own])
        drawn &= own | (when > first[key])
    return np.asarray(drawn), logged


def draw_offers(dataset: Dataset, seed: int) -> frozenset[str]:
    """Draw offers to hold out, about as many of those there are as are new now.

    Without dates no moment of the past tells how well new offers are listed. None where nothing is
    new, or where offers are dated.
    """
    ids = dataset.offer_ids.ids
    known = np.isin(ids, dataset.interactions[OFFER_ID].unique())
    dated = dataset.offers[["valid_from", "valid_until"]].notna().any(axis=None)
    new = 1.0 - known.mean() if len(ids) else 0.0
    if dated or new < LEAST_NEW:
        return frozenset()
    # Of those known alone: somebody may have held out others by the same numbers.
    drawn = np.random.default_rng(seed).random(np.count_nonzero(known)) < min(HELD_OUT, new)
    return frozenset(ids[known][drawn].tolist())


def bought_with(dataset: Dataset, drawn: np.ndarray) -> np.ndarray:
    """Find the transactions by which what is held out may have been redeemed: shape (lines,).

    They would tell what was taken. They are all that hold anything an offer held out is for: its
    items, or where either names none, its category or merchant.

    Parameters
    ----------
    drawn : ndarray of bool, shape (interactions,)
    """
    lines, offers = dataset.transactions, dataset.offers
    pairs = dataset.interactions.loc[drawn, [CUSTOMER_ID, OFFER_ID]].drop_duplicates()
    described = dataset.items.drop_duplicates(ITEM_ID).set_index(ITEM_ID)
    hit = np.zeros(len(lines), dtype=bool)
    told = [(lines[ITEM_ID], dataset.offer_items[[OFFER_ID, ITEM_ID]])]
    for name in STATED:
        stated = offers[[OFFER_ID, name]].dropna()
        told.append((lines[name].where(lines[ITEM_ID].isna()), stated))
        for value in (lines[name], lines[ITEM_ID].map(described[name])):
            told.append((value, stated[~stated[OFFER_ID].isin(dataset.offer_items[OFFER_ID])]))
    for value, of_offers in told:
        wanted = pairs.merge(of_offers, on=OFFER_ID).drop(columns=OFFER_ID)
        if wanted.empty:
            continue
        bought = pd.MultiIndex.from_arrays([lines[CUSTOMER_ID], value])
        hit |= bought.isin(pd.MultiIndex.from_frame(wanted)) & value.notna().to_numpy()
    whole = pd.MultiIndex.from_arrays([lines[CUSTOMER_ID], transaction_numbers(lines)])
    return np.asarray(whole.isin(whole[hit]))
