"""Profiles as columns: categories one by one, age and income as smooth bands, crosses of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.idmap import IdMap
from data.schema import AGE, ANNUAL_INCOME, CUSTOMER_ID, CUSTOMERS, GENDER
from recommender.sparse import entries, rows_of

AGES = (12.0, 18.0, 24.0, 30.0, 38.0, 46.0, 54.0, 62.0, 70.0)
INCOME_BANDS = 5
MOST_VALUES, FEWEST_PEOPLE = 40, 5  # of an attribute, and of each of its values
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
    """

    names: tuple[str, ...]
    centre: np.ndarray
    width: np.ndarray
    crosses: np.ndarray

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
                value = pd.to_numeric(customers[name], errors="coerce").to_numpy(dtype=np.float64)
                known = np.isfinite(value)
                near = self._near(block, value[known])
                told = np.repeat(rows[known], len(block)), np.tile(block, len(near))
                member = member + sp.csr_matrix((near.ravel(), told), shape=shape)
        return sp.csr_matrix(member)

    def _near(self, block: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Return how near numbers are to the centres of columns: shape (n, columns)."""
        gap = (value[:, None] - self.centre[block]) / self.width[block]
        return np.asarray(np.exp(-0.5 * gap**2))

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


def build_demographics(customers: pd.DataFrame) -> Demographics:
    """Find what a customers table tells: its categories, age and income.

    A text column counts where it has few values; an id or a post code has too many.
    """
    names: list[str] = []
    centres: list[float] = []
    widths: list[float] = []
    plain = {column.name for column in CUSTOMERS.columns} - {GENDER}
    for name in [GENDER, *(name for name in customers.columns if name not in plain | {GENDER})]:
        if not pd.api.types.is_string_dtype(customers[name]):
            continue
        values = _category(str(name), customers[name].dropna()).value_counts()
        kept = sorted(values.index[values >= FEWEST_PEOPLE])
        if 2 <= len(kept) <= MOST_VALUES:
            names += kept
            centres += [np.nan] * len(kept)
            widths += [np.nan] * len(kept)
    for name, places in ((AGE, AGES), (ANNUAL_INCOME, _places(customers[ANNUAL_INCOME]))):
        if len(places) > 1 and customers[name].notna().any():
            names += [f"{name}{SEPARATOR}{place:g}" for place in places]
            centres += places
            # A bell reaches about to its neighbours, whatever their distance.
            widths += np.gradient(np.array(places)).tolist()
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
    )


def _states(profile: Mapping[str, Any], name: str) -> bool:
    return profile.get(name) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _category(name: str, value: Any) -> Any:
    """Name the column of a category, or of each of a series of them."""
    if isinstance(value, pd.Series):
        return f"{name}{SEPARATOR}" + value.astype("str").str.strip().str.lower()
    return f"{name}{SEPARATOR}{str(value).strip().lower()}"


def _places(values: pd.Series[float]) -> tuple[float, ...]:
    """Spread centres evenly over the customers, whatever the currency."""
    known = values.dropna()
    if known.nunique() < 2:
        return ()
    at = (np.arange(INCOME_BANDS) + 0.5) / INCOME_BANDS
    return tuple(np.unique(known.quantile(at)).tolist())
