"""Fitting what each offer depends on: a penalised logistic regression for each, all at once.

Each is told from all others and the profile, by pseudo-likelihood (Besag 1975), as in a dependency
network (Heckerman et al. 2000).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import expit, logit

from recommender.scoring.dependencies import LEVELS, Dependencies, inputs_of, levels_of

MOST_OFFERS = 100
MOST_CELLS = 100_000_000  # customers times inputs times offers; of more customers only some count
PLENTY = 20  # customers for each input; the columns of one attribute are one, held by the penalty
PENALTY = 3.0  # inverse variance of what an input adds, believed before any data
MOST_STEPS, PRECISE = 60, 1e-7
SELDOM = 1e-4  # rate below which an offer's does not count


def fit_dependencies(taken: sp.csr_matrix, profile: sp.csr_matrix, attributes: int) -> Dependencies:
    """Learn what each offer depends on, where offers are few and customers many.

    Parameters
    ----------
    taken : csr_matrix, shape (customers, offers)
        One for offers taken, less for those that were only clicked.
    profile : csr_matrix, shape (customers, columns)
    attributes : int
        Of how many attributes these columns are: a city is one, however many there are.
    """
    offers = taken.shape[1]
    inputs = offers + LEVELS + profile.shape[1] + 1
    most = MOST_CELLS // max(1, inputs * offers)
    number = np.asarray((taken >= 1.0).sum(axis=1)).ravel()
    # Of who took a single offer nothing else tells that it was this one.
    asked = offers + LEVELS + attributes + 1
    few = min(most, np.count_nonzero(number > 1)) < PLENTY * asked
    if few or offers > MOST_OFFERS:
        return Dependencies(sp.csr_matrix((offers, offers)), np.zeros((0, offers)))
    some = np.flatnonzero(number > 0)
    some = some[:: -(-len(some) // most)]
    given = inputs_of(taken[some], profile[some])
    known = (given[:, :offers] >= 1.0).any(axis=0)
    told = _fit(given, offers)
    # Counted from the mean of the offers: there stands one of which nothing is known.
    told = (told - told[:, known].mean(axis=1, keepdims=True)) * known
    return Dependencies(sp.csr_matrix(told[:offers]), told[offers:])


def _fit(given: np.ndarray, offers: int) -> np.ndarray:
    """Find what each input adds to the log-odds of each offer: shape (inputs, offers)."""
    has = given[:, :offers] >= 1.0
    number = has.sum(axis=1)
    # Who has an offer took one other less than who has not.
    levels, fewer = slice(offers, offers + LEVELS), levels_of(number - 1) - levels_of(number)
    tells = number[:, None] > has  # where another was taken as well
    rate = (has & tells).sum(axis=0) / np.maximum(tells.sum(axis=0), 1)
    rate = np.clip(rate, SELDOM, 1 - SELDOM)
    held = np.full((given.shape[1], 1), PENALTY)
    held[-1] = 0.0
    # Steps are taken in units in which the loss bends about alike in all directions.
    bend = (given**2).sum(axis=0)[:, None] * (rate * (1 - rate)) + held
    unit = 1 / np.sqrt(np.maximum(bend, PENALTY))
    unit[np.arange(offers), np.arange(offers)] = 0.0  # no offer tells itself
    start = np.zeros_like(unit)
    start[-1] = logit(rate) / unit[-1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        told = flat.reshape(unit.shape) * unit
        odds = given @ told + has * (fewer @ told[levels])
        off = (expit(odds) - has) * tells
        surprise = ((np.logaddexp(0.0, odds) - has * odds) * tells).sum()
        pull = given.T @ off + held * told
        pull[levels] += fewer.T @ (off * has)
        return float(surprise + (held * told**2).sum() / 2), (pull * unit).ravel()

    fitted = minimize(
        loss,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MOST_STEPS, "ftol": PRECISE},
    )
    return np.asarray(fitted.x.reshape(unit.shape) * unit)
