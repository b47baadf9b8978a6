"""Demographic groups: gender, bands of age and of income; each group known by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.idmap import IdMap
from data.schema import AGE, ANNUAL_INCOME, CUSTOMER_ID, GENDER

AGE_EDGES = (25.0, 35.0, 45.0, 55.0, 65.0)


@dataclass(frozen=True)
class Demographics:
    """How profiles become groups.

    Attributes
    ----------
    genders : tuple of str
        Genders that occur, lower case.
    age_edges, income_edges : ndarray of float
        Bands are below the first edge, between edges, and at or above the last.
    names : tuple of str
        One per group: genders, then age bands, then income bands.
    """

    genders: tuple[str, ...]
    age_edges: np.ndarray
    income_edges: np.ndarray
    names: tuple[str, ...]

    def groups(self, profile: Mapping[str, Any]) -> list[int]:
        """Return the groups of one profile; what is not known puts it into no group."""
        found = []
        gender = profile.get(GENDER)
        if isinstance(gender, str) and gender.strip().lower() in self.genders:
            found.append(self.genders.index(gender.strip().lower()))
        start = len(self.genders)
        for name, edges in ((AGE, self.age_edges), (ANNUAL_INCOME, self.income_edges)):
            value = profile.get(name)
            if value is not None and np.isfinite(value) and len(edges):
                found.append(start + int(np.searchsorted(edges, value, side="right")))
            start += len(edges) + 1 if len(edges) else 0
        return found

    def kept(self, groups: Iterable[int], profile: Mapping[str, Any]) -> set[int]:
        """Return the groups that still hold: those of attributes that a profile does not state."""
        ends = np.cumsum(
            [
                len(self.genders),
                *(len(e) + 1 if len(e) else 0 for e in (self.age_edges, self.income_edges)),
            ]
        )
        stated = [profile.get(name) is not None for name in (GENDER, AGE, ANNUAL_INCOME)]
        return {int(g) for g in groups if not stated[int(np.searchsorted(ends, g, side="right"))]}

    def membership(self, customers: pd.DataFrame, ids: IdMap) -> sp.csr_matrix:
        """Turn a customers table into one row per customer of `ids`."""
        rows = ids.rows(customers[CUSTOMER_ID])
        columns = customers[[GENDER, AGE, ANNUAL_INCOME]].astype("object")
        profiles = columns.where(columns.notna(), None).to_dict("records")
        owner, column = [], []
        for row, profile in zip(rows, profiles, strict=True):
            groups = self.groups({str(name): value for name, value in profile.items()})
            owner += [row] * len(groups)
            column += groups
        shape = (len(ids), len(self.names))
        return sp.csr_matrix((np.ones(len(owner)), (owner, column)), shape=shape)


def build_demographics(customers: pd.DataFrame) -> Demographics:
    """Find the groups that a customers table can tell apart."""
    genders = tuple(sorted(customers[GENDER].dropna().str.strip().str.lower().unique()))
    ages = np.array(AGE_EDGES) if customers[AGE].notna().any() else np.empty(0)
    income = customers[ANNUAL_INCOME].dropna()
    # Thirds of the customers, whatever the currency; few distinct incomes may give fewer bands.
    edges = np.unique(income.quantile([1 / 3, 2 / 3])) if income.nunique() > 2 else np.empty(0)
    return Demographics(
        genders,
        ages,
        edges,
        (*genders, *_bands("age", ages), *_bands("income", edges)),
    )


def _bands(name: str, edges: np.ndarray) -> tuple[str, ...]:
    if not len(edges):
        return ()
    inner = [f"{name} {low:g}-{high:g}" for low, high in pairwise(edges)]
    return (f"{name} under {edges[0]:g}", *inner, f"{name} {edges[-1]:g} and over")
