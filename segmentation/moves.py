"""The smallest change that moves a customer into another segment: plain arrays, for serving too."""

from __future__ import annotations

import numpy as np
import pandas as pd

from segmentation.profiles import label_of
from segmentation.segments import SegmentModel


def smallest_moves(table: pd.DataFrame, model: SegmentModel) -> pd.DataFrame:
    """Find for each customer the smallest change of one feature that leads to another segment.

    The border between two segments is where both centroids are equally far: along feature j it is
    crossed where ``2 (b_j - a_j)`` times the change makes up for the difference of the squared
    distances. Smallest is meant in standard deviations; nothing becomes negative that is not.

    Parameters
    ----------
    table : DataFrame, shape (n, d)
        Features of the model in their own units; NaN is not known and not changed.

    Returns
    -------
    DataFrame
        Indexed like `table`: feature, value, needed, would_join (a segment's number); without rows
        for customers of whom nothing is known, or if there is but one segment.
    """
    values = table[list(model.features)].to_numpy(dtype=np.float64)
    z = model.standardise(values)
    squared = model.distances(values) ** 2
    own = squared.argmin(axis=1)
    rows = np.arange(len(z))
    gap = squared - squared[rows, own][:, None]
    slope = 2 * (model.centroids[None] - model.centroids[own][:, None])
    # Where a feature tells the two hardly apart, the way to the border is beyond all numbers.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        step = gap[:, :, None] / slope
        needed = model.raw(z[:, None, :] + step * (1 + 1e-9))
    impossible = (needed < 0) & (values[:, None, :] >= 0)
    useless = (np.abs(slope) < 1e-9) | ~np.isfinite(needed) | impossible
    useless[rows, own] = True
    size = np.where(useless, np.inf, np.abs(step) / np.sqrt(model.weight))
    best = size.reshape(len(z), -1).argmin(axis=1)
    joined, feature = np.divmod(best, len(model.features))
    found = pd.DataFrame(
        {
            "feature": np.array(model.features, dtype=object)[feature],
            "value": values[rows, feature],
            "needed": needed[rows, joined, feature],
            "would_join": joined,
        },
        index=table.index,
    )
    found["size"] = size.reshape(len(z), -1).min(axis=1)
    return found.replace(np.inf, np.nan).dropna(subset="size").drop(columns="size")


def why_placed(model: SegmentModel, values: np.ndarray) -> tuple[str, ...]:
    """Say in sentences why a customer is in their segment and what would move them out of it.

    Parameters
    ----------
    values : ndarray of float, shape (d,)
        Features of the model in their own units; NaN is not known.

    Returns
    -------
    tuple of str
        First the features that speak for this segment and against the next one, the strongest
        first; empty where nothing is known or there is one segment only.
    """
    placed = model.assign(values)
    own, other = int(placed.segment[0]), int(placed.runner_up[0])
    if own == model.n_segments or model.n_segments == 1:
        return ()
    z = model.standardise(values)
    # How much nearer each feature makes the customer to this segment than to the next one.
    speaks = (z - model.centroids[other]) ** 2 - (z - model.centroids[own]) ** 2
    means = model.raw(model.centroids[[own, other]])
    reasons = [
        f"{_sentence_case(label_of(model.features[place]))} is {values[place]:.4g}: "
        f"on average {means[0, place]:.4g} here, {means[1, place]:.4g} in the next segment."
        for place in np.argsort(-np.nan_to_num(speaks, nan=-np.inf), kind="stable")
        if speaks[place] > 0
    ]
    moves = smallest_moves(pd.DataFrame(values[None], columns=list(model.features)), model)
    for move in moves.itertuples():
        reasons.append(
            f"With {label_of(str(move.feature))} {move.needed:.4g} instead of {move.value:.4g} "
            f"the segment would be {model.names[int(str(move.would_join))]}."
        )
    return tuple(reasons)


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
