"""The bundle: everything that training concluded, as one value; the model folder keeps it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from data.idmap import IdMap
from data.schema import OFFER_ID
from recommender.base import Query
from recommender.model import Recommender
from recommender.recipe import DEFAULT, Recipe
from segmentation.features import FEATURES
from segmentation.segments import SegmentModel


@dataclass(frozen=True)
class Customers:
    """The rows of people, in a file of their own so that a person can be taken out.

    Attributes
    ----------
    ids : ndarray of str, shape (customers,)
    features : ndarray of float, shape (customers, 6)
    first_bought : ndarray of float, shape (customers,)
        When each bought something first, microseconds since 1970; NaN where nothing was bought.
    query : Query or None
        What is known of each; None where the model recommends nothing.
    """

    ids: np.ndarray
    features: np.ndarray
    first_bought: np.ndarray
    query: Query | None

    def take(self, rows: np.ndarray) -> Customers:
        """Keep some of them."""
        query = None if self.query is None else self.query.take(rows)
        return Customers(self.ids[rows], self.features[rows], self.first_bought[rows], query)


@dataclass(frozen=True)
class Bundle:
    """A trained model.

    Attributes
    ----------
    at : str
        The moment it was trained for, ISO 8601: facts recorded from then on are new to it.
    offers : DataFrame
        The offers table in the order of the model's rows.
    anomalies : DataFrame
        customer_id, score, p_value, flagged, kind, reasons.
    choice : DataFrame
        The indices by which the number of segments was chosen.
    silhouette : float
        Of the segments.
    recipe : Recipe
        The hyper-parameters it was trained with.
    read_at : str
        When the reading of what it was trained from began, ISO 8601; empty where nobody said.
    """

    at: str
    seed: int
    notes: tuple[str, ...]
    offers: pd.DataFrame
    anomalies: pd.DataFrame
    choice: pd.DataFrame
    silhouette: float
    segments: SegmentModel | None
    recommender: Recommender | None
    customers: Customers
    recipe: Recipe = DEFAULT
    version: str = ""
    created_at: str = ""
    read_at: str = ""

    @property
    def moment(self) -> pd.Timestamp:
        """The moment it was trained for."""
        return pd.Timestamp(self.at)

    @cached_property
    def customer_ids(self) -> IdMap:
        """The customers it knows."""
        return IdMap(str(name) for name in self.customers.ids)

    @cached_property
    def repeatable(self) -> frozenset[str]:
        """The offers that can be redeemed again."""
        again = self.offers["repeatable"].fillna(False).astype(bool)
        return frozenset(self.offers.loc[again, OFFER_ID])

    @cached_property
    def segment_sizes(self) -> np.ndarray:
        """How many customers are in each segment, of those of whom enough is known to be in one."""
        if self.segments is None:
            return np.zeros(0, dtype=np.int64)
        columns = [FEATURES.index(name) for name in self.segments.features]
        placed = self.segments.assign(self.customers.features[:, columns]).segment
        return np.bincount(placed, minlength=self.segments.n_segments + 1)[:-1]

    def without(self, customer_id: str) -> Bundle:
        """Return the bundle as it is for everybody else; the same object for a stranger."""
        kept = np.flatnonzero(self.customers.ids != customer_id)
        flagged = self.anomalies["customer_id"] != customer_id
        if len(kept) == len(self.customers.ids) and flagged.all():
            return self
        return replace(
            self,
            customers=self.customers.take(kept),
            anomalies=self.anomalies[flagged].reset_index(drop=True),
        )
