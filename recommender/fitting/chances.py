"""The chances that offers had: what was redeemed, what was shown, for how long, and to whom."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset, microseconds
from data.idmap import IdMap
from data.schema import BOUGHT, CLICK, CUSTOMER_ID, IMPRESSION, OCCURRED_AT, OFFER_ID, REDEMPTION
from recommender.features.attributes import Attributes
from recommender.features.keys import KeySpace
from recommender.features.spending import Spending
from recommender.fitting.answering import fit_habits
from recommender.fitting.delays import fit_delays
from recommender.fitting.examination import looked_at
from recommender.fitting.rates import Chances
from recommender.fitting.showings import Showings
from recommender.scoring.parts import look_up

SHOWN_FIRST = 0.9  # share of redeemed pairs with an impression from which showing counts as logged


def collect_chances(
    dataset: Dataset,
    ids: IdMap,
    at: pd.Timestamp,
    spend: Spending,
    keys: KeySpace,
    attributes: sp.csr_matrix,
    columns: Attributes,
) -> Chances:
    """Collect redemptions and the chances there were for them.

    Parameters
    ----------
    ids : IdMap
        The customers.
    at : Timestamp
        The moment that offers still open are counted to.
    spend : Spending
        On what each offer is for.
    keys : KeySpace
    attributes : csr_matrix, shape (offers, attributes)
    columns : Attributes
        What they are.
    """
    offers = dataset.offer_ids
    shape = (len(ids), len(offers))

    def count(frame: pd.DataFrame, weight: np.ndarray | None = None) -> sp.csr_matrix:
        rows, columns = ids.rows(frame[CUSTOMER_ID]), offers.rows(frame[OFFER_ID])
        weight = np.ones(len(frame)) if weight is None else weight
        return sp.csr_matrix((weight, (rows, columns)), shape=shape)

    kind = dataset.positive_type() or CLICK
    taken = dataset.takings(kind)
    events = count(taken)
    impressions = open_showings(dataset, dataset.events(IMPRESSION))
    chance = looked_at(impressions, dataset.events(CLICK))
    seen = count(impressions, chance)
    chance = chance * fit_delays(dataset, at).passed(impressions, at)
    shown = count(impressions, chance)
    pairs = events.astype(bool)
    table = dataset.offers.set_index(OFFER_ID).reindex(offers.ids)
    told = events.nnz > 0 and kind != BOUGHT  # what is bought anyway is no answer to a showing
    # Clicks come at once, redemptions as their time passes.
    answers = (seen, dataset.events(CLICK)), (shown, dataset.takings(REDEMPTION))
    logged = told and pairs.multiply(shown.astype(bool)).nnz >= SHOWN_FIRST * pairs.nnz
    return Chances(
        events=events,
        shown=_by_habit(shown, [(one, count(done)) for one, done in answers]) if logged else None,
        present=_present(dataset, ids, at),
        live=_live(dataset, taken, at),
        dated=table[["valid_from", "valid_until"]].notna().any(axis=1).to_numpy(),
        met=met_by_anybody(dataset),
        spend=spend.by_offer / max(1, len(ids)),
        placed=np.diff(keys.offer_keys.indptr) > 0,
        attributes=attributes,
        columns=columns,
        showings=_by_time(dataset, impressions, chance, at) if logged else None,
    )


def _by_time(
    dataset: Dataset, impressions: pd.DataFrame, chance: np.ndarray, at: pd.Timestamp
) -> Showings:
    when = microseconds(impressions[OCCURRED_AT]).fillna(at.value // 1000)
    offers = dataset.offer_ids
    return Showings.gather(
        offers.rows(impressions[OFFER_ID]), when.to_numpy(dtype=np.float64), chance, len(offers)
    )


def _present(dataset: Dataset, ids: IdMap, at: pd.Timestamp) -> np.ndarray:
    """Mark who had signed up, or done something, by a moment: shape (customers,)."""
    customers = dataset.customers
    present = np.ones(len(ids), dtype=bool)
    present[ids.rows(customers.loc[customers["signup_at"] >= at, CUSTOMER_ID])] = False
    for done in (dataset.interactions, dataset.transactions):
        present[ids.rows(done[CUSTOMER_ID])] = True
    return present


def _live(dataset: Dataset, taken: pd.DataFrame, at: pd.Timestamp) -> np.ndarray:
    """Return the share of the history in which each offer was valid: shape (offers,).

    One that begins at the moment or later had no chance yet. One that was taken outside the dates
    that it states now was valid then as well: dates are moved when an offer comes again.
    """
    first = pd.concat([dataset.interactions[OCCURRED_AT], dataset.transactions[OCCURRED_AT]]).min()
    if pd.isna(first):
        return np.ones(len(dataset.offer_ids))
    start, moment = first.value // 1000, at.value // 1000
    begin, end = lifetimes(dataset, taken)
    ran = np.minimum(end, moment) - np.maximum(begin, start)
    return np.asarray(np.maximum(ran, 0.0) / max(moment - start, 1))


def lifetimes(dataset: Dataset, taken: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return since when and until when each offer was valid, by its dates and what was taken.

    Parameters
    ----------
    taken : DataFrame
        Interactions.

    Returns
    -------
    begin, end : ndarray of float, shape (offers,)
        Microseconds since 1970; infinite where nothing is stated.
    """
    offers = dataset.offer_ids
    table = dataset.offers.set_index(OFFER_ID).reindex(offers.ids)
    begin = microseconds(table["valid_from"]).to_numpy(dtype=np.float64, na_value=-np.inf)
    end = microseconds(table["valid_until"]).to_numpy(dtype=np.float64, na_value=np.inf)
    timed = taken[taken[OCCURRED_AT].notna()]
    rows = offers.rows(timed[OFFER_ID])
    when = microseconds(timed[OCCURRED_AT]).to_numpy(dtype=np.float64)
    np.minimum.at(begin, rows, when)
    np.maximum.at(end, rows, when + 1.0)
    return begin, end


