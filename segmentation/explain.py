"""Segments in rules with their fidelity, and the smallest change that moves a customer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from segmentation.segments import SegmentModel

MOST_LEAVES = 7
FAITHFUL = 0.97  # share of customers that the rules must place as the segments do
FEWEST_IN_LEAF = 0.005  # of the customers


@dataclass(frozen=True)
class Rules:
    """A decision tree that stands for the segments.

    Attributes
    ----------
    texts : tuple of str
        Per segment, the conditions that lead to it; empty where no rule does.
    leaves : int
    accuracy : float
        Share of customers that the rules place as the segments do.
    cost : float
        Squared distances to the means of the rules' groups ÷ those of the segments.
    placed : ndarray of int, shape (n,)
        Segment of each customer by the rules.
    """

    texts: tuple[str, ...]
    leaves: int
    accuracy: float
    cost: float
    placed: np.ndarray


def find_rules(table: pd.DataFrame, labels: np.ndarray, model: SegmentModel) -> Rules:
    """Find the shortest rules that reproduce segments (Moshkovitz et al., 2020).

    As many leaves as segments are tried first, then more, up to seven or the number of segments.

    Parameters
    ----------
    table : DataFrame, shape (n, d)
        The features of the segments in their own units; missing values stand at their medians.
    labels : ndarray of int, shape (n,)
        Segment of each row.
    """
    k = model.n_segments
    x = table.fillna(table.median())
    fewest = max(1, int(FEWEST_IN_LEAF * len(x)))
    for leaves in range(max(2, k), max(MOST_LEAVES, k) + 1):
        tree = DecisionTreeClassifier(
            max_leaf_nodes=leaves, min_samples_leaf=fewest, random_state=0
        ).fit(x.to_numpy(), labels)
        placed = tree.predict(x.to_numpy())
        accuracy = float((placed == labels).mean())
        if accuracy >= FAITHFUL:
            break
    z = model.standardise(x.to_numpy())
    return Rules(
        texts=_texts(tree, list(table.columns), k),
        leaves=int(tree.get_n_leaves()),
        accuracy=accuracy,
        cost=_spread(z, placed) / max(_spread(z, labels), np.finfo(float).tiny),
        placed=placed,
    )


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
    with np.errstate(divide="ignore", invalid="ignore"):
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


def _spread(z: np.ndarray, labels: np.ndarray) -> float:
    """Sum squared distances to the means of the groups."""
    return float(
        sum(((z[labels == k] - z[labels == k].mean(axis=0)) ** 2).sum() for k in np.unique(labels))
    )


def _texts(tree: DecisionTreeClassifier, names: list[str], k: int) -> tuple[str, ...]:
    """Write the paths to the leaves of each segment, joined by "or"."""
    inner = tree.tree_
    paths: list[list[str]] = [[] for _ in range(k)]

    def walk(node: int, bounds: dict[str, tuple[float, float]]) -> None:
        if inner.children_left[node] < 0:
            segment = int(tree.classes_[inner.value[node][0].argmax()])
            paths[segment].append(_condition(bounds))
            return
        name, cut = names[inner.feature[node]], float(inner.threshold[node])
        low, high = bounds.get(name, (-np.inf, np.inf))
        walk(inner.children_left[node], bounds | {name: (low, min(high, cut))})
        walk(inner.children_right[node], bounds | {name: (max(low, cut), high)})

    walk(0, {})
    return tuple(" or ".join(path) for path in paths)


def _condition(bounds: dict[str, tuple[float, float]]) -> str:
    words = []
    for name, (low, high) in bounds.items():
        if np.isinf(low):
            words.append(f"{name} <= {high:.4g}")
        elif np.isinf(high):
            words.append(f"{name} > {low:.4g}")
        else:
            words.append(f"{low:.4g} < {name} <= {high:.4g}")
    return " and ".join(words) if words else "everybody"
