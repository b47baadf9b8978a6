"""From facts to queries: for a whole dataset at once, or for one person at the door."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.idmap import IdMap
from data.schema import BOUGHT
from recommender.base import Query
from recommender.facts import Facts
from recommender.features.bought import add_bought, things_of
from recommender.features.bought_since import bought_by, without_bought
from recommender.features.demographics import Demographics
from recommender.features.habits import EVENTS, responses_of, responses_of_one
from recommender.features.history import history_of, history_of_one
from recommender.features.keys import KeySpace
from recommender.features.profile_columns import profiles_of
from recommender.features.purchases import (
    Purchases,
    add_purchases,
    purchases_of,
    purchases_of_people,
)
from recommender.features.sparse import entries, rows_of
from recommender.features.wallet import Wallet
from recommender.survey import Survey
from segmentation.features import FEATURES
from segmentation.kinds import KINDS
from segmentation.segments import SegmentModel

DONE = ("history", "redeemed", "bought", "shown")  # of a query: what was done with offers


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
    moment : int
        The model's moment, microseconds since 1970: what is recent is so as seen from there.
    counting : ndarray of bool, shape (offers,)
        Offers that are taken by buying what they are for as well (see
        `recommender.features.bought`).
    wallet : Wallet
        Groups of goods; none where what is spent on them does not count.
    """

    offer_ids: np.ndarray
    keys: KeySpace
    demographics: Demographics
    survey: Survey
    segments: SegmentModel | None
    moment: int
    counting: np.ndarray
    wallet: Wallet

    @cached_property
    def offer_rows(self) -> dict[str, int]:
        """Row of each offer by id."""
        return {str(name): row for row, name in enumerate(self.offer_ids)}

    @cached_property
    def by_purchases(self) -> bool:
        """Whether to buy counts as to take."""
        return bool(self.counting.any())

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
        if self.by_purchases and not len(dataset.events(BOUGHT)):
            dataset = add_bought(dataset, self.keys, self.offer_ids, self._things)
        done = history_of(dataset, ids, IdMap(self.offer_ids), self.moment)
        table = features[list(FEATURES)].reindex(pd.Index(ids.ids, dtype="str"))
        return Query(
            **dict(zip(DONE, done, strict=True)),
            **_fields(purchases_of(dataset, self.keys, ids, self.moment)),
            wallet=self.wallet.money(dataset, ids),
            segment=self.segment_membership(table.to_numpy(dtype=np.float64)),
            demographic=self.demographics.membership(profiles_of(dataset), ids),
            answers=self.survey.membership(dataset.survey_answers, ids),
            responses=responses_of(dataset, ids),
            flagged=sp.csr_matrix((len(ids), len(KINDS))),
        )

    def query_people(
        self, facts: Sequence[Facts], features: np.ndarray, base: Query, repeatable: Set[str]
    ) -> Query:
        """Build the queries of some people, on top of what a bundle knows already.

        Parameters
        ----------
        facts : sequence of n Facts
            Profiles and answers as they are now; interactions and purchases since `base`.
        features : ndarray of float, shape (n, 6)
            The six features, NaN where not known.
        base : Query
            The people's rows of the bundle, empty ones for strangers.
        repeatable : set of str
            The offers that can be redeemed again.
        """
        told = replace(
            base,
            segment=self._segments(features, base.segment),
            demographic=self.demographics.updated(base.demographic, [one.said for one in facts]),
            answers=self.survey.updated(base.answers, [one.answers for one in facts]),
        )
        if not any(one.interactions or one.purchases for one in facts):
            return told
        events: list[Sequence[tuple[str, str, int | None]]] = [one.interactions for one in facts]
        if self.by_purchases:
            # What was bought counts as done, unless all of it was given back.
            bought, gone = zip(*self._bought(facts, base), strict=True)
            events = [[*did, *more] for did, more in zip(events, bought, strict=True)]
            base = without_bought(base, gone)
        done = [history_of_one(one, self.offer_rows, self.moment, repeatable) for one in events]
        since = (rows_of(part, len(self.offer_ids)) for part in zip(*done, strict=True))
        history = {
            name: _sum(getattr(base, name), part) for name, part in zip(DONE, since, strict=True)
        }
        used = base.used()
        responses = [
            responses_of_one(
                one.interactions, repeatable, set(self.offer_ids[entries(used, row)[0]].tolist())
            )
            for row, one in enumerate(facts)
        ]
        before = Purchases(base.purchases, base.baskets, base.recent, base.spent)
        later = purchases_of_people([one.purchases for one in facts], self.keys, self.moment)
        return replace(
            told,
            **history,
            responses=_sum(base.responses, rows_of(responses, len(EVENTS))),
            **_fields(add_purchases(before, later)),
            wallet=self.wallet.add(base.wallet, [one.purchases for one in facts]),
        )

    @cached_property
    def nothing_known(self) -> Query:
        """The query of one person of whom nothing is known."""
        offers, keys, questions = len(self.offer_ids), self.keys.n_keys, self.survey.n_columns
        segments = 0 if self.segments is None else self.segments.n_segments
        profile = len(self.demographics.names)
        done = (offers, offers, offers, offers, keys, keys, keys, 1, len(self.wallet.names))
        widths = (*done, segments, profile, questions, len(EVENTS), len(KINDS))
        return Query(*(sp.csr_matrix((1, width)) for width in widths))

    @cached_property
    def _things(self) -> sp.csr_matrix:
        return things_of(self.keys, self.counting)

    def _bought(
        self, facts: Sequence[Facts], base: Query
    ) -> Iterator[tuple[list[tuple[str, str, int | None]], list[int]]]:
        """Tell of each person what was bought, and the rows of the offers given back in full."""
        for row, one in enumerate(facts):
            spent = zip(*(part.tolist() for part in entries(base.purchases, row)), strict=True)
            yield bought_by(one.purchases, self.keys, self.offer_ids, self._things, dict(spent))

    def _segments(self, features: np.ndarray, before: sp.csr_matrix) -> sp.csr_matrix:
        """Place people by their features; who has none stays where they were."""
        placed = self.segment_membership(features)
        silent = np.diff(placed.indptr) == 0
        if not (silent.any() and before.nnz):
            return placed
        return sp.csr_matrix(placed + sp.diags_array(silent.astype(np.float64)) @ before)


def _fields(purchases: Purchases) -> dict[str, sp.csr_matrix]:
    """Name the parts as a query does."""
    return {
        "purchases": purchases.spend,
        "baskets": purchases.baskets,
        "recent": purchases.recent,
        "spent": purchases.spent,
    }


def _sum(before: sp.csr_matrix, later: sp.csr_matrix) -> sp.csr_matrix:
    return sp.csr_matrix(before + later) if later.nnz else before