def met_by_anybody(dataset: Dataset) -> np.ndarray:
    """Mark offers that somebody saw or took: shape (offers,)."""
    met = np.zeros(len(dataset.offer_ids), dtype=bool)
    met[dataset.offer_ids.rows(dataset.interactions[OFFER_ID])] = True
    return met


def _by_habit(
    shown: sp.csr_matrix, answers: Iterable[tuple[sp.csr_matrix, sp.csr_matrix]]
) -> sp.csr_matrix:
    """Count showings to those who answer much for more, to others for less; their sum stays.

    An offer that was shown to people who hardly answer anything is not worse for it. Habits of all
    answers are multiplied: that ranks better than their mean.

    Parameters
    ----------
    shown : csr_matrix, shape (customers, offers)
    answers : iterable of (showings, answers)
        Of the same shape: what `fit_habits` takes, for each kind of answer.
    """
    habit = np.exp(sum(fit_habits(*one) for one in answers))
    of_each = np.asarray(shown.sum(axis=1)).ravel()
    habit *= of_each.sum() / max(float(of_each @ habit), 1e-9)
    return sp.csr_matrix(sp.diags_array(habit) @ shown)


def open_showings(dataset: Dataset, impressions: pd.DataFrame) -> pd.DataFrame:
    """Leave out impressions of what the customer had redeemed before, where that goes once only.

    They were no chance to redeem it.
    """
    if impressions.empty:
        return impressions
    people, offers = dataset.customer_ids, dataset.offer_ids

    def pairs(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        number = people.rows(frame[CUSTOMER_ID]) * len(offers) + offers.rows(frame[OFFER_ID])
        when = microseconds(frame[OCCURRED_AT]).to_numpy(dtype=np.float64, na_value=np.nan)
        return number, when

    redeemed, when = pairs(dataset.events(REDEMPTION))
    order = np.lexsort((when, redeemed))
    known, first = np.unique(redeemed[order], return_index=True)
    earliest = np.r_[when[order][first], np.nan]  # never before anything, for other pairs
    pair, when = pairs(impressions)
    place, taken = look_up(pair, known)
    place[~taken] = len(known)
    again = dataset.repeatable[pair % len(offers)]
    still: pd.DataFrame = impressions[~(when > earliest[place]) | again]
    return still
