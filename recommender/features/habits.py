"""How readily each customer answers what is shown, whatever it is: people differ in that a lot.

How often somebody answered is held to how often people do, as far as little was shown
(gamma-Poisson shrinkage: Clayton & Kaldor 1987). What can be redeemed once only counts once, as it
does everywhere: who sends the same coupon twice answered no more for it.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.special import logit

from data.dataset import Dataset
from data.idmap import IdMap
from data.schema import CLICK, CUSTOMER_ID, EVENT_TYPE, IMPRESSION, REDEMPTION

EVENTS = (IMPRESSION, CLICK, REDEMPTION)  # the columns of what is counted of each customer
ANSWERS = EVENTS[1:]
STRENGTH = 1.0  # answers that the usual rate counts for
SELDOM, MOSTLY = 1e-6, 0.9  # answers per impression between which log-odds are told


def responses_of(dataset: Dataset, customers: IdMap) -> sp.csr_matrix:
    """Count what was shown to each customer and what came of it: shape (customers, events)."""
    events = dataset.interactions
    events = pd.concat([events[events[EVENT_TYPE] != REDEMPTION], dataset.takings(REDEMPTION)])
    column = pd.Index(EVENTS).get_indexer(pd.Index(events[EVENT_TYPE]))
    cells = customers.rows(events[CUSTOMER_ID]) * len(EVENTS) + column
    shape = len(customers), len(EVENTS)
    count = np.bincount(cells[column >= 0], minlength=shape[0] * shape[1])
    return sp.csr_matrix(count.reshape(shape), dtype=np.float64)


def responses_of_one(
    events: Sequence[tuple[str, str, int | None]], repeatable: Set[str], before: Set[str]
) -> dict[int, float]:
    """Count the same of one customer: by column.

    Parameters
    ----------
    events : sequence of (offer_id, event_type, occurred_at)
    repeatable : set of str
        The offers that can be redeemed again.
    before : set of str
        The offers that the customer redeemed before these events.
    """
    kinds = [event_type for _, event_type, _ in events]
    count = {kind: float(kinds.count(kind)) for kind in EVENTS if kind in kinds}
    if REDEMPTION in count:
        redeemed = [offer_id for offer_id, kind, _ in events if kind == REDEMPTION]
        once = set(redeemed) - repeatable
        count[REDEMPTION] += len(once - before) - sum(name in once for name in redeemed)
    return {EVENTS.index(kind): value for kind, value in count.items() if value}


def usual_rates(responses: sp.csr_matrix) -> np.ndarray:
    """Return how often everybody gave each answer, per impression: shape (answers,)."""
    shown, *answers = np.asarray(responses.sum(axis=0)).ravel()
    return np.array(answers) / shown if shown else np.zeros(len(ANSWERS))


def log_habits(answered: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the log of how much more often than expected each customer answered: shape (n,).

    Parameters
    ----------
    answered, expected : ndarray of float, shape (n,)
    """
    return np.asarray(np.log((answered + STRENGTH) / (expected + STRENGTH)))


def odds_of_habits(responses: sp.csr_matrix, usual: np.ndarray) -> np.ndarray:
    """Return how much more often than usual each answer was given, in log-odds: for probabilities.

    Rates of half and more cannot rise by much.

    Parameters
    ----------
    responses : csr_matrix, shape (n, events)
    usual : ndarray of float, shape (answers,)

    Returns
    -------
    ndarray of float, shape (n, answers)
    """
    shown, answered = np.split(responses.toarray(), [1], axis=1)
    usual = np.clip(usual, SELDOM, MOSTLY)
    # Who answered was shown at least as much, whatever was logged. At the usual rate `STRENGTH`
    # answers take as many showings more.
    rate = (answered + STRENGTH) / (np.maximum(shown, answered) + STRENGTH / usual)
    return np.asarray(logit(rate) - logit(usual))
