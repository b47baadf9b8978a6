"""Logged decisions as arrays: what was shown, with which chance, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.crediting import credited
from data.dataset import Dataset
from data.errors import DataError
from data.idmap import IdMap
from data.schema import CLICK, CUSTOMER_ID, IMPRESSION, OCCURRED_AT, OFFER_ID, REDEMPTION
from evaluation.online import NOT_MEASURED, WINDOWS

MEASURES: Mapping[str, str] = {"ctr": CLICK, "conversion": REDEMPTION}
# Shown positions that the rate of the place counts for beside an offer's own.
PRIOR = 50.0
MOST_PLACES = 1000  # as long as `recommend` makes a list


@dataclass(frozen=True)
class Shown:
    """Every impression there is, and what is credited to it.

    Attributes
    ----------
    impressions : DataFrame
        Rows of interactions.
    answered : dict of str to ndarray of bool
        Per measure, the impressions that were answered.
    unmeasured : dict of str to str
        Why there is no such measure.
    """

    impressions: pd.DataFrame
    answered: dict[str, np.ndarray]
    unmeasured: dict[str, str]

    @classmethod
    def of(cls, dataset: Dataset) -> Shown:
        """Credit clicks and redemptions to impressions, as `evaluation.online` does."""
        impressions = dataset.events(IMPRESSION)
        answered, unmeasured = {}, {}
        for name, kind in MEASURES.items():
            events = dataset.events(kind)
            if events.empty:
                unmeasured[name] = f"{NOT_MEASURED}: no {kind}s are logged"
            else:
                answered[name] = credited(impressions, events, WINDOWS[kind])
        return cls(impressions, answered, unmeasured)


@dataclass(frozen=True)
class Log:
    """Impressions that an estimate can use; arrays have one row per shown position.

    Attributes
    ----------
    customers : list of str
        Who was shown something, sorted.
    customer, visit, position : ndarray of int
        Place in `customers`; which positions were shown together; place in the list, 1 is the top.
    offer : ndarray of str
    time : ndarray of datetime64
        UTC.
    propensity : ndarray of float
        Above 0, at most 1.
    answered : dict of str to ndarray of float
        Per measure, 1 where the position was answered.
    unmeasured : dict of str to str
        Why there is no such measure.
    left_out : dict of str to int
        Impressions that cannot be used, by reason.
    notes : tuple of str
    """

    customers: list[str]
    customer: np.ndarray
    visit: np.ndarray
    position: np.ndarray
    offer: np.ndarray
    time: np.ndarray
    propensity: np.ndarray
    answered: dict[str, np.ndarray]
    unmeasured: dict[str, str]
    left_out: dict[str, int]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.offer)

    @property
    def decisions(self) -> int:
        """How many lists were shown, in whole or in part."""
        return len(np.unique(self.visit))


def read_log(shown: Shown, since: pd.Timestamp, until: pd.Timestamp) -> Log:
    """Return the impressions from a moment on until another.

    Raises
    ------
    DataError
        There are none, or none with a usable propensity.
    """
    when = shown.impressions[OCCURRED_AT]
    within = ((when >= since) & (when < until)).to_numpy(dtype=bool)
    if not within.any():
        raise DataError(
            f"interactions: there is no impression from {since.isoformat()} on.",
            "Log what is shown as rows of event_type impression, or choose an earlier --at.",
        )
    window = shown.impressions[within]
    propensity = window["propensity"].to_numpy(dtype=np.float64)
    position = window["position"].to_numpy(dtype=np.float64)
    notes = []
    if np.isnan(position).all():
        notes.append("No position is logged: every impression counts as the top of its list.")
        position = np.ones(len(window))
    whole = (position >= 1) & (position <= MOST_PLACES)
    whole[whole] = position[whole] % 1 == 0
    problems = {
        "without a propensity": np.isnan(propensity),
        "with a propensity of 0 or less": propensity <= 0,
        "with a propensity above 1": propensity > 1,
        f"without a whole position from 1 to {MOST_PLACES}": ~whole,
    }
    usable, left_out = np.ones(len(window), dtype=bool), {}
    for why, bad in problems.items():
        if (usable & bad).any():
            left_out[why] = int((usable & bad).sum())
        usable &= ~bad
    if not usable.any():
        told = ", ".join(f"{n:,} {why}" for why, n in left_out.items())
        raise DataError(
            f"interactions: no impression from {since.isoformat()} on can be weighed ({told}).",
            "Log in the column propensity the chance, above 0 and at most 1, with which the offer "
            "was shown at its position.",
        )
    window = window[usable]
    customers, customer = np.unique(
        window[CUSTOMER_ID].to_numpy(dtype=np.str_), return_inverse=True
    )
    return Log(
        customers=customers.tolist(),
        customer=customer,
        visit=_visits(window),
        position=position[usable].astype(np.int64),
        offer=window[OFFER_ID].to_numpy(dtype=np.str_),
        time=window[OCCURRED_AT].dt.tz_localize(None).to_numpy(),
        propensity=propensity[usable],
        answered={
            name: mark[within][usable].astype(float) for name, mark in shown.answered.items()
        },
        unmeasured=shown.unmeasured,
        left_out=left_out,
        notes=tuple(notes),
    )


def past_rates(
    dataset: Dataset, before: pd.Timestamp, offers: IdMap, places: int
) -> tuple[dict[str, np.ndarray], int]:
    """Learn how often each offer was answered at each place before a moment: the reward model.

    Answers that came later are none yet. A rate is drawn towards its place's by `PRIOR` shown
    positions; a place that was never shown has the rate of all.

    Returns
    -------
    rates : dict of str to ndarray of float, shape (offers, places)
        Per measure; 0 everywhere where no such answer was logged yet.
    n : int
        Impressions they are learnt from.
    """
    shown = Shown.of(dataset.before(before))
    frame = shown.impressions
    position = frame["position"].fillna(1.0).to_numpy(dtype=np.float64)
    past = offers.known(frame[OFFER_ID]) & (position >= 1) & (position <= places)
    row = offers.rows(frame.loc[past, OFFER_ID])
    cell = row * places + position[past].astype(np.int64) - 1
    shape = (len(offers), places)

    def count(weights: np.ndarray) -> np.ndarray:
        return np.bincount(cell, weights=weights, minlength=shape[0] * shape[1]).reshape(shape)

    times = count(np.ones(len(cell)))
    rates = {}
    for name in MEASURES:
        mark = shown.answered.get(name, np.zeros(len(frame), dtype=bool))
        hits = count(mark[past].astype(float))
        overall = hits.sum() / max(times.sum(), 1.0)
        of_place = (hits.sum(axis=0) + PRIOR * overall) / (times.sum(axis=0) + PRIOR)
        rates[name] = (hits + PRIOR * of_place) / (times + PRIOR)
    return rates, len(cell)


def _visits(shown: pd.DataFrame) -> np.ndarray:
    """Give what was shown together one number: a decision, or else a customer's moment."""
    moment = shown[OCCURRED_AT].astype("str")
    together = shown["decision_id"].fillna(moment)
    return np.asarray(shown.groupby([shown[CUSTOMER_ID], together], sort=False).ngroup())
