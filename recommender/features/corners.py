"""How much is known of a customer, as shares of four corners: the same for weights and starts."""

from __future__ import annotations

import numpy as np

from recommender.base import Query

CORNERS = ("nothing known", "history", "purchases", "both")


def met_of(query: Query) -> np.ndarray:
    """Say how far each customer is from one of whom nothing is known: shape (n,), zero to one."""
    return np.asarray(1.0 - corner_shares(query)[:, 0])


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
