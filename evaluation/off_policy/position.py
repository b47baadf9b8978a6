"""What another policy would have achieved, estimated from logged decisions.

The position model: whether a shown offer is clicked depends on the customer, the offer and its
place, not on its neighbours. Then each shown position counts by how much likelier the other policy
is to show that offer there (the item-position model of Li, Abbasi-Yadkori, Kveton, Muthukrishnan,
Vinay and Wen, 2018, "Offline evaluation of ranking policies with click models").
"""

from __future__ import annotations

import numpy as np

from evaluation.off_policy.weights import PolicyEstimate, weights_of, with_interval


def position_model(
    answered: np.ndarray,
    propensity: np.ndarray,
    target: np.ndarray,
    visit: np.ndarray,
    customer: np.ndarray,
) -> PolicyEstimate:
    """Estimate the mean answer under another policy by inverse propensity, place by place.

    Parameters
    ----------
    answered : ndarray of shape (n,)
        1 where a shown position was answered (clicked, say), else 0.
    propensity : ndarray of float, shape (n,)
        Chance with which the logging policy showed this offer at this place; above 0.
    target : ndarray of float, shape (n,)
        Chance with which the other policy would have.
    visit : ndarray of int, shape (n,)
        Which positions were shown together, numbered from 0.
    customer : ndarray of int, shape (n,)
        To whom, numbered from 0. The standard error is that of draws among these customers: visits
        are compared with other visits of the same customer, so that differences between customers,
        which no policy can change, are no doubt about a policy. Who has one visit is compared
        with others who do.

    Raises
    ------
    ValueError
        There is no row, or a propensity is not above 0 and at most 1.
    """
    weight = weights_of(propensity, target)
    value = float(np.mean(weight * answered))
    return with_interval(value, _error_within(weight * answered - value, visit, customer), weight)


def _error_within(gap: np.ndarray, visit: np.ndarray, customer: np.ndarray) -> float:
    """Compute the standard error of a mean over positions, visits stratified by customer."""
    by_visit = np.bincount(visit, weights=gap)
    owner = np.zeros(len(by_visit), dtype=np.int64)
    owner[visit] = customer
    there = np.bincount(visit) > 0
    by_visit, owner = by_visit[there], owner[there]
    visits = np.bincount(owner)
    stratum = np.where(visits[owner] > 1, owner, len(visits))  # the single ones are one stratum
    size = np.bincount(stratum)
    mean = np.bincount(stratum, weights=by_visit) / np.maximum(size, 1)
    factor = size / np.maximum(size - 1, 1)
    squares = (by_visit - mean[stratum]) ** 2 * factor[stratum]
    return float(np.sqrt(squares.sum()) / len(gap))
