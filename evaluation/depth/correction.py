"""Many comparisons at once: what p-values are worth then."""

from __future__ import annotations

import numpy as np


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct p-values so that the chance of any false finding among them stays what it was.

    Holm's step-down procedure (1979): valid however the comparisons depend on each other.

    Parameters
    ----------
    p_values : ndarray of float, shape (m,)
        NaN where nothing was compared: it stays so and does not count.

    Returns
    -------
    ndarray of float, shape (m,)
        Adjusted, at most one: below .05 means significant at a family-wise level of .05.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p_values.shape, np.nan)
    there = np.flatnonzero(~np.isnan(p_values))
    order = there[np.argsort(p_values[there], kind="stable")]
    stepped = p_values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted
