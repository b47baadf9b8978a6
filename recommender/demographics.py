"""Profiles as columns: categories one by one, numbers as smooth bands, crosses of two.

Any column of the customers table counts that tells people apart, the owner's own ones as well, and
for how long somebody has been a customer. The spending score is left out: it is what they do, not
who they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import microseconds
from data.idmap import IdMap
from data.schema import AGE, ANNUAL_INCOME, CUSTOMER_ID, CUSTOMERS, GENDER
from recommender.numbers import is_number, numbers_of
from recommender.sparse import entries, rows_of
from segmentation.features import DAY, DAYS_PER_MONTH

CITY = "city"
SIGNUP, TENURE = "signup_at", "months_as_customer"
AGES = (12.0, 18.0, 24.0, 30.0, 38.0, 46.0, 54.0, 62.0, 70.0)
BANDS = 5  # of any other number
MOST_VALUES, FEWEST_PEOPLE = 40, 5  # of a category, and of each of its values
FEWEST_NUMBERS = 12  # a number that takes fewer values is a category
SEPARATOR = "="


@dataclass(frozen=True)
class Demographics:
    """How profiles become columns.

    An attribute fills its columns together or not at all: one of them is one where it is a
    category; a number fills each by how near it is to the column's centre.

    Attributes
    ----------
    names : tuple of str
        One per column: ``gender=female``, ``age=30``.
    centre, width : ndarray of float, shape (columns,)
        Of the bell around a number; NaN for categories.
    crosses : ndarray of int, shape (crosses, 2)
        Pairs of columns whose product is a column as well.
    moment : int
        Until when somebody's months as a customer count, microseconds since 1970.
    """

    names: tuple[str, ...]
    centre: np.ndarray
    width: np.ndarray
    crosses: np.ndarray
    moment: int

    @cached_property
    def attribute(self) -> np.ndarray:
        """Attribute of each column."""
        return np.array([name.partition(SEPARATOR)[0] for name in self.names], dtype=object)

    @cached_property
    def _blocks(self) -> dict[str, np.ndarray]:
        return {name: np.flatnonzero(self.attribute == name) for name in set(self.attribute)}

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names)}

    def updated(
        self, before: sp.csr_matrix, profiles: Sequence[Mapping[str, Any]]
    ) -> sp.csr_matrix:
        """Put what profiles state in the place of what was known of the same attributes.

        Parameters
        ----------
        before : csr_matrix, shape (n, columns)
        profiles : sequence of n mappings
            An attribute that is None is not stated; one that makes no sense is not known any more.
        """
        profiles = [self._with_tenure(profile) for profile in profiles]
        filled: list[dict[int, float]] = []
        for row, profile in enumerate(profiles):
            kept = zip(*(part.tolist() for part in entries(before, row)), strict=True)
            filled.append(
                {
                    column: value
                    for column, value in kept
                    if profile.get(self.attribute[column]) is None
                }
            )
        for name, block in self._blocks.items():
            given = [(row, one[name]) for row, one in enumerate(profiles) if _states(one, name)]
            if np.isnan(self.centre[block[0]]):
                for row, value in given:
                    column = self._rows.get(_category(name, value))
                    filled[row] |= {} if column is None else {column: 1.0}
                continue
            numbers = [(row, value) for row, value in given if _is_number(value)]
            near = self._near(block, np.array([value for _, value in numbers], dtype=np.float64))
            for (row, _), values in zip(numbers, near.tolist(), strict=True):
                filled[row].update(zip(block.tolist(), values, strict=True))
        return rows_of(filled, len(self.names))

    def membership(self, customers: pd.DataFrame, ids: IdMap) -> sp.csr_matrix:
        """Turn a customers table into one row per customer of `ids`."""
        rows = ids.rows(customers[CUSTOMER_ID])
        shape = (len(ids), len(self.names))
        member = sp.csr_matrix(shape)
        if SIGNUP in customers.columns:
            customers = customers.assign(**{TENURE: months_until(customers[SIGNUP], self.moment)})
        for name, block in self._blocks.items():
            if name not in customers.columns:
                continue
            if np.isnan(self.centre[block[0]]):
                stated = customers[name].dropna()
                place = pd.Index(self.names).get_indexer(pd.Index(_category(name, stated)))
                known = customers[name].notna().to_numpy()
                hit = place >= 0
                told = rows[known][hit], place[hit]
                member = member + sp.csr_matrix((np.ones(len(told[0])), told), shape=shape)
            else:
                value = numbers_of(customers[name])
                known = np.isfinite(value)
                near = self._near(block, value[known])
                told = np.repeat(rows[known], len(block)), np.tile(block, len(near))
                member = member + sp.csr_matrix((near.ravel(), told), shape=shape)
        return sp.csr_matrix(member)

    def _near(self, block: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Return how near numbers are to the centres of columns: shape (n, columns).

        Beyond the last centre a number is as near as that itself: it is not unknown.
        """
        centre = self.centre[block]
        gap = (np.clip(value, centre[0], centre[-1])[:, None] - centre) / self.width[block]
        return np.asarray(np.exp(-0.5 * gap**2))

    def _with_tenure(self, profile: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the months as a customer to a profile that states the sign-up in microseconds."""
        signup = profile.get(SIGNUP)
        return profile if signup is None else {**profile, TENURE: _months(signup, self.moment)}

    def expand(self, member: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Add the crosses: values and whether they are known, shape (n, columns + crosses)."""
        value = member.toarray()
        known = np.zeros(value.shape, dtype=bool)
        for block in self._blocks.values():
            known[:, block] = value[:, block].any(axis=1, keepdims=True)
        one, two = self.crosses.T
        return (
            np.hstack([value, value[:, one] * value[:, two]]),
            np.hstack([known, known[:, one] & known[:, two]]),
        )


def build_demographics(customers: pd.DataFrame, moment: int) -> Demographics:
    """Find what a customers table tells: its categories and its numbers.

    A text column counts where it has few values; an id or a post code has too many.

    Parameters
    ----------
    moment : int
        Microseconds since 1970.
    """
    names: list[str] = []
    centres: list[float] = []
    widths: list[float] = []
    own = [str(name) for name in customers.columns if name not in CUSTOMERS.names]
    numbers = [name for name in own if _counts(customers[name])]
    for name in [GENDER, CITY, *(name for name in own if name not in numbers)]:
        if pd.api.types.is_datetime64_any_dtype(customers[name]):
            continue
        values = _category(name, customers[name].dropna()).value_counts()
        kept = sorted(values.index[values >= FEWEST_PEOPLE])
        if 2 <= len(kept) <= MOST_VALUES:
            names += kept
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
            names += [f"{name}{SEPARATOR}{place:g}" for place in at]
            centres += at
            # A bell reaches about to its neighbours, whatever their distance.
            widths += np.gradient(np.array(at)).tolist()
    rows = np.arange(len(names))
    attribute = np.array([name.partition(SEPARATOR)[0] for name in names], dtype=object)
    # Gender changes with age what people like; the last gender follows from the others.
    genders = rows[attribute == GENDER][:-1]
    crosses = [(one, two) for one in genders for two in rows[attribute == AGE]]
    return Demographics(
        tuple(names),
        np.array(centres, dtype=np.float64),
        np.array(widths, dtype=np.float64),
        np.array(crosses, dtype=np.int64).reshape(-1, 2),
        moment,
    )


def months_until(signup: pd.Series[pd.Timestamp], moment: int) -> pd.Series[float]:
    """Say for how many months customers have been some at a moment, in microseconds since 1970."""
    since = microseconds(signup).to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.Series(_months(since, moment), index=signup.index)


def _months(signup: Any, moment: int) -> Any:
    return np.maximum(moment - signup, 0.0) / (DAY * DAYS_PER_MONTH)


def _states(profile: Mapping[str, Any], name: str) -> bool:
    return profile.get(name) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _category(name: str, value: Any) -> Any:
    """Name the column of a category, or of each of a series of them."""
    if isinstance(value, pd.Series):
        return f"{name}{SEPARATOR}" + value.astype("str").str.strip().str.lower()
    return f"{name}{SEPARATOR}{str(value).strip().lower()}"


def _counts(values: pd.Series[Any]) -> bool:
    """Tell whether a column of the owner's is a number that takes many values."""
    return is_number(values) and values.nunique() >= FEWEST_NUMBERS


def _places(known: np.ndarray) -> tuple[float, ...]:
    """Spread centres evenly over the customers, whatever the unit."""
    if not known.size:
        return ()
    at = np.quantile(known, (np.arange(BANDS) + 0.5) / BANDS)
    return tuple(np.unique(at).tolist())
