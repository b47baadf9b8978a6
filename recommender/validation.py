"""Moments in the past at which a list can be judged by what was redeemed after it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.dataset import Dataset, valid_at
from data.schema import (
    CLICK,
    CUSTOMER_ID,
    EVENT_TYPE,
    IMPRESSION,
    OCCURRED_AT,
    OFFER_ID,
    REDEMPTION,
)
from recommender.chances import open_showings
from recommender.delays import fit_delays
from recommender.examination import looked_at
from recommender.newness import newness_at

FOLDS = 2
FEWEST_EVENTS, PLENTY = 20, 20_000  # redemptions for a moment to say something; to say enough
MOST_STARTS = 20
SHOWN_SHARE = 0.5
SHORTEST, LONGEST = pd.Timedelta(days=7), pd.Timedelta(days=60)
NEARLY = 0.8  # of the most redemptions that any moment has
ALIKE = 0.05  # newness by which moments may differ and still be as like the present as each other
HELD_OUT = 0.2
MOST_CUSTOMERS = 20_000  # a dozen weights are learnt as well from so many as from all


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
        as its place is looked at and its time has passed; empty where showing is not logged.
    logged : bool
        Whether what was redeemed after the moment had, for the most part, been shown before: then
        the chance of a redemption if shown can be learnt. Never true of clicks.
    by_time : bool
        False where pairs were held out at random because time gives no cut.
    """

    past: Dataset
    at: pd.Timestamp
    taken: pd.DataFrame
    shown: pd.DataFrame
    logged: bool = False
    by_time: bool = True


def some_customers(dataset: Dataset, most: int = MOST_CUSTOMERS, seed: int = 0) -> Dataset:
    """Keep what is known of a random sample of the customers where there are very many."""
    ids = dataset.customer_ids
    if len(ids) <= most:
        return dataset
    chosen = np.zeros(len(ids), dtype=bool)
    chosen[np.random.default_rng(seed).choice(len(ids), most, replace=False)] = True

    def of_chosen(frame: pd.DataFrame) -> pd.DataFrame:
        kept: pd.DataFrame = frame[chosen[ids.rows(frame[CUSTOMER_ID])]]
        return kept

    return replace(
        dataset,
        customers=of_chosen(dataset.customers),
        transactions=of_chosen(dataset.transactions),
        interactions=of_chosen(dataset.interactions),
        survey_answers=of_chosen(dataset.survey_answers),
    )


def make_folds(dataset: Dataset, at: pd.Timestamp, seed: int = 0) -> list[Fold]:
    """Choose validation moments before `at`.

    A moment is judged best where most of what was redeemed afterwards was already on offer. Of the
    moments that have nearly as many such redemptions as any, the latest is taken; then, unless that
    one has plenty, the next, without overlap. Where showing is logged, the first is one at which
    the offers were about as new as they are now: elsewhere an offer that has long been shown cannot
    be told from a new one. The second says what holds at other moments too. Where hardly anybody
    who took something afterwards had been met before, pairs held out at random say what a history
    is worth.

    Parameters
    ----------
    dataset : Dataset
        Rows before `at`.

    Returns
    -------
    list of Fold
        Oldest first, the random one last; empty where nothing was redeemed or clicked.
    """
    kind = dataset.positive_type()
    if kind is None:
        return []
    events = dataset.takings(kind)
    first = pd.concat([dataset.interactions[OCCURRED_AT], dataset.transactions[OCCURRED_AT]]).min()
    span = at - first
    horizon = min(max(span / 6, SHORTEST), LONGEST)
    moments = _moments(dataset, first, at, horizon)
    covered = _coverage(dataset, events, moments, horizon)
    gap = dict.fromkeys(moments, 0.0)
    if kind == REDEMPTION and _is_logged(events, dataset.events(IMPRESSION)):
        newness = newness_at(dataset, [*moments, at])
        gaps = np.nan_to_num(np.abs(newness[:-1] - newness[-1]))
        gap = dict(zip(moments, gaps.tolist(), strict=True))
    chosen: list[pd.Timestamp] = []
    while covered and len(chosen) < FOLDS and max(covered.values()) >= FEWEST_EVENTS:
        enough = NEARLY * max(covered.values())
        telling = [moment for moment, events_there in covered.items() if events_there >= enough]
        least = min(gap[moment] for moment in telling)
        best = max(moment for moment in telling if gap[moment] <= least + ALIKE)
        chosen.append(best)
        if covered[best] >= PLENTY:
            break
        covered = {m: n for m, n in covered.items() if abs(m - best) >= horizon}
        gap = dict.fromkeys(moments, 0.0)
    found = [_fold(dataset, events, moment, horizon) for moment in sorted(chosen)]
    # What was shown next would decide over pairs held out where showing is logged.
    if not any(fold.logged or _tells_of_histories(dataset, fold) for fold in found):
        found += _random_fold(dataset, events, at, seed)
    return found


