"""What is learnt from: nothing of suspects, of a machine no more than of one of the others.

Of very many customers a sample.

A tester, a crawler or an account that many people share may be shown more than everybody else
together: rates, habits and probabilities would be theirs. What is known of them stays as it is;
only what is learnt from it is thinned, and evenly, so that their own rates stay what they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, EVENT_TYPE, IMPRESSION, OCCURRED_AT
from data.words import counted, form

BEYOND = 20.0  # times what others are shown on average
USUAL = 0.99  # share of the customers that are others
MOST_CUSTOMERS = 20_000  # a dozen weights are learnt as well from so many as from all
FEWEST = 50  # customers who were shown something, to tell what is usual


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


def without(dataset: Dataset, suspects: frozenset[str]) -> Dataset:
    """Leave out what some customers did with offers."""
    if not suspects:
        return dataset
    kept = ~dataset.interactions[CUSTOMER_ID].isin(suspects)
    return replace(dataset, interactions=dataset.interactions[kept])


def thin(dataset: Dataset) -> Dataset:
    """Keep of what some customers did with offers as much as is learnt from; else the same object.

    Parameters
    ----------
    dataset : Dataset
        With everything that was recorded.

    Returns
    -------
    Dataset
        Of a customer who was shown more than `BEYOND` times as much as usual, an even part of the
        interactions of each type, as large as what is usual.
    """
    events = dataset.interactions
    shown = events.loc[(events[EVENT_TYPE] == IMPRESSION).to_numpy(), CUSTOMER_ID].value_counts()
    if len(shown) < FEWEST:
        return dataset
    usual = float(shown[shown <= shown.quantile(USUAL)].mean())
    beyond = shown[shown > BEYOND * usual]
    if beyond.empty:
        return dataset
    theirs = np.flatnonzero(events[CUSTOMER_ID].isin(beyond.index))
    order = events.iloc[theirs][OCCURRED_AT].reset_index(drop=True).sort_values(kind="stable")
    theirs = theirs[order.index.to_numpy()]
    rows = events.iloc[theirs]
    place = rows.groupby([CUSTOMER_ID, EVENT_TYPE]).cumcount().to_numpy()
    share = usual / rows[CUSTOMER_ID].map(beyond).to_numpy(dtype=np.float64)
    kept = np.ones(len(events), dtype=bool)
    kept[theirs] = np.floor((place + 1) * share) > np.floor(place * share)
    return replace(dataset, interactions=events[kept])


def told_of(dataset: Dataset, thinned: Dataset) -> str:
    """Say what `thin` left out of a dataset."""
    left_out = len(dataset.interactions) - len(thinned.interactions)
    before, after = (
        pd.Series(one.interactions[CUSTOMER_ID]).value_counts() for one in (dataset, thinned)
    )
    people = int((before > after.reindex(before.index, fill_value=0)).sum())
    return (
        f"{counted(left_out, 'interaction')} of {counted(people, 'customer')} shown more than "
        f"{BEYOND:.0f} times as much as others {form(left_out, 'is', 'are')} not learnt from: "
        "a machine, or an account of many?"
    )
