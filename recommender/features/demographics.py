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
from data.schema import CUSTOMER_ID
from recommender.features.letters import lowered
from recommender.features.numbers import number_of, numbers_of, plain
from recommender.features.sparse import entries, rows_of
from segmentation.features import DAY, DAYS_PER_MONTH

SIGNUP, TENURE = "signup_at", "months_as_customer"
SEPARATOR = "="
FAR = 1e-3  # of a bell's height


@dataclass(frozen=True)
class Demographics:
    """How profiles become columns.

    An attribute fills its columns together or not at all: one of them is one where it is a
    category; a number fills each by how near it is to the column's centre.

    Attributes
    ----------
    names : tuple of str
        One per column: ``gender=female``, ``age=30``.
    attribute : tuple of str
        What each column is of.
    centre, width : ndarray of float, shape (columns,)
        Of the bell around a number; NaN for categories.
    crosses : ndarray of int, shape (crosses, 2)
        Pairs of columns whose product is a column as well.
    moment : int
        Until when somebody's months as a customer count, microseconds since 1970.
    """

    names: tuple[str, ...]
    attribute: tuple[str, ...]
    centre: np.ndarray
    width: np.ndarray
    crosses: np.ndarray
    moment: int

    @cached_property
    def blocks(self) -> dict[str, np.ndarray]:
        """The columns of each attribute."""
        attribute = np.array(self.attribute, dtype=object)
        return {name: np.flatnonzero(attribute == name) for name in dict.fromkeys(self.attribute)}

    @cached_property
    def reads(self) -> dict[str, tuple[str, ...] | None]:
        """What a profile may state, in order: the values of a category, None for a number."""
        found: dict[str, tuple[str, ...] | None] = {}
        for name, block in self.blocks.items():
            values = tuple(self.value(row) for row in block)
            found[SIGNUP if name == TENURE else name] = (
                values if np.isnan(self.centre[block[0]]) else None
            )
        return found

    def value(self, column: int) -> str:
        """Name what a column says of its attribute: ``female``."""
        return self.names[column].removeprefix(self.attribute[column] + SEPARATOR)

    @cached_property
    def _columns(self) -> dict[str, dict[str, int]]:
        return {
            name: {self.names[row]: row for row in block.tolist()}
            for name, block in self.blocks.items()
        }

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
        for name, block in self.blocks.items():
            given = [(row, one[name]) for row, one in enumerate(profiles) if _states(one, name)]
            if np.isnan(self.centre[block[0]]):
                for row, value in given:
                    column = self._columns[name].get(category_of(name, value))
                    filled[row] |= {} if column is None else {column: 1.0}
                continue
            numbers = [(row, number_of(value)) for row, value in given]
            numbers = [(row, value) for row, value in numbers if not np.isnan(value)]
            near = self._near(block, np.array([value for _, value in numbers], dtype=np.float64))
            for (row, _), values in zip(numbers, near.tolist(), strict=True):
                filled[row] |= {
                    column: value
                    for column, value in zip(block.tolist(), values, strict=True)
                    if value
                }
        return rows_of(filled, len(self.names))

    def membership(self, customers: pd.DataFrame, ids: IdMap) -> sp.csr_matrix:
        """Turn a customers table into one row per customer of `ids`."""
        rows = ids.rows(customers[CUSTOMER_ID])
        if SIGNUP in customers.columns:
            customers = customers.assign(**{TENURE: months_until(customers[SIGNUP], self.moment)})
        people, columns, values = [rows[:0]], [rows[:0]], [np.empty(0)]
        for name, block in self.blocks.items():
            if name not in customers.columns:
                continue
            if np.isnan(self.centre[block[0]]):
                stated = customers[name].notna().to_numpy()
                told = pd.Index(category_of(name, customers.loc[stated, name]))
                place = pd.Index(self._columns[name]).get_indexer(told)
                known, place = np.flatnonzero(stated)[place >= 0], place[place >= 0]
                near = np.ones(len(place))
            else:
                value = numbers_of(customers[name])
                finite = np.flatnonzero(np.isfinite(value))
                nearness = self._near(block, value[finite])
                person, place = nearness.nonzero()
                known, near = finite[person], nearness[person, place]
            people.append(rows[known])
            columns.append(block[place])
            values.append(near)
        cells = np.concatenate(people), np.concatenate(columns)
        return sp.csr_matrix((np.concatenate(values), cells), (len(ids), len(self.names)))

    def _near(self, block: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Return how near numbers are to the centres of columns: shape (n, columns), zero if far.

        Beyond the last centre a number is as near as that itself: it is not unknown.
        """
        centre = self.centre[block]
        with np.errstate(over="ignore"):  # too far to be told is far
            gap = (np.clip(value, centre[0], centre[-1])[:, None] - centre) / self.width[block]
            near = np.exp(-0.5 * gap**2)
        return np.where(near < FAR, 0.0, near)

    def _with_tenure(self, profile: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the months as a customer to a profile that states the sign-up in microseconds."""
        signup = profile.get(SIGNUP)
        return profile if signup is None else {**profile, TENURE: _months(signup, self.moment)}

    def expand(self, member: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Add the crosses: values and whether they are known, shape (n, columns + crosses)."""
        value = member.toarray()
        known = np.zeros(value.shape, dtype=bool)
        for block in self.blocks.values():
            known[:, block] = value[:, block].any(axis=1, keepdims=True)
        one, two = self.crosses.T
        return (
            np.hstack([value, value[:, one] * value[:, two]]),
            np.hstack([known, known[:, one] & known[:, two]]),
        )


def months_until(signup: pd.Series[pd.Timestamp], moment: int) -> pd.Series[float]:
    """Say for how many months customers have been some at a moment, in microseconds since 1970."""
    since = microseconds(signup).to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.Series(_months(since, moment), index=signup.index)


def _months(signup: Any, moment: int) -> Any:
    return np.maximum(moment - signup, 0.0) / (DAY * DAYS_PER_MONTH)


def _states(profile: Mapping[str, Any], name: str) -> bool:
    return profile.get(name) is not None


def category_of(name: str, value: Any) -> Any:
    """Name the column of a category, or of each of a series of them."""
    if isinstance(value, pd.Series):
        return f"{name}{SEPARATOR}" + lowered(value.map(plain).astype("str"))
    return f"{name}{SEPARATOR}{plain(value).lower()}"
