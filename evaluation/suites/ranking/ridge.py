"""A ridge regression from a profile, and from answers, to films: what suite `ranking` runs beside.

One linear model for everybody, with an intercept that is not penalised, its penalty chosen by
cross-validation on the very metric: plain, and hard to beat on customers without a history.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from data.schema import AGE, GENDER
from evaluation.metrics import Hits, per_customer
from recommender.serving.ranking import top

AGE_EDGES = (25, 35, 45, 55, 65)
PENALTIES = np.geomspace(10, 3000, 9)
INNER_FOLDS = 4


def profile_columns(customers: pd.DataFrame) -> np.ndarray:
    """Lay profiles out: gender, age band, occupation, and gender by age band, one column each."""
    band = np.searchsorted(AGE_EDGES, customers[AGE].to_numpy(dtype=np.float64), side="right")
    gender = customers[GENDER].astype("str")
    bands = pd.Series(band, index=customers.index).astype("str")
    table = pd.DataFrame(
        {
            "gender": gender,
            "band": bands,
            "occupation": customers["occupation"].astype("str"),
            "both": gender + " " + bands,
        }
    )
    return pd.get_dummies(table).to_numpy(dtype=np.float64)


def answer_columns(marks: np.ndarray) -> np.ndarray:
    """Lay answers out, given as ones and zeros: a yes and a no have a column each."""
    return np.hstack([marks, 1.0 - marks])


def expect_taken(
    known: np.ndarray, marks: np.ndarray, wanted: np.ndarray, ranked: np.ndarray, k: int
) -> np.ndarray:
    """Fit a ridge on some customers and say how much others are expected to take each offer.

    Parameters
    ----------
    known : ndarray of float, shape (customers, columns)
        What is known of the customers that are learnt from.
    marks : ndarray of float, shape (customers, offers)
        One where they took the offer.
    wanted : ndarray of float, shape (people, columns)
        What is known of the others.
    ranked : ndarray of bool, shape (offers,)
        Offers that are ranked: the penalty is chosen for these.
    k : int
        The penalty with the best NDCG at this cut-off is taken.

    Returns
    -------
    ndarray of float, shape (people, offers)
        Minus infinity for an offer that is not ranked.
    """
    # Small systems: several threads of BLAS would only wait for each other.
    with threadpool_limits(1, "blas"):
        found = np.zeros(len(PENALTIES))
        for learnt, held in KFold(INNER_FOLDS, shuffle=True, random_state=0).split(known):
            for row, penalty in enumerate(PENALTIES):
                score = expect_linearly(known[learnt], marks[learnt], known[held], penalty)
                found[row] += mean_ndcg(score, marks[held], ranked, k)
        score = expect_linearly(known, marks, wanted, PENALTIES[found.argmax()])
    return np.where(ranked, score, -np.inf)


def expect_linearly(
    known: np.ndarray, marks: np.ndarray, wanted: np.ndarray, penalty: float
) -> np.ndarray:
    """Fit a ridge of `marks`, shape (n, targets), on `known` and predict for `wanted`."""
    return np.asarray(Ridge(penalty).fit(known, marks).predict(wanted))


def mean_ndcg(score: np.ndarray, marks: np.ndarray, ranked: np.ndarray, k: int) -> float:
    """Score predictions for customers whose `marks` are known; 0 where none took what is ranked."""
    rows = top(score, np.broadcast_to(ranked, score.shape), k)
    marks = marks * ranked
    relevant = marks.sum(axis=1).astype(np.int64)
    some = np.flatnonzero(relevant)
    if not len(some):
        return 0.0
    hit = np.take_along_axis(marks, rows, axis=1) > 0
    return float(per_customer(Hits(some, hit[some], relevant[some], {}), (k,))[f"ndcg@{k}"].mean())
