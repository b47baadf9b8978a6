"""Attributes of offers as columns: categories and tags one by one, numbers as bands that overlap.

Any column of the offers table that offers share tells what they are like, the owner's own ones as
well: a release year, a colour. What the table leaves unsaid the items behind an offer tell, each
as its part of them: their category, merchant and type, and how many they are. What a redemption
costs and earns is left out; customers do not see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recommender.features.keys import TYPE, KeySpace
from recommender.features.numbers import around
from recommender.features.statements import (
    COUNT,
    SEPARATOR,
    WORD,
    known_of,
    number_columns,
    number_in,
    own_columns,
)

TITLES = 3000  # offers from which words recur for a reason, not by chance
COMMON = 0.2  # share of titles from which a word is in it for the language's sake
KNOTS, APART = 9, 1e-9  # of a number, at quantiles, and what parts them
MOST, SHARED = 1000, 2  # columns of categories and tags, and offers of each of the owner's


@dataclass(frozen=True)
class Attributes:
    """How rows of an offers table become columns.

    Attributes
    ----------
    names : ndarray of str, shape (columns,)
        ``category:travel``, ``tag:summer``, ``release_year:1994``; categories come first.
    family : ndarray of str, shape (columns,)
        What each column is an attribute of: ``category``, ``tag``, ``release_year``.
    knot : ndarray of float, shape (columns,)
        The number at which a column is one; between two knots both are in part (a linear spline).
        NaN for categories.
    usual : ndarray of float, shape (columns,)
        The number that stands for one that is not stated.
    """

    names: np.ndarray
    family: np.ndarray
    knot: np.ndarray
    usual: np.ndarray

    @cached_property
    def is_number(self) -> np.ndarray:
        """Whether a column is of a number."""
        return np.asarray(~np.isnan(self.knot))

    def told(self, column: int) -> str:
        """Name a column in words: ``summer (tag)``, ``around 1994 (release year)``."""
        family = str(self.family[column])
        value = str(self.names[column]).removeprefix(family + SEPARATOR)
        if self.is_number[column]:
            value = around(float(self.knot[column]))
        return f"{value} ({family.replace('_', ' ')})"

    def of(
        self, offers: pd.DataFrame, keys: KeySpace | None = None, rows: np.ndarray | None = None
    ) -> sp.csr_matrix:
        """Lay out offers: shape (rows, columns).

        An offer of which nothing is known stays empty, whatever stands for its numbers.

        Parameters
        ----------
        offers : DataFrame
        keys : KeySpace, optional
            It says what items are behind them; without it, only what they state counts.
        rows : ndarray of int, shape (rows,)
            Their rows there.
        """
        numbers, titles = self.family[self.is_number].tolist(), bool((self.family == WORD).any())
        offers, told = known_of(offers, numbers, keys, rows, titles)
        shape = (len(offers), len(self.names))
        # Categories come first.
        place = pd.Index(self.names[~self.is_number]).get_indexer(pd.Index(told["name"]))
        row, hit = told["row"].to_numpy(dtype=np.int64), place >= 0
        share = told["share"].to_numpy(dtype=np.float64)
        found = sp.csr_matrix((share[hit], (row[hit], place[hit])), shape=shape)
        stated = np.diff(found.indptr) > 0
        near = np.zeros((len(offers), int(self.is_number.sum())))
        first = shape[1] - near.shape[1]
        for name in dict.fromkeys(self.family[first:].tolist()):
            if name == COUNT and name not in offers:
                continue
            own = first + np.flatnonzero(self.family[first:] == name)
            value = number_in(offers, name)
            stated |= ~np.isnan(value)
            value = np.where(np.isnan(value), self.usual[own[0]], value)
            for column, peak in zip(own.tolist(), np.eye(len(own)), strict=True):
                near[:, column - first] = np.interp(value, self.knot[own], peak)
        numbers = sp.csr_matrix(near * stated[:, None])
        return sp.csr_matrix(sp.hstack([found[:, :first], numbers], format="csr"))


def build_attributes(
    offers: pd.DataFrame,
    keys: KeySpace | None = None,
    rows: np.ndarray | None = None,
    most: int = MOST,
) -> Attributes:
    """Find the attributes that offers share; of very many categories the most frequent.

    Parameters are those of `Attributes.of`, and how many columns of categories and tags there may
    be.
    """
    numbers = list(dict.fromkeys([*number_columns(offers), COUNT]))
    titles = len(offers) >= TITLES
    offers, known = known_of(offers, numbers, keys, rows, titles)
    count, family = known["name"].value_counts(), known.groupby("name")["family"].first()
    owned = family.reindex(count.index).isin([TYPE, WORD, *own_columns(offers)])
    count = count[~owned | (count >= SHARED)]  # a text of one offer alone tells of no other
    common = family.reindex(count.index).eq(WORD) & (count > COMMON * len(offers))
    count = count[~common]
    names = sorted(count.sort_index().sort_values(ascending=False, kind="stable").index[:most])
    families = family.reindex(names).tolist()
    knots, usual = [np.nan] * len(names), [np.nan] * len(names)
    for name in numbers:
        value = number_in(offers, name)
        value = value[~np.isnan(value)]
        knot = np.unique(value)
        if len(knot) > KNOTS:
            knot = np.unique(np.quantile(value, np.linspace(0, 1, KNOTS)))
        if len(knot):
            least = APART * max(1.0, float(np.abs(knot).max()))
            knot = knot[np.r_[True, np.diff(knot) > least]]
        if len(knot) > 1:
            names += [f"{name}{SEPARATOR}{one:g}" for one in knot]
            families += [name] * len(knot)
            knots += knot.tolist()
            usual += [float(np.median(value))] * len(knot)
    return Attributes(
        names=np.array(names, dtype=np.str_),
        family=np.array(families, dtype=np.str_),
        knot=np.array(knots),
        usual=np.array(usual),
    )
