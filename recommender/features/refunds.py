"""What refunds leave of money: never less than nothing, and nothing where all was given back.

1.10 + 2.20 - 3.30 leaves 4e-16 of a float, which no customer spent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

ROUNDING = 1e-9  # of what was given back: less than that is left by rounding alone


def is_nothing(net: Any, back: Any) -> Any:
    """Tell of sums of money, one or an array, whether but rounding is left of purchases.

    Parameters
    ----------
    net : float or ndarray
        Purchases less refunds.
    back : float or ndarray
        What was given back, above zero.
    """
    return abs(net) <= ROUNDING * back


def settled(net: sp.csr_matrix, back: sp.csr_matrix) -> sp.csr_matrix:
    """Leave out cells in which but rounding is left."""
    if not back.nnz:
        return net
    return sp.csr_matrix(net.multiply(abs(net) > ROUNDING * back))


def above_zero(net: sp.csr_matrix) -> sp.csr_matrix:
    """Leave out cells in which, refunds counted, nothing was spent."""
    kept = net.copy()
    kept.data = np.maximum(kept.data, 0.0)
    kept.eliminate_zeros()
    kept.sort_indices()
    return kept
