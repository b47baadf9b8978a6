"""Part of suite `ranking`: the survey that asks everybody the same, chosen as well as can be.

Forward selection: the question comes next with which a ridge on profile and answers ranks best for
customers held out from its fit. Nobody adapts anything, so it is what an adaptive survey must beat.
"""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from evaluation.suites.ranking.ridge import mean_ndcg

PENALTY, FOLDS = 100.0, 4


def choose_fixed(
    known: np.ndarray,
    marks: np.ndarray,
    candidates: np.ndarray,
    ranked: np.ndarray,
    n: int,
    k: int,
) -> np.ndarray:
    """Choose the offers to ask everybody about, the most useful first.

    Parameters
    ----------
    known : ndarray of float, shape (customers, columns)
        What is known of the customers that are learnt from, without any answer.
    marks : ndarray of float, shape (customers, offers)
        One where they took the offer, which is their answer about it.
    candidates : ndarray of int
        Offers that may be asked about.
    ranked : ndarray of bool, shape (offers,)
        Offers that are ranked: an offer asked about no longer is.
    n : int
        How many at most.
    k : int
        The choice is by NDCG at this cut-off.

    Returns
    -------
    ndarray of int, shape (at most n,)
    """
    told = np.hstack([known, marks[:, candidates]])
    first, rest = np.arange(known.shape[1]), list(range(len(candidates)))
    chosen: list[int] = []
    # Small systems: several threads of BLAS would only wait for each other.
    with threadpool_limits(1, "blas"):
        parts = [
            _Part(told[learnt], marks[learnt], told[held], marks[held])
            for learnt, held in KFold(FOLDS, shuffle=True, random_state=0).split(told)
        ]
        while rest and len(chosen) < n:
            value = []
            for one in rest:
                asked = [*chosen, one]
                left = ranked.copy()
                left[candidates[asked]] = False
                columns = np.r_[first, len(first) + np.array(asked)]
                value.append(sum(part.judge(columns, left, k) for part in parts))
            chosen.append(rest.pop(int(np.argmax(value))))
    return np.asarray(candidates[chosen])


class _Part:
    """The normal equations of some customers, and others whom they are judged by."""

    def __init__(
        self, told: np.ndarray, marks: np.ndarray, others: np.ndarray, theirs: np.ndarray
    ) -> None:
        mean, self.rate = told.mean(axis=0), marks.mean(axis=0)
        self.gram = (told - mean).T @ (told - mean)
        self.gram[np.diag_indices_from(self.gram)] += PENALTY
        self.cross = (told - mean).T @ marks
        self.others, self.theirs = others - mean, theirs

    def judge(self, columns: np.ndarray, ranked: np.ndarray, k: int) -> float:
        """Return the NDCG of lists for the others, were only some columns known."""
        counts = np.linalg.solve(self.gram[np.ix_(columns, columns)], self.cross[columns])
        return mean_ndcg(self.rate + self.others[:, columns] @ counts, self.theirs, ranked, k)
