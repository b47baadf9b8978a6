"""Segments over time: who they were before, who moved, and whether they still fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from data.errors import UsageError
from segmentation.segments import SegmentModel

BINS = 10
# The usual reading of the population stability index: below .1 the same, above .25 another
# population (Siddiqi, 2006).
SHIFTED, MOVED = 0.25, 0.1
STAY = 0.7
FEWEST_COMMON = 0.5  # share of two segments' customers that makes them the same segment
KEEP, WATCH, REFIT = "keep", "watch", "refit"


@dataclass(frozen=True)
class Drift:
    """What changed between two moments under the same segments.

    Attributes
    ----------
    migration : DataFrame, shape (k, k)
        Customers by segment before (rows) and now (columns), by name.
    stay_share : float
        Share of the customers known at both moments who are where they were.
    psi : dict of str to float
        Population stability index per feature.
    verdict : str
        keep, watch or refit.
    reason : str
    """

    migration: pd.DataFrame
    stay_share: float
    psi: dict[str, float]
    verdict: str
    reason: str


def keep_identity(
    previous: SegmentModel, now: SegmentModel, table: pd.DataFrame
) -> tuple[SegmentModel, np.ndarray]:
    """Let segments keep the names and the order of the previous ones that they continue.

    Both models place the same customers; segments are paired so that most customers agree
    (Kuhn, 1955), and a pair that shares at least half of its customers (Jaccard) is the same
    segment: it keeps its name, and the kept ones come first, in their old order.

    Parameters
    ----------
    table : DataFrame
        Features of the customers of today, with the columns of both models.

    Returns
    -------
    model : SegmentModel
        `now`, renumbered and renamed.
    place : ndarray of int, shape (k,)
        New number of each segment of `now`.
    """
    if not set(previous.features) <= set(table.columns):
        return now, np.arange(now.n_segments)
    before, after = (
        model.assign(table[list(model.features)].to_numpy()).segment for model in (previous, now)
    )
    both = np.zeros((previous.n_segments + 1, now.n_segments + 1))
    np.add.at(both, (before, after), 1)
    both = both[:-1, :-1]  # the last are those of whom nothing is known
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0) - both
    share = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    pairs = [(old, new) for old, new in zip(*linear_sum_assignment(-share), strict=True)
             if share[old, new] >= FEWEST_COMMON]  # fmt: skip
    kept = {int(new): int(old) for old, new in pairs}
    order = sorted(range(now.n_segments), key=lambda new: (kept.get(new, previous.n_segments), new))
    names = [previous.names[kept[new]] if new in kept else now.names[new] for new in order]
    for row, new in enumerate(order):
        if new not in kept and names.count(names[row]) > 1:
            names[row] = f"{names[row]} (new)"
    place = np.empty(now.n_segments, dtype=np.int64)
    place[order] = np.arange(now.n_segments)
    return (
        replace(
            now,
            centroids=now.centroids[order],
            names=tuple(names),
            descriptions=tuple(now.descriptions[new] for new in order),
            shares=now.shares[order],
        ),
        place,
    )


def measure_drift(model: SegmentModel, before: pd.DataFrame, now: pd.DataFrame) -> Drift:
    """Compare customers at two moments under the same segments.

    Parameters
    ----------
    before, now : DataFrame
        Features by customer id at the two moments, with the columns of the model.

    Raises
    ------
    UsageError
        Nobody has a segment at both.
    """
    names = list(model.features)
    common = before.index.intersection(now.index)
    placed = [model.assign(table.loc[common, names].to_numpy()).segment for table in (before, now)]
    known = (placed[0] < model.n_segments) & (placed[1] < model.n_segments)
    matrix = np.zeros((model.n_segments, model.n_segments), dtype=np.int64)
    np.add.at(matrix, (placed[0][known], placed[1][known]), 1)
    if not matrix.any():
        raise UsageError("Nobody is known at both moments.", "Compare with a later one.")
    stay = float(np.trace(matrix) / matrix.sum())
    psi = {name: stability_index(before[name], now[name]) for name in names}
    verdict, reason = _verdict(stay, psi)
    labels = list(model.names)
    return Drift(pd.DataFrame(matrix, index=labels, columns=labels), stay, psi, verdict, reason)


def stability_index(before: pd.Series[float], now: pd.Series[float]) -> float:
    """Compute the population stability index over the deciles of what was before.

    Missing values are a bin of their own; an empty bin counts as half a customer.
    """
    edges = np.unique(np.nanquantile(before, np.linspace(0, 1, BINS + 1)[1:-1])) if (
        before.notna().any()
    ) else np.zeros(0)  # fmt: skip
    shares = []
    for values in (before, now):
        x = values.to_numpy(dtype=np.float64)
        code = np.where(np.isnan(x), len(edges) + 1, np.searchsorted(edges, x, side="left"))
        counts = np.bincount(code, minlength=len(edges) + 2).astype(np.float64)
        shares.append(np.maximum(counts, 0.5) / max(1, len(x)))
    was, is_now = shares
    return float(((is_now - was) * np.log(is_now / was)).sum())


def _verdict(stay: float, psi: dict[str, float]) -> tuple[str, str]:
    worst = max(psi, key=lambda name: psi[name])
    told = f"{stay:.0%} stay; the feature that moved most is {worst} (PSI {psi[worst]:.2f})"
    if psi[worst] > SHIFTED or stay < STAY:
        return REFIT, f"{told}: another population or other segments than were fitted"
    if psi[worst] > MOVED:
        return WATCH, f"{told}: it is moving"
    return KEEP, told
