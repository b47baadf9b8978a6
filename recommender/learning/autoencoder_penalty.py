"""Choosing the autoencoder's penalty by past lists.

How far what is taken together tells more than chance goes by the data: of a few offers and many
customers nearly all of it does, of thousands of offers and a few hundred customers little. The
usual penalty suits the latter; another one replaces it where the autoencoder alone makes better
lists of past moments by more than chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from data.schema import CUSTOMER_ID, OFFER_ID
from recommender.base import with_clicks
from recommender.features.history import count_once, history_of
from recommender.fitting.autoencoder import error_by_chance, placed, solve_autoencoder
from recommender.fitting.collaborative import NEAR
from recommender.learning.yardstick import ndcg
from recommender.past.fold import Fold
from recommender.past.layout import CHUNK_CELLS
from recommender.past.thinning import without
from recommender.recipe import DEFAULT, Recipe

WAYS = ((0.5, 0.2, 0.05), (2.0,))  # times the usual penalty, one after the other while better
MOST_OFFERS = 3000  # of more, solving for each would take longer than all else
PEOPLE = 8000  # whose lists judge
SURE = 2.0  # standard errors by which another has to be better


def choose_penalty(
    folds: Sequence[Fold], recipe: Recipe, seed: int, suspects: frozenset[str] = frozenset()
) -> Recipe:
    """Choose the autoencoder's penalty, unless a recipe states another than the usual one.

    Parameters
    ----------
    folds : sequence of Fold
        Where showing is logged, lists of everything follow what was shown: these say nothing, nor
        do lists of new offers alone.
    recipe : Recipe
    seed : int
        Who is judged.
    suspects : frozenset of str
        Customers that are not learnt from.
    """
    folds = [one for one in folds if not (one.logged or one.among)]
    told = [one for one in folds if len(one.past.offer_ids) <= MOST_OFFERS]
    if recipe.penalty != DEFAULT.penalty or not told:
        return recipe
    lists = [_Lists.of(fold, suspects, seed) for fold in told]

    def judged(times: float) -> np.ndarray:
        return np.concatenate([one.judge(times * recipe.penalty) for one in lists])

    usual = judged(1.0)
    for steps in WAYS:
        best, value = 1.0, usual
        for times in steps:
            tried = judged(times)
            if not _is_better(tried - value):
                break
            best, value = times, tried
        if best != 1.0:
            return replace(recipe, penalty=best * recipe.penalty)
    return recipe


def _is_better(gain: np.ndarray) -> bool:
    return len(gain) > 1 and bool(gain.mean() > SURE * gain.std() / np.sqrt(len(gain)))


@dataclass(frozen=True)
class _Lists:
    """What is to be told of n customers at a moment, by what m had taken.

    Attributes
    ----------
    had : csr_matrix, shape (m, offers)
        One for what was redeemed, a little for what was clicked.
    times : csr_matrix, shape (n, offers)
        How often the judged had, as the autoencoder reads it.
    taken, gone : csr_matrix, shape (n, offers)
        What they took afterwards, and what they could not take any more.
    """

    had: sp.csr_matrix
    times: sp.csr_matrix
    taken: sp.csr_matrix
    gone: sp.csr_matrix

    @classmethod
    def of(cls, fold: Fold, suspects: frozenset[str], seed: int) -> _Lists:
        """Lay out the lists of those who have a history, of so many at most."""
        past = without(fold.past, suspects)
        ids, offers, taken = past.customer_ids, past.offer_ids, fold.taken
        taken = taken[~taken[CUSTOMER_ID].isin(suspects)]
        history, redeemed, bought, _ = history_of(past, ids, offers, fold.at.value // 1000)
        known = taken[ids.known(taken[CUSTOMER_ID]) & offers.known(taken[OFFER_ID])]
        owner, offer = ids.rows(known[CUSTOMER_ID]), offers.rows(known[OFFER_ID])
        marks = sp.csr_matrix((np.ones(len(owner)), (owner, offer)), shape=history.shape)
        judged = np.intersect1d(owner, np.flatnonzero(np.diff(history.indptr)))
        judged = np.sort(np.random.default_rng(seed).permutation(judged)[:PEOPLE])
        times = count_once(with_clicks(redeemed, history), past.repeatable)
        times.data = np.log1p(times.data)
        gone = sp.csr_matrix((redeemed - bought) @ sp.diags_array((~past.repeatable).astype(float)))
        had = with_clicks(redeemed.astype(bool).astype(np.float64), history)
        return cls(had, times[judged], marks[judged], gone[judged])

    def judge(self, penalty: float) -> np.ndarray:
        """Judge the autoencoder's own lists: NDCG@10 per customer, shape (n,)."""
        near = _solve(self.had, penalty)
        people, offers = self.times.shape
        found, step = [np.empty(0)], max(1, CHUNK_CELLS // max(1, offers))
        for start in range(0, people, step):
            rows = slice(start, start + step)
            score = (self.times[rows] @ near).toarray().astype(np.float64)
            taken, gone = self.taken[rows].toarray() > 0, self.gone[rows].toarray() > 0
            found.append(ndcg(score, taken, ~gone))
        return np.concatenate(found)


def _solve(taken: sp.csr_matrix, penalty: float) -> sp.csr_matrix:
    columns = np.flatnonzero(np.asarray(taken.sum(axis=0)).ravel())
    kept = sp.csr_matrix(taken[:, columns])
    near = solve_autoencoder(kept, penalty * error_by_chance(kept), NEAR)
    return placed(near, columns, taken.shape[1])
