"""What the hybrid must beat: the usual ways to rank offers, each with what there is to tune of it.

A rival is fitted to what was known at a moment and scores every offer for any rows of customers.
Where it can say nothing it scores zero: then the order settles by popularity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import ItemItemRecommender

from data.dataset import Dataset, microseconds
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, EVENT_TYPE, OCCURRED_AT, OFFER_ID
from recommender.base import CLICKED
from recommender.features.history import EVENT_WEIGHT, TAKEN
from recommender.fitting.autoencoder import invert
from segmentation.features import DAY

MOST_DENSE = 10_000  # offers up to which a square matrix of them is solved
ALS_ITERATIONS = 15

Parameters = Mapping[str, float]
Score = Callable[[np.ndarray], np.ndarray]
Fit = Callable[["Past", Parameters, int], Score]


@dataclass(frozen=True)
class Past:
    """The interactions before a moment that say something of liking: clicks and redemptions.

    Attributes
    ----------
    people, offers : IdMap
        Customers and offers, in the rows and columns of everything here.
    rows, columns : ndarray of int, shape (events,)
        Customer and offer of each event.
    redeemed : ndarray of bool, shape (events,)
        Whether the event is a redemption.
    age : ndarray of float, shape (events,)
        Days between the event and the moment, at least zero.
    segment : ndarray of int, shape (customers,)
        Segment of each customer; the number of segments itself where it is not known.
    n_segments : int
        Zero where there are none.
    """

    people: IdMap
    offers: IdMap
    rows: np.ndarray
    columns: np.ndarray
    redeemed: np.ndarray
    age: np.ndarray
    segment: np.ndarray
    n_segments: int

    @property
    def shape(self) -> tuple[int, int]:
        """Customers and offers."""
        return len(self.people), len(self.offers)

    def weights(self, click: float = CLICKED, half_life: float = np.inf) -> np.ndarray:
        """Weigh events by type and age (days): shape (events,)."""
        return np.asarray(np.where(self.redeemed, 1.0, click) * 0.5 ** (self.age / half_life))

    def counts(self, weight: np.ndarray) -> np.ndarray:
        """Add events up by offer: shape (offers,)."""
        return np.bincount(self.columns, weight, minlength=len(self.offers))

    def matrix(self, weight: np.ndarray) -> sp.csr_matrix:
        """Add events up by customer and offer: shape (customers, offers)."""
        return sp.csr_matrix((weight, (self.rows, self.columns)), shape=self.shape)

    @cached_property
    def done(self) -> sp.csr_matrix:
        """How often each customer redeemed each offer."""
        found = self.matrix(self.redeemed.astype(np.float64))
        found.eliminate_zeros()
        return found

    @cached_property
    def taken(self) -> sp.csr_matrix:
        """One for offers redeemed and a little for those clicked."""
        seen = self.matrix(np.ones(len(self.rows)))
        done = self.done.copy()
        done.data[:], seen.data[:] = 1.0, CLICKED
        return sp.csr_matrix(done.maximum(seen))


def past_of(
    dataset: Dataset, people: IdMap, at: pd.Timestamp, segment: np.ndarray, n_segments: int
) -> Past:
    """Lay out the interactions of a dataset; rows at or after the moment must not be in it."""
    offers = dataset.offer_ids
    log = dataset.interactions
    weight = log[EVENT_TYPE].map(EVENT_WEIGHT).to_numpy(dtype=np.float64)
    log = log[(weight > 0) & offers.known(log[OFFER_ID])]
    moment = at.value // 1000  # Timestamp.value is in nanoseconds whatever its unit
    when = microseconds(log[OCCURRED_AT]).fillna(moment).to_numpy(dtype=np.float64)
    return Past(
        people=people,
        offers=offers,
        rows=people.rows(log[CUSTOMER_ID]),
        columns=offers.rows(log[OFFER_ID]),
        redeemed=log[EVENT_TYPE].isin(TAKEN).to_numpy(dtype=bool),
        age=np.maximum(moment - when, 0.0) / DAY,
        segment=segment,
        n_segments=n_segments,
    )


def fit_popularity(past: Past, parameters: Parameters, _seed: int) -> Score:
    """Rank by the number of redemptions and clicks (MostPop of Cremonesi, Koren & Turrin 2010).

    With a half-life, older events count less (recent popularity: Ji, Sun, Zhang & Li 2020).
    """
    weight = past.weights(parameters["click"], parameters.get("half_life", np.inf))
    return _for_everybody(past.counts(weight))


def fit_segment(past: Past, parameters: Parameters, _seed: int) -> Score:
    """Rank by the segment's rate, shrunk to everybody's: (n_s·p_s + m·p) / (n_s + m)."""
    weight = past.weights(half_life=parameters["half_life"])
    size = np.bincount(past.segment, minlength=past.n_segments + 1).astype(np.float64)
    shape = (past.n_segments + 1, len(past.offers))
    taken = sp.csr_matrix((weight, (past.segment[past.rows], past.columns)), shape=shape).toarray()
    whole = past.counts(weight) / max(1, len(past.people))
    strength = parameters["shrinkage"]
    rate = (taken + strength * whole) / (size + strength)[:, None]
    rate[past.n_segments] = whole
    return lambda rows: rate[past.segment[rows]]


def fit_frequency(past: Past, parameters: Parameters, _seed: int) -> Score:
    """Rank by what the customer took before, the older the less (GP-TopFreq: Hu et al. 2020)."""
    own = past.matrix(past.weights(parameters["click"], parameters["half_life"]))
    return lambda rows: np.asarray(own[rows].toarray())


def fit_neighbours(past: Past, parameters: Parameters, _seed: int) -> Score:
    """Rank by the offers most like those taken: cosine with a shrunk norm, K neighbours.

    Sarwar et al. 2001; the shrink term as in Ferrari Dacrema, Cremonesi & Jannach 2019. An offer is
    its own neighbour, as in `implicit`, so that what may be repeated can be.
    """
    taken = past.taken
    if not taken.nnz:
        return _for_everybody(np.zeros(len(past.offers)))
    norm = np.sqrt(np.asarray(taken.multiply(taken).sum(axis=0)).ravel())
    unit = sp.csr_matrix(taken @ sp.diags_array(1.0 / np.maximum(norm, 1e-9)))
    model = ItemItemRecommender(K=int(parameters["neighbours"]), num_threads=1)
    model.fit(unit, show_progress=False)
    near = sp.coo_matrix(model.similarity)
    both = norm[near.row] * norm[near.col]
    # An offer that nobody took is near to nothing, itself included, and norms of nothing are zero.
    shrunk = near.data * both / np.maximum(both + parameters["shrink"], 1e-9)
    near = sp.csr_matrix((shrunk, (near.row, near.col)))
    near.resize(taken.shape[1], taken.shape[1])
    return lambda rows: np.asarray((taken[rows] @ near).toarray())


def fit_factors(past: Past, parameters: Parameters, seed: int) -> Score:
    """Rank by the ALS of `implicit` (Hu, Koren & Volinsky 2008; on tuning: Rendle et al. 2022)."""
    taken = sp.csr_matrix(past.taken, dtype=np.float32)
    if not taken.nnz:
        return _for_everybody(np.zeros(len(past.offers)))
    model = AlternatingLeastSquares(
        factors=int(min(parameters["factors"], max(1, min(taken.shape) - 1))),
        regularization=parameters["regularization"],
        alpha=parameters["alpha"],
        iterations=ALS_ITERATIONS,
        use_gpu=False,
        num_threads=1,
        random_state=seed,
    )
    model.fit(taken, show_progress=False)
    active = (np.diff(taken.indptr) > 0)[:, None]
    # The first factors are random: who did nothing, and what nobody took, would keep their noise.
    people = np.where(active, np.asarray(model.user_factors, dtype=np.float64), 0.0)
    known = np.asarray(taken.sum(axis=0)).ravel() > 0
    offers = np.where(known[:, None], np.asarray(model.item_factors, dtype=np.float64), 0.0)
    return lambda rows: np.asarray(people[rows] @ offers.T)


def fit_autoencoder(past: Past, parameters: Parameters, _seed: int) -> Score:
    """Rank by a weighted denoising linear autoencoder (Steck 2019 and 2020).

    B = (G + Λ)⁻¹ G with G = XᵀWX, W = diag(width^-exponent) and Λ = p / (1 - p) · diag(G) + λI;
    λ is given in multiples of the mean of diag(G).

    Raises
    ------
    ValueError
        More than `MOST_DENSE` offers were taken.
    """
    taken = past.taken
    columns = np.flatnonzero(np.asarray(taken.sum(axis=0)).ravel() > 0)
    if not len(columns):
        return _for_everybody(np.zeros(len(past.offers)))
    if len(columns) > MOST_DENSE:
        raise ValueError(f"{len(columns)} offers are too many for a square matrix of them.")
    kept = sp.csr_matrix(taken[:, columns])
    width = np.maximum(np.diff(kept.indptr), 1.0)
    weight = sp.diags_array(width ** -parameters["exponent"])
    gram = np.asarray((kept.T @ (weight @ kept)).toarray(order="C"))
    diagonal, dropout = gram.diagonal().copy(), parameters["dropout"]
    penalty = dropout / (1 - dropout) * diagonal + parameters["penalty"] * diagonal.mean()
    gram[np.diag_indices(len(gram))] += penalty
    invert(gram)  # in its place

    def score(rows: np.ndarray) -> np.ndarray:
        # B = I - (G + Λ)⁻¹ Λ: an inverse takes half the time of solving for every column.
        found = np.zeros((len(rows), len(past.offers)))
        found[:, columns] = kept[rows].toarray() - (kept[rows] @ gram) * penalty
        return found

    return score


def _for_everybody(score: np.ndarray) -> Score:
    return lambda rows: np.broadcast_to(score, (len(rows), len(score)))
