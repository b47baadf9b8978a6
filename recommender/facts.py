"""From facts to queries: for a whole dataset at once, or for one person at the door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.idmap import IdMap
from data.schema import (
    CLICK,
    CUSTOMER_ID,
    EVENT_TYPE,
    IMPRESSION,
    OFFER_ID,
    REDEMPTION,
)
from recommender.base import Query
from recommender.demographics import Demographics
from recommender.keys import KeySpace, purchases_of
from recommender.survey import Survey
from segmentation.features import DAY, DAYS_PER_MONTH, FEATURES
from segmentation.segments import SegmentModel

MONTH = DAY * DAYS_PER_MONTH  # microseconds
EVENT_WEIGHT = {IMPRESSION: 0.0, CLICK: 1.0, REDEMPTION: 5.0}


@dataclass(frozen=True)
class Facts:
    """What is known of one person, in external terms.

    Attributes
    ----------
    profile : mapping
        Attributes such as gender, age, annual_income, spending_score.
    answers : mapping of str to str
        Survey answers by question.
    interactions : sequence of (offer_id, event_type)
        What the person did with offers.
    purchases : sequence of mappings
        Lines with amount, and item_id, category, merchant, transaction_id, occurred_at
        (microseconds since 1970, UTC) where stated.
    """

    profile: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    interactions: Sequence[tuple[str, str]] = ()
    purchases: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Encoders:
    """Everything that turns facts into arrays.

    Attributes
    ----------
    offer_ids : ndarray of str, shape (offers,)
        External ids in row order, sorted.
    keys : KeySpace
        Purchase keys.
    demographics : Demographics
        Demographic groups.
    survey : Survey
        Questions.
    segments : SegmentModel or None
        Segments; None where customers cannot be told apart.
    """

    offer_ids: np.ndarray
    keys: KeySpace
    demographics: Demographics
    survey: Survey
    segments: SegmentModel | None

    @cached_property
    def offer_rows(self) -> dict[str, int]:
        """Row of each offer by id."""
        return {str(name): row for row, name in enumerate(self.offer_ids)}

    def segment_membership(self, features: np.ndarray) -> sp.csr_matrix:
        """Place customers by their six features, shape (n, 6): one row each, empty if unknown."""
        if self.segments is None:
            return sp.csr_matrix((len(features), 0))
        columns = [FEATURES.index(name) for name in self.segments.features]
        placed = self.segments.assign(features[:, columns]).segment
        known = np.flatnonzero(placed < self.segments.n_segments)
        return sp.csr_matrix(
            (np.ones(len(known)), (known, placed[known])),
            shape=(len(features), self.segments.n_segments),
        )

    def query_dataset(self, dataset: Dataset, features: pd.DataFrame, ids: IdMap) -> Query:
        """Build the queries of every customer of `ids` from the rows of a dataset.

        Parameters
        ----------
        features : DataFrame
            The six features by customer id.
        """
        history, redeemed = interactions_of(dataset, ids, IdMap(self.offer_ids))
        table = features[list(FEATURES)].reindex(pd.Index(ids.ids, dtype="str"))
        return Query(
            history=history,
            redeemed=redeemed,
            purchases=purchases_of(dataset, self.keys, ids),
            segment=self.segment_membership(table.to_numpy(dtype=np.float64)),
            demographic=self.demographics.membership(dataset.customers, ids),
            answers=self.survey.membership(dataset.survey_answers, ids),
        )

    def query_facts(self, facts: Facts, features: np.ndarray, base: Query | None) -> Query:
        """Build the query of one person, on top of what a bundle knows already.

        Parameters
        ----------
        facts : Facts
            Profile and answers as they are now; interactions and purchases since `base`.
        features : ndarray of float, shape (6,)
            The six features, NaN where not known.
        base : Query, optional
            The person's row of the bundle.
        """
        weights: dict[int, float] = {}
        taken: dict[int, float] = {}
        for offer_id, event_type in facts.interactions:
            row = self.offer_rows.get(offer_id)
            if row is None:
                continue
            if EVENT_WEIGHT[event_type] > 0:
                weights[row] = weights.get(row, 0.0) + EVENT_WEIGHT[event_type]
            if event_type == REDEMPTION:
                taken[row] = 1.0
        spend: dict[int, float] = {}
        for line in facts.purchases:
            for key in self.keys.keys_of(line):
                spend[key] = spend.get(key, 0.0) + float(line["amount"])
        groups = set(self.demographics.groups(facts.profile))
        if base is not None:
            groups |= self.demographics.kept(base.demographic.indices, facts.profile)
        answers = self.survey.columns(facts.answers)
        query = Query(
            history=_row(weights, len(self.offer_ids)),
            redeemed=_row(taken, len(self.offer_ids)),
            purchases=_row(spend, self.keys.n_keys),
            segment=self.segment_membership(features[None, :]),
            demographic=_row(dict.fromkeys(groups, 1.0), len(self.demographics.names)),
            answers=_row(dict.fromkeys(answers, 1.0), self.survey.n_columns),
        )
        return _without_refunds(query if base is None else _joined(base, query))


def features_of(
    facts: Facts,
    at: pd.Timestamp,
    known: np.ndarray | None = None,
    known_at: pd.Timestamp | None = None,
) -> np.ndarray:
    """Bring the six features of one person up to date, as `customer_features` defines them.

    Parameters
    ----------
    facts : Facts
        Profile, and the purchases since `known_at`.
    at : Timestamp
        The moment the features are for.
    known : ndarray of float, shape (6,), optional
        The features a bundle holds, as of `known_at`.
    """
    features = np.full(len(FEATURES), np.nan) if known is None else known.copy()
    for place, name in enumerate(FEATURES[:3]):
        if facts.profile.get(name) is not None:
            features[place] = float(facts.profile[name])
    baskets: dict[str, float] = {}
    moments: list[int] = []
    for n, line in enumerate(facts.purchases):
        if float(line["amount"]) >= 0:  # a refund is no transaction
            basket = line.get("transaction_id") or f"line {n}"
            baskets[basket] = baskets.get(basket, 0.0) + float(line["amount"])
            moments += [line["occurred_at"]] if line.get("occurred_at") is not None else []
    if not baskets:
        return features
    count, average, frequency = np.nan_to_num(features[3:], nan=0.0)
    now = at.value // 1000
    if count > 0 and frequency > 0 and known_at is not None:
        months = count / frequency + max(0, now - known_at.value // 1000) / MONTH
    else:
        months = (now - min(moments, default=now)) / MONTH
    features[3] = count + len(baskets)
    features[4] = (count * average + sum(baskets.values())) / features[3]
    features[5] = features[3] / max(1.0, months)
    return features


def interactions_of(
    dataset: Dataset, customers: IdMap, offers: IdMap
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Sum interaction weights and mark redemptions: two matrices, shape (customers, offers)."""
    events = dataset.interactions
    weight = events[EVENT_TYPE].map(EVENT_WEIGHT).to_numpy(dtype=np.float64)
    counted = events[weight > 0]
    rows, columns = customers.rows(counted[CUSTOMER_ID]), offers.rows(counted[OFFER_ID])
    shape = (len(customers), len(offers))
    history = sp.csr_matrix((weight[weight > 0], (rows, columns)), shape=shape)
    done = (counted[EVENT_TYPE] == REDEMPTION).to_numpy()
    redeemed = sp.csr_matrix((np.ones(int(done.sum())), (rows[done], columns[done])), shape=shape)
    redeemed.data[:] = 1.0
    return history, redeemed


