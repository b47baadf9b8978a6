"""A moment in the past, what was known then and what happened after it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from data.dataset import Dataset
from data.schema import (
    CLICK,
    CUSTOMER_ID,
    EVENT_TYPE,
    IMPRESSION,
    OCCURRED_AT,
    OFFER_ID,
    REDEMPTION,
)
from recommender.fitting.chances import open_showings
from recommender.fitting.delays import fit_delays
from recommender.fitting.examination import looked_at
from recommender.past.outcomes import outcomes_of


@dataclass(frozen=True)
class Fold:
    """What was known at a moment and what happened after it.

    Attributes
    ----------
    past : Dataset
        Rows before `at`.
    at : Timestamp
        The moment.
    taken : DataFrame
        Distinct pairs customer_id, offer_id redeemed (or clicked) after it.
    shown : DataFrame
        The same pairs' and others' showings after it, with their number `n`, each showing counted
        as its place is looked at and its time has passed, and how many led to a redemption,
        `taken`; empty where showing is not logged.
    logged : bool
        Whether what was redeemed after the moment had, for the most part, been shown before: then
        the chance of a redemption if shown can be learnt. Never true of clicks.
    by_time : bool
        False where pairs were held out at random because time gives no cut; of these all showings
        are held out.
    among : frozenset of str
        The offers that were held out, as if they were new: lists are of these alone. None where
        lists are of all.
    """

    past: Dataset
    at: pd.Timestamp
    taken: pd.DataFrame
    shown: pd.DataFrame
    logged: bool = False
    by_time: bool = True
    among: frozenset[str] = frozenset()


def count_showings(
    dataset: Dataset, later: pd.DataFrame, until: pd.Timestamp, *, by_time: bool = True
) -> pd.DataFrame:
    """Count what was shown among some interactions, and what it led to, as `Fold.shown` says.

    Of what was drawn at random a redemption may be that of any showing.
    """
    shown = open_showings(dataset, later[later[EVENT_TYPE] == IMPRESSION])
    if shown.empty:
        return nothing_shown()
    passed = fit_delays(dataset, until).passed(shown, until)
    weight = looked_at(shown, dataset.events(CLICK)) * passed
    redeemed = later[later[EVENT_TYPE] == REDEMPTION]
    if not by_time:
        shown, redeemed = (rows.assign(**{OCCURRED_AT: until}) for rows in (shown, redeemed))
    return outcomes_of(dataset, shown, weight, redeemed)


def nothing_shown() -> pd.DataFrame:
    """Return what was shown where showing is not logged."""
    return pd.DataFrame({CUSTOMER_ID: [], OFFER_ID: [], "n": [], "taken": []})
