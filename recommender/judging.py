"""Laying out past moments: who took what of what was on offer, and what had been shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from data.dataset import valid_at
from data.schema import CUSTOMER_ID, OFFER_ID
from recommender.sources import Fitted, find_segments, fit_sources
from recommender.validation import Fold
from segmentation.features import customer_features

MOST_LISTS = 1500
MOST_CELLS = 1_500_000  # customers times offers of one past moment: 50 bytes each, several times


@dataclass(frozen=True)
class Showings:
    """Pairs of customer and offer that were shown after a moment.

    Attributes
    ----------
    rows, columns : ndarray of int, shape (pairs,)
        Customer and offer, as rows and columns of the fitted arrays.
    shown : ndarray of float, shape (pairs,)
        How often.
    taken : ndarray of bool, shape (pairs,)
        Whether the customer took the offer.
    """

    rows: np.ndarray
    columns: np.ndarray
    shown: np.ndarray
    taken: np.ndarray


@dataclass(frozen=True)
class Judged:
    """Sources fitted at a past moment with what was redeemed after it.

    Attributes
    ----------
    fitted : Fitted
        The sources as of that moment.
    rows : ndarray of int, shape (n,)
        Customers with something taken, as rows of the fitted arrays.
    columns : ndarray of int, shape (c,)
        Offers that were on offer to at least one of them.
    taken : ndarray of float, shape (n, c)
        One where the customer took the offer.
    candidate : ndarray of bool, shape (n, c)
        Where the offer was on offer.
    showings : Showings or None
        What had been shown, where that says what showing leads to.
    """

    fitted: Fitted
    rows: np.ndarray
    columns: np.ndarray
    taken: np.ndarray
    candidate: np.ndarray
    showings: Showings | None


def judge(fold: Fold, k: int | None, seed: int = 0) -> Judged:
    """Fit the sources to the past of a fold and lay out what happened after it.

    Parameters
    ----------
    fold : Fold
        The moment.
    k : int or None
        Number of segments; None for no segments.
    """
    features = customer_features(fold.past, fold.at).values
    found, _ = find_segments(features, k, seed) if k else (None, "")
    segments = None if found is None else found.model
    fitted = fit_sources(fold.past, fold.at, features, segments, seed)
    ids, offers = fitted.ids, fold.past.offer_ids
    taken = fold.taken[ids.known(fold.taken[CUSTOMER_ID])]
    owner, offer = ids.rows(taken[CUSTOMER_ID]), offers.rows(taken[OFFER_ID])
    rows = np.unique(owner)
    most = min(MOST_LISTS, max(1, MOST_CELLS // max(1, len(offers))))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    marks = sp.csr_matrix((np.ones(len(owner)), (owner, offer)), shape=(len(ids), len(offers)))
    table = fold.past.offers.set_index(OFFER_ID).reindex(offers.ids)
    valid = valid_at(table, fold.at) if fold.by_time else np.ones(len(offers), dtype=bool)
    repeatable = table["repeatable"].fillna(False).to_numpy(dtype=bool)

    def open_to(people: np.ndarray) -> np.ndarray:
        gone = np.asarray(fitted.query.redeemed[people].todense() > 0) & ~repeatable
        return np.asarray(valid & ~gone)

    positive = np.asarray(marks[rows].todense()) > 0
    candidate = open_to(rows) | positive
    columns = np.flatnonzero(candidate.any(axis=0))
    return Judged(
        fitted=fitted,
        rows=rows,
        columns=columns,
        taken=positive[:, columns].astype(np.float64),
        candidate=candidate[:, columns],
        showings=_showings(fold, fitted, marks, open_to, most, seed) if fold.logged else None,
    )


def _showings(
    fold: Fold,
    fitted: Fitted,
    marks: sp.csr_matrix,
    open_to: Callable[[np.ndarray], np.ndarray],
    most: int,
    seed: int,
) -> Showings:
    """Lay out what was shown to a sample of customers to whom it was open."""
    shown = fold.shown[fitted.ids.known(fold.shown[CUSTOMER_ID])]
    rows = fitted.ids.rows(shown[CUSTOMER_ID])
    columns = fold.past.offer_ids.rows(shown[OFFER_ID])
    people = np.unique(rows)
    if len(people) > most:
        people = np.sort(np.random.default_rng(seed).choice(people, most, replace=False))
    kept = np.isin(rows, people)
    kept[kept] = open_to(people)[np.searchsorted(people, rows[kept]), columns[kept]]
    rows, columns = rows[kept], columns[kept]
    return Showings(
        rows=rows,
        columns=columns,
        shown=shown["n"].to_numpy(dtype=np.float64)[kept],
        taken=np.asarray(marks[rows, columns]).ravel() > 0,
    )
