"""How readily customers answer and how often offers are answered, told apart by what was shown.

Who was shown what everybody takes answers more for it, and an offer that was shown to people who
answer anything is taken more for them. So both are fitted together: answers are Poisson with a mean
of showings times habit times rate (a multiplicative model, fitted by turns: McCullagh & Nelder
1989), each held to what is usual as far as little was shown (gamma-Poisson: Clayton & Kaldor 1987).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from recommender.features.habits import log_habits
from recommender.fitting.rates import USUAL_STRENGTH

SETTLED = 1e-3  # change of every log habit in a round below which they stay as they are
MOST_ROUNDS = 50


def fit_habits(shown: sp.csr_matrix, answered: sp.csr_matrix) -> np.ndarray:
    """Return the log of how much more often each customer answers what anybody is shown.

    Parameters
    ----------
    shown, answered : csr_matrix, shape (customers, offers)
        How often each offer was shown to each customer, and answered; only the sums of answers
        over customers and over offers count.

    Returns
    -------
    ndarray of float, shape (customers,)
    """
    own, of_offer = (np.asarray(answered.sum(axis=axis)).ravel() for axis in (1, 0))
    of_each, across = np.asarray(shown.sum(axis=1)).ravel(), sp.csr_matrix(shown.T)
    habit = np.zeros(len(own))
    if not own.any() or not of_each.any():
        return habit
    # At the usual rate the answers that it counts for take so many showings.
    more = USUAL_STRENGTH * of_each.sum() / own.sum()
    for _ in range(MOST_ROUNDS):
        before, rate = habit, (of_offer + USUAL_STRENGTH) / (across @ np.exp(habit) + more)
        habit = log_habits(own, shown @ rate)
        # Twice the habits with half the rates are the same: showings keep their sum.
        habit -= np.log(of_each @ np.exp(habit) / of_each.sum())
        if np.abs(habit - before).max() < SETTLED:
            break
    return habit
