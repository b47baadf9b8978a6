"""The attributes by which tastes are told: the frequent ones, or nearly all where they are many."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recommender.features.attributes import MOST, Attributes, build_attributes
from recommender.features.keys import KeySpace
from recommender.features.likeness import Likeness, fit_likeness
from recommender.features.many import Many, fit_many
from recommender.fitting.stacking import stack
from recommender.scoring.traits import TraitRidge

MOST_OF_ALL = 20_000  # columns of categories and tags: what each customer's lifts have room for


@dataclass(frozen=True)
class Shelf:
    """The offers of a model and their attributes.

    Attributes
    ----------
    table : DataFrame
        The offers table, in the order of the model's rows.
    keys : KeySpace
    met : ndarray of int
        Rows of the offers that somebody met: what nobody met yet has no say in what attributes
        there are, as it may as well come tomorrow.
    itself : bool
        Whether only what offers state tells of tastes, not what their items are: purchases of
        items tell more of those than choices of offers.
    """

    table: pd.DataFrame
    keys: KeySpace
    met: np.ndarray
    itself: bool

    def columns(self, most: int = MOST) -> Attributes:
        """Find the attributes, of categories and tags the most frequent."""
        return build_attributes(self.table.iloc[self.met], self.keys, self.met, most)

    def lay_out(self, columns: Attributes) -> sp.csr_matrix:
        """Lay out all offers: shape (offers, columns)."""
        return columns.of(self.table, self.keys, np.arange(len(self.table)))

    def telling(self, columns: Attributes) -> sp.csr_matrix:
        """Lay out what tells of tastes."""
        return columns.of(self.table) if self.itself else self.lay_out(columns)


@dataclass(frozen=True)
class Tastes:
    """What choices say of attributes, and of which.

    Attributes
    ----------
    columns : Attributes
    attributes : csr_matrix, shape (offers, columns)
    likeness : Likeness
        Of the most frequent.
    many : Many or None
        Of all, where they are more than that.
    place : ndarray of int, shape (frequent,)
        Where the most frequent attributes are among these.
    note : str
        What was not read of attributes, in words; empty where all were.
    """

    columns: Attributes
    attributes: sp.csr_matrix
    likeness: Likeness
    many: Many | None
    place: np.ndarray
    note: str = ""

    def spread(self, effect: np.ndarray) -> np.ndarray:
        """Put what the most frequent attributes add at their places; the others add nothing."""
        return _spread(effect, self.place, len(self.columns.names))

    def spread_kin(self, ridge: TraitRidge) -> TraitRidge:
        """Do the same with what they say of whom an offer is for."""
        relatives = ridge.relatives
        if not relatives.kinship.pooled:
            return ridge
        # A column for any offer stands before those of attributes.
        place, size = np.r_[0, 1 + self.place], 1 + len(self.columns.names)
        told = _spread(relatives.by_attribute.T, place, size).T
        heard = _spread(relatives.heard, place, size) > 0
        return replace(ridge, relatives=replace(relatives, by_attribute=told, heard=heard))


def fit_tastes(
    shelf: Shelf,
    columns: Attributes,
    attributes: sp.csr_matrix,
    taken: sp.csr_matrix,
    seed: int = 0,
) -> Tastes:
    """Learn what choices say of attributes.

    Parameters
    ----------
    columns : Attributes
        The most frequent ones, of which everything else goes.
    attributes : csr_matrix, shape (offers, columns)
    taken : csr_matrix, shape (customers, offers)
    """
    often = np.asarray(taken.sum(axis=0)).ravel()
    likeness = fit_likeness(shelf.telling(columns) if shelf.itself else attributes, often)
    place = np.arange(len(columns.names))
    if _names(columns) < MOST:
        return Tastes(columns, attributes, likeness, None, place)
    nearly_all = shelf.columns(MOST_OF_ALL)
    telling = shelf.telling(nearly_all)
    few = _stated(telling, nearly_all) <= MOST
    note = _told(_names(nearly_all), few)
    if few:
        return Tastes(columns, attributes, likeness, None, place, note)
    place = _places(columns, nearly_all)
    likeness = replace(
        likeness,
        mean=_spread(likeness.mean, place, len(nearly_all.names)),
        axes=_spread(likeness.axes, place, len(nearly_all.names)),
    )
    whole = shelf.lay_out(nearly_all) if shelf.itself else telling
    many = fit_many(telling, often, shelf.met)
    return Tastes(
        nearly_all, whole, likeness, stack(likeness, many, whole, taken, seed), place, note
    )


def _spread(values: np.ndarray, place: np.ndarray, size: int) -> np.ndarray:
    """Put rows at their places among others, which are zero."""
    whole = np.zeros((size, *values.shape[1:]))
    whole[place] = values
    return whole


def _names(columns: Attributes) -> int:
    """Count columns of categories and tags."""
    return int(np.count_nonzero(~columns.is_number))


def _stated(telling: sp.csr_matrix, columns: Attributes) -> int:
    """Count those that any offer has in a layout."""
    has = np.bincount(telling.indices, minlength=len(columns.names)) > 0
    return int(np.count_nonzero(has & ~columns.is_number))


def _places(some: Attributes, among: Attributes) -> np.ndarray:
    """Find columns among others: names by name, and numbers, which are all there, at the end."""
    named = pd.Index(among.names[: _names(among)]).get_indexer(pd.Index(some.names[: _names(some)]))
    return np.concatenate([named, np.flatnonzero(among.is_number)]).astype(np.int64)


def _told(names: int, few: bool) -> str:
    """Say what is not read."""
    if names == MOST:
        return ""
    cut = names == MOST_OF_ALL
    count = f"more than {names:,}" if cut else f"{names:,}"
    if few:
        return (
            f"Offers and their items have {count} categories, tags and types: what offers are "
            f"like goes by the {MOST:,} most frequent."
        )
    by = f"the {names:,} most frequent" if cut else "all of them"
    return (
        f"Offers have {count} categories and tags: what somebody likes goes by {by}, how popular "
        f"new offers are expected to be by the {MOST:,} most frequent."
    )
