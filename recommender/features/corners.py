"""How much is known of a customer, as shares of four corners: the same for weights and starts."""

from __future__ import annotations

import numpy as np

from recommender.base import Query

CORNERS = ("nothing known", "history", "purchases", "both")
PASSED = 0.5  # of a stranger is left of somebody with every impression


def met_of(query: Query) -> np.ndarray:
    """Say how far each customer is from one of whom nothing is known: shape (n,), zero to one."""
    return np.asarray(1.0 - corner_shares(query)[:, 0])


def stranger_of(query: Query) -> np.ndarray:
    """Say how far each customer is one of whom nothing at all is known: shape (n,), zero to one.

    Who was shown something and took nothing is as little known as who was shown nothing, but no
    stranger: to have passed things over tells as well, and the weights are learnt of such people.
    """
    shown = query.responses[:, [0]].toarray().ravel()
    return np.asarray(corner_shares(query)[:, 0] * PASSED**shown)


def corner_shares(query: Query) -> np.ndarray:
    """Say how near each customer is to the four corners: shape (n, 4), rows add up to one."""
    history, purchases = query.evidence().T
    return np.column_stack(
        [
            (1 - history) * (1 - purchases),
            history * (1 - purchases),
            (1 - history) * purchases,
            history * purchases,
        ]
    )
