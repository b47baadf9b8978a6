"""Lines of transactions as arrays: which belong together, and the purchase keys that they have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import transaction_numbers
from recommender.features.keys import STATED, KeySpace


def visits_of(lines: pd.DataFrame, owner: np.ndarray) -> np.ndarray:
    """Return a number for each line, the same within a transaction: shape (lines,)."""
    number = transaction_numbers(lines)
    return np.asarray(pd.factorize(owner * (number.max(initial=0) + 1) + number)[0])


def stated_by(
    lines: pd.DataFrame, rows: np.ndarray, keys: KeySpace
) -> tuple[np.ndarray, np.ndarray]:
    """Return lines, of some, and keys that they state themselves."""
    index, rest = pd.Index(keys.names), lines.iloc[rows]
    found: list[tuple[np.ndarray, np.ndarray]] = [(rows[:0], rows[:0])]
    for level in STATED:
        here = rest[level].notna().to_numpy()
        key = index.get_indexer(pd.Index(level + ":" + rest.loc[here, level]))
        found.append((rows[here][key >= 0], key[key >= 0]))
    line, key = (np.concatenate(part) for part in zip(*found, strict=True))
    return line, key


def having(
    item: np.ndarray,
    stated: tuple[np.ndarray, np.ndarray],
    item_keys: sp.csr_matrix,
    wanted: sp.csr_matrix,
    bought: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return lines that were bought with their keys, of those that say something of an offer.

    Parameters
    ----------
    item : ndarray of int, shape (lines,)
        Below zero where none is known.
    stated : tuple of ndarray
        Lines of these, and the keys that they state.
    wanted : csr_matrix, shape (keys, offers)
        Empty for a key that says nothing.
    """
    here = np.flatnonzero(np.diff(wanted.indptr))
    known = np.flatnonzero((item >= 0) & bought)
    of_item = sp.csr_matrix(sp.csr_matrix(item_keys[:, here])[item[known]])
    line, key = stated
    said = bought[line] & np.isin(key, here)
    return (
        np.concatenate([np.repeat(known, np.diff(of_item.indptr)), line[said]]),
        np.concatenate([here[of_item.indices], key[said]]),
    )
