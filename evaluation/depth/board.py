"""Whom to rank which offers for: one layout for past moments and for the test, by serving's rules.

Candidates only; what a customer redeemed before is not listed again unless it is repeatable; equal
scores are settled by popularity, then by id (see `recommender.service`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset, valid_at
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, OFFER_ID
from evaluation.depth.rivals import Past, past_of
from recommender.learning.yardstick import ndcg
from recommender.serving.ranking import top
from segmentation.features import customer_features
from segmentation.segments import SegmentModel

CELLS = 2_000_000  # customers times offers that are scored at once

Score = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Board:
    """Customers to rank offers for at one moment.

    Attributes
    ----------
    past : Past
        What was known.
    rows : ndarray of int, shape (n,)
        The customers, as rows of the past.
    columns : ndarray of int, shape (c,)
        The candidates, as columns of the past: most taken first, then by id.
    once : ndarray of bool, shape (c,)
        Candidates that are not listed again once redeemed.
    relevant : csr_matrix, shape (customers, offers)
        One where the customer took the offer afterwards.
    """

    past: Past
    rows: np.ndarray
    columns: np.ndarray
    once: np.ndarray
    relevant: sp.csr_matrix

    def parts(self) -> list[np.ndarray]:
        """Cut the customers into parts that fit into memory."""
        step = max(1, CELLS // max(1, len(self.past.offers)))
        return [self.rows[start : start + step] for start in range(0, len(self.rows), step)]

    def allowed(self, rows: np.ndarray) -> np.ndarray:
        """Tell which candidates may be listed: shape (rows, c)."""
        done = self.past.done[rows][:, self.columns].toarray() > 0
        return np.asarray(~(done & self.once))

    def judge(self, score: Score) -> np.ndarray:
        """Compute NDCG@10 of every customer: shape (n,)."""
        found = [
            ndcg(
                score(rows)[:, self.columns],
                self.relevant[rows][:, self.columns].toarray() > 0,
                self.allowed(rows),
            )
            for rows in self.parts()
        ]
        return np.concatenate(found) if found else np.empty(0)

    def rank(self, score: Score, n: int) -> pd.DataFrame:
        """List the best n candidates of every customer: customer_id, rank, offer_id."""
        people, ranks, offers = [], [], []
        order = np.arange(len(self.columns))
        for rows in self.parts():
            allowed = self.allowed(rows)
            best = top(score(rows)[:, self.columns], allowed, n, order)
            length = np.minimum(allowed.sum(axis=1), n)
            person, place = (np.arange(best.shape[1]) < length[:, None]).nonzero()
            people.append(rows[person])
            ranks.append(place + 1)
            offers.append(self.columns[best[person, place]])
        none = np.empty(0, dtype=np.int64)
        return pd.DataFrame(
            {
                CUSTOMER_ID: self.past.people.ids[np.concatenate([none, *people])],
                "rank": np.concatenate([none, *ranks]),
                OFFER_ID: self.past.offers.ids[np.concatenate([none, *offers])],
            }
        ).astype({CUSTOMER_ID: "str", OFFER_ID: "str"})


def lay_out(
    dataset: Dataset,
    at: pd.Timestamp,
    truth: pd.DataFrame,
    segments: SegmentModel | None,
    *,
    candidates: Collection[str] | None = None,
    most: int | None = None,
    seed: int = 0,
) -> Board:
    """Lay out a moment.

    Parameters
    ----------
    dataset : Dataset
        What was known at the moment, with offers.
    truth : DataFrame
        customer_id and offer_id of what was taken afterwards, of offers in the dataset.
    segments : SegmentModel or None
        Who is in which is told by the features as of the moment.
    candidates : collection of str, optional
        Offers that may be listed if they are valid at the moment; by default all.
    most : int, optional
        Take a sample of so many customers.
    """
    people = IdMap([*dataset.customer_ids.ids, *truth[CUSTOMER_ID]])
    label, n_segments = np.zeros(len(people), dtype=np.int64), 0
    if segments is not None:
        features = customer_features(dataset, at).values
        known = people.rows(features.index.to_series())
        n_segments = segments.n_segments
        label[:] = n_segments
        label[known] = segments.assign(features[list(segments.features)].to_numpy()).segment
    past = past_of(dataset, people, at, label, n_segments)
    table = dataset.offers.set_index(OFFER_ID).reindex(past.offers.ids)
    open_now = valid_at(table, at)
    if candidates is not None:
        open_now &= np.isin(past.offers.ids, list(candidates))
    taken = past.counts(past.weights())
    columns = np.argsort(-taken, kind="stable")
    columns = columns[open_now[columns]]
    repeatable = table["repeatable"].fillna(False).to_numpy(dtype=bool)
    rows = np.unique(people.rows(truth[CUSTOMER_ID]))
    if most is not None and len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    pairs = truth[[CUSTOMER_ID, OFFER_ID]].drop_duplicates()
    where = people.rows(pairs[CUSTOMER_ID]), past.offers.rows(pairs[OFFER_ID])
    relevant = sp.csr_matrix((np.ones(len(pairs)), where), shape=past.shape)
    return Board(past, rows, columns, ~repeatable[columns], relevant)
