"""Which columns a customers table makes: what it tells people apart by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import (
    ABOUT_CATEGORY,
    ABOUT_OFFER,
    AGE,
    ANNUAL_INCOME,
    CUSTOMER_ID,
    CUSTOMERS,
    GENDER,
)
from recommender.features.demographics import (
    SEPARATOR,
    SIGNUP,
    TENURE,
    Demographics,
    category_of,
    months_until,
)
from recommender.features.numbers import is_number, numbers_of

CITY = "city"
AGES = (12.0, 18.0, 24.0, 30.0, 38.0, 46.0, 54.0, 62.0, 70.0)
FEWEST_BANDS, MOST_BANDS, PEOPLE = 5, 30, 500  # of any other number; people for each band
ANSWERED = " (answered)"  # beside a column of the same name
MOST_VALUES, FEWEST_PEOPLE = 60, 5  # of a category, and of each of its values
FEWEST_NUMBERS = 12  # a number that takes fewer values is a category


def build_demographics(customers: pd.DataFrame, moment: int) -> Demographics:
    """Find what a customers table tells: its categories and its numbers.

    Of a text column the commonest values count, unless they are rare too, as ids are.

    Parameters
    ----------
    moment : int
        Microseconds since 1970.
    """
    names: list[str] = []
    attributes: list[str] = []
    centres: list[float] = []
    widths: list[float] = []
    own = [str(name) for name in customers.columns if name not in (*CUSTOMERS.names, TENURE)]
    numbers = [name for name in own if _counts(customers[name])]
    for name in [GENDER, CITY, *(name for name in own if name not in numbers)]:
        if pd.api.types.is_datetime64_any_dtype(customers[name]):
            continue
        values = category_of(name, customers[name].dropna()).value_counts()
        values = values[values >= FEWEST_PEOPLE].sort_index()
        kept = sorted(values.sort_values(ascending=False, kind="stable").index[:MOST_VALUES])
        if len(kept) >= 2:
            names += kept
            attributes += [name] * len(kept)
            centres += [np.nan] * len(kept)
            widths += [np.nan] * len(kept)
    tenure = months_until(customers[SIGNUP], moment)
    for name, values, places in (
        (AGE, customers[AGE], AGES),
        *((name, customers[name], None) for name in (ANNUAL_INCOME, *numbers)),
        (TENURE, tenure, None),
    ):
        known = numbers_of(values)
        at = _places(known[~np.isnan(known)]) if places is None else places
        if len(at) > 1 and not np.isnan(known).all():
            names += [f"{name}{SEPARATOR}{told}" for told in _told(at)]
            attributes += [name] * len(at)
            centres += at
            # A bell reaches about to its neighbours, whatever their distance.
            widths += np.gradient(np.array(at)).tolist()
    rows = np.arange(len(names))
    attribute = np.array(attributes, dtype=object)
    # Gender changes with age what people like; the last gender follows from the others.
    genders = rows[attribute == GENDER][:-1]
    crosses = [(one, two) for one in genders for two in rows[attribute == AGE]]
    return Demographics(
        tuple(names),
        tuple(attributes),
        np.array(centres, dtype=np.float64),
        np.array(widths, dtype=np.float64),
        np.array(crosses, dtype=np.int64).reshape(-1, 2),
        moment,
    )


def profiles_of(dataset: Dataset) -> pd.DataFrame:
    """Return the customers table, with a column for each question of a survey's own.

    What is asked neither about an offer nor about a category has named answers, of which one is
    true, as a profile has; the last one counts, and what the table states counts more.
    """
    answers, customers = dataset.survey_answers, dataset.customers
    own = ~answers["question"].str.startswith((ABOUT_CATEGORY, ABOUT_OFFER))
    own &= ~answers["question"].isin([*CUSTOMERS.names, TENURE])
    if not own.any():
        return customers
    answers = answers[own].drop_duplicates([CUSTOMER_ID, "question"], keep="last")
    told = answers.set_index([CUSTOMER_ID, "question"])["answer"].unstack().reset_index()  # noqa: PD010
    table = customers.merge(told, on=CUSTOMER_ID, how="outer", suffixes=("", ANSWERED))
    for name in (name for name in told.columns if name + ANSWERED in table.columns):
        stated = table[name].astype("object")
        table[name] = stated.where(stated.notna(), table.pop(name + ANSWERED))
    return table


def _told(places: Sequence[float]) -> list[str]:
    """Name places, which differ, with no more digits than that takes."""
    names: list[str] = []
    for digits in (6, 9, 12, 17):
        names = [f"{place:.{digits}g}" for place in places]
        if len(set(names)) == len(names):
            break
    return names


def _counts(values: pd.Series[Any]) -> bool:
    """Tell whether a column of the owner's is a number that takes many values."""
    return is_number(values) and values.nunique() >= FEWEST_NUMBERS


def _places(known: np.ndarray) -> tuple[float, ...]:
    """Spread centres evenly over the customers, whatever the unit."""
    if not known.size:
        return ()
    bands = min(max(FEWEST_BANDS, known.size // PEOPLE), MOST_BANDS)
    at = np.quantile(known, (np.arange(bands) + 0.5) / bands)
    return tuple(np.unique(at).tolist())