def _row(values: Mapping[int, float], width: int) -> sp.csr_matrix:
    columns = np.array(sorted(values), dtype=np.int64)
    data = np.array([values[column] for column in sorted(values)], dtype=np.float64)
    return sp.csr_matrix((data, columns, np.array([0, len(columns)])), shape=(1, width))


def _without_refunds(query: Query) -> Query:
    """Leave out keys on which, refunds counted, nothing was spent."""
    purchases = query.purchases.copy()
    purchases.data = np.maximum(purchases.data, 0.0)
    purchases.eliminate_zeros()
    return replace(query, purchases=purchases)


def _joined(base: Query, new: Query) -> Query:
    """Add what is new to a bundle's row; what a person says of themselves now replaces the old."""
    answered = new.answers.indices // 2
    kept = base.answers.copy()
    kept.data = np.where(np.isin(kept.indices // 2, answered), 0.0, kept.data)
    kept.eliminate_zeros()
    return Query(
        history=sp.csr_matrix(base.history + new.history),
        redeemed=sp.csr_matrix(base.redeemed.maximum(new.redeemed)),
        purchases=sp.csr_matrix(base.purchases + new.purchases),
        segment=new.segment if new.segment.nnz else base.segment,
        demographic=new.demographic,
        answers=sp.csr_matrix(kept + new.answers),
    )