def fold_at(dataset: Dataset, moment: pd.Timestamp, until: pd.Timestamp) -> Fold:
    """Lay out one moment with all that followed it until another.

    What counts is redemptions; clicks where nothing was redeemed in between.
    """
    window = dataset.before(until)
    later = window.interactions[window.interactions[OCCURRED_AT] >= moment]
    redeemed = bool((later[EVENT_TYPE] == REDEMPTION).any())
    events = later[later[EVENT_TYPE] == (REDEMPTION if redeemed else CLICK)]
    return _fold(window, events, moment, until - moment)


def _moments(
    dataset: Dataset, first: pd.Timestamp, at: pd.Timestamp, horizon: pd.Timedelta
) -> list[pd.Timestamp]:
    """List candidate moments: a grid over the later two thirds, and the starts of offers there."""
    begin, end = first + (at - first) / 3, at - horizon / 2
    if begin >= end:
        return []
    grid = [at - horizon * step / 4 for step in range(2, 40)]
    # Moments at which many offers begin are where lists of new offers can be judged.
    starts = list(dataset.offers["valid_from"].value_counts().index[:MOST_STARTS])
    return sorted({moment for moment in (*grid, *starts) if begin <= moment <= end}, reverse=True)


def _coverage(
    dataset: Dataset, events: pd.DataFrame, moments: list[pd.Timestamp], horizon: pd.Timedelta
) -> dict[pd.Timestamp, int]:
    """Count what each moment can be judged by."""
    offer = pd.Index(dataset.offers[OFFER_ID]).get_indexer(pd.Index(events[OFFER_ID]))
    # Nanoseconds; a missing time is before all moments.
    when = events[OCCURRED_AT].dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64)
    order = when.argsort(kind="stable")
    order = order[offer[order] >= 0]
    offer, when = offer[order], when[order]
    found = {}
    for moment in moments:
        first, last = np.searchsorted(when, [moment.value, (moment + horizon).value])
        found[moment] = int(valid_at(dataset.offers, moment)[offer[first:last]].sum())
    return found


def _covered(
    dataset: Dataset, events: pd.DataFrame, moment: pd.Timestamp, horizon: pd.Timedelta
) -> pd.DataFrame:
    inside = (events[OCCURRED_AT] >= moment) & (events[OCCURRED_AT] < moment + horizon)
    valid = dataset.offers.loc[valid_at(dataset.offers, moment), OFFER_ID]
    return events[inside & events[OFFER_ID].isin(valid)]


def _fold(
    dataset: Dataset, events: pd.DataFrame, moment: pd.Timestamp, horizon: pd.Timedelta
) -> Fold:
    pair = [CUSTOMER_ID, OFFER_ID]
    taken = _covered(dataset, events, moment, horizon)[pair].drop_duplicates()
    shown = dataset.events(IMPRESSION)
    shown = shown[(shown[OCCURRED_AT] >= moment) & (shown[OCCURRED_AT] < moment + horizon)]
    shown = open_showings(dataset, shown)
    until = moment + horizon
    passed = fit_delays(dataset, until).passed(shown, until)
    weight = looked_at(shown, dataset.events(CLICK)) * passed
    counts = shown[pair].assign(n=weight).groupby(pair)["n"].sum().reset_index()
    logged = bool((events[EVENT_TYPE] == REDEMPTION).all()) and _is_logged(taken, counts)
    return Fold(dataset.before(moment), moment, taken, counts, logged)


def _tells_of_histories(dataset: Dataset, fold: Fold) -> bool:
    """Tell whether enough was taken by customers of whom something had happened before."""
    ids = dataset.customer_ids
    met = np.zeros(len(ids), dtype=bool)
    for events in (fold.past.interactions, fold.past.transactions):
        met[ids.rows(events[CUSTOMER_ID])] = True
    return int(met[ids.rows(fold.taken[CUSTOMER_ID])].sum()) >= FEWEST_EVENTS


def _is_logged(taken: pd.DataFrame, shown: pd.DataFrame) -> bool:
    """Tell whether most pairs that were taken are among those shown."""
    pair = [CUSTOMER_ID, OFFER_ID]
    hit = pd.MultiIndex.from_frame(taken[pair]).isin(pd.MultiIndex.from_frame(shown[pair]))
    return float(hit.mean()) >= SHOWN_SHARE


def _random_fold(dataset: Dataset, events: pd.DataFrame, at: pd.Timestamp, seed: int) -> list[Fold]:
    """Hold out some of the pairs at random: for data whose times are all alike or too few."""
    pairs = events[[CUSTOMER_ID, OFFER_ID]].drop_duplicates()
    if len(pairs) < FEWEST_EVENTS:
        return []
    chosen = np.random.default_rng(seed).random(len(pairs)) < HELD_OUT
    taken = pairs[chosen]
    # Everything between the customer and a held-out offer is held out, or clicks would tell.
    gone = pd.MultiIndex.from_frame(taken)
    here = pd.MultiIndex.from_frame(dataset.interactions[[CUSTOMER_ID, OFFER_ID]])
    past = replace(dataset, interactions=dataset.interactions[~here.isin(gone)])
    return [Fold(past, at, taken, taken.iloc[:0].assign(n=0), by_time=False)]
