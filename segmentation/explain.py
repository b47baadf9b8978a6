"""Segments in rules with their fidelity."""

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
