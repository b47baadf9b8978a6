"""Which offers a list may hold: valid at its moment, wished for, not gone, not withheld."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from data.dataset import microseconds
from data.schema import OFFER_ID
from recommender.base import Query
from recommender.features.letters import lowered
from recommender.serving.lists import Wish
from recommender.serving.withholding import Rules, withheld, withhold


class Candidates:
    """The offers of a model as candidates of lists.

    Parameters
    ----------
    offers : DataFrame
        The offers table in the order of the model's rows.
    rules : mapping, optional
        Kinds of offers that flagged customers are not shown; see `recommender.serving.withholding`.
    """

    def __init__(self, offers: pd.DataFrame, rules: Rules | None = None) -> None:
        self._offers = offers
        self._withheld = withhold(rules, offers) if rules else None

    @cached_property
    def turns(self) -> list[int]:
        """Moments, in microseconds since 1970, from which on other offers are valid than before."""
        return sorted(set(np.concatenate(self._validity).tolist()))

    def valid(self, at: pd.Timestamp) -> np.ndarray:
        """Mask of the offers that are valid at a moment: shape (offers,)."""
        begins, ends = self._validity
        moment = at.value // 1000
        return np.asarray((begins <= moment) & (moment < ends))

    def of(self, wish: Wish) -> np.ndarray:
        """Mask of the offers that a list may hold, for everybody: shape (offers,)."""
        mask = self.valid(wish.at)
        if wish.category is not None:
            mask &= self._category == wish.category.lower()
        if wish.offers is not None:
            mask &= np.isin(self._ids, list(wish.offers))
        if wish.exclude:
            mask &= ~np.isin(self._ids, list(wish.exclude))
        return mask

    def allowed(self, query: Query, mask: np.ndarray, include_seen: bool = False) -> np.ndarray:
        """Take from what all may be shown what each may not be: shape (n, offers).

        Parameters
        ----------
        mask : ndarray of bool, shape (offers,)
            As `of` returns it.
        include_seen : bool
            What can be redeemed once only stays where it was redeemed.
        """
        allowed = np.tile(mask, (len(query), 1))
        if not include_seen:
            person, row = query.used().nonzero()
            gone = self._once[row]
            allowed[person[gone], row[gone]] = False
        if self._withheld is not None:
            allowed &= ~withheld(query, self._withheld)
        return allowed

    @cached_property
    def _ids(self) -> np.ndarray:
        return self._offers[OFFER_ID].to_numpy(dtype=np.str_)

    @cached_property
    def _category(self) -> np.ndarray:
        return lowered(self._offers["category"]).to_numpy(dtype=object)

    @cached_property
    def _once(self) -> np.ndarray:
        """Offers that can be redeemed once only."""
        return ~self._offers["repeatable"].fillna(False).to_numpy(dtype=bool)

    @cached_property
    def _validity(self) -> tuple[np.ndarray, np.ndarray]:
        """First microsecond of each offer's validity and the first after it.

        In nanoseconds the year 9999, which often stands for an open end, could not be told.
        """
        begins, ends = (microseconds(self._offers[name]) for name in ("valid_from", "valid_until"))
        open_begin, open_end = np.iinfo(np.int64).min, np.iinfo(np.int64).max
        return (
            begins.fillna(open_begin).to_numpy(dtype=np.int64),
            ends.fillna(open_end).to_numpy(dtype=np.int64),
        )
