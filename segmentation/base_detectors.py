"""What the anomaly detector averages: an isolation forest and distances to neighbours in samples.

Each judges any rows, or those it was fitted to by the parts that have not seen them (out of bag).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

# Samples that distances are taken to, their rows, and neighbours in each. Many neighbours of few
# rows see through small groups of anomalies that are each other's nearest.
REFERENCES, REFERENCE_ROWS, NEIGHBOURS = 60, 128, 10
BLOCK = 2000  # rows whose distances are held in memory at once


@dataclass(frozen=True)
class Scale:
    """Robust units, compressed: arcsinh is the identity near 0 and a logarithm far away."""

    centre: np.ndarray
    unit: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray, weight: np.ndarray | None) -> Scale:
        """Measure the middle and the spread of every column."""
        weighted: dict[str, Any] = {"weights": weight, "method": "inverted_cdf"}
        shares, how = [0.25, 0.5, 0.75], {} if weight is None else weighted
        low, centre, high = np.quantile(x, shares, axis=0, **how)
        # Where the middle half of the rows are equal, all of them must tell the unit.
        unit, spread = (high - low) / 1.349, x.std(axis=0)
        unit = np.where(unit > 1e-9 * spread, unit, spread)
        return cls(centre, np.where(unit > 0, unit, np.inf))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Turn rows into these units."""
        return np.asarray(np.arcsinh((x - self.centre) / self.unit))


class _Shared(np.random.RandomState):
    """A generator that is not copied: the forest would copy it for every tree, a fifth of a fit.

    Each tree is given a seed of its own afterwards, so that the copies were never used.
    """

    def __deepcopy__(self, memo: object) -> _Shared:
        return self


@dataclass(frozen=True)
class Forest:
    """An isolation forest, as plain trees."""

    trees: list[Any]
    rows: list[np.ndarray]  # that each tree has seen
    paths: list[np.ndarray]  # of each tree: the path length that ending in a node stands for
    usual: float  # path length of an ordinary row

    @classmethod
    def fit(
        cls, x: np.ndarray, weight: np.ndarray | None, trees: int, samples: int, random: Any
    ) -> Forest:
        """Grow scikit-learn's forest and keep what judging needs."""
        given = random
        if isinstance(random, np.random.RandomState):
            given = _Shared()
            given.set_state(random.get_state())
        forest = IsolationForest(n_estimators=trees, max_samples=samples, random_state=given)
        forest.fit(x, sample_weight=weight)
        if given is not random:
            random.set_state(given.get_state())
        grown = [one.tree_ for one in forest.estimators_]
        paths = [one.compute_node_depths() - 1.0 + _usual_path(one.n_node_samples) for one in grown]
        rows = [np.unique(one) for one in forest.estimators_samples_]
        return cls(grown, rows, paths, float(_usual_path(np.array([samples]))[0]))

    def judge(self, x: np.ndarray, own_rows: bool = False) -> np.ndarray:
        """Return 2^(-mean path / usual path) of Liu et al. 2008, shape (n,)."""
        single = np.ascontiguousarray(x, dtype=np.float32)
        total, inside, seen = np.zeros((3, len(x)))
        for tree, path, rows in zip(self.trees, self.paths, self.rows, strict=True):
            length = path[tree.apply(single)]
            total += length
            if own_rows:
                inside[rows] += length[rows]
                seen[rows] += 1
        out = len(self.trees) - seen
        # A row that every tree has seen is judged by them all.
        mean = np.where(out > 0, (total - inside) / np.maximum(out, 1), total / len(self.trees))
        return np.asarray(2.0 ** -(mean / self.usual if self.usual else np.ones(len(x))))


def _usual_path(n: np.ndarray) -> np.ndarray:
    """Mean path of an unsuccessful search among n rows, c(n) of Liu et al. 2008."""
    m = np.maximum(n, 3).astype(np.float64)
    long = 2.0 * (np.log(m - 1.0) + np.euler_gamma) - 2.0 * (m - 1.0) / m
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, long))


@dataclass(frozen=True)
class Neighbours:
    """Samples that distances are taken to."""

    rows: list[np.ndarray]  # of each sample
    points: list[np.ndarray]
    nearest: int

    @classmethod
    def fit(cls, x: np.ndarray, weight: np.ndarray | None, samples: int, random: Any) -> Neighbours:
        """Draw the samples; by weight, if there is one."""
        chance = None if weight is None else weight / weight.sum()
        rows = [random.choice(len(x), samples, False, chance) for _ in range(REFERENCES)]
        # A row's distance to itself does not count, so that one row of a sample must be spare.
        return cls(rows, [x[one] for one in rows], max(1, min(NEIGHBOURS, samples - 1)))

    def judge(self, x: np.ndarray, own_rows: bool = False) -> np.ndarray:
        """Return the mean distance to the nearest rows of a sample, over all samples; (n,)."""
        mean = np.zeros(len(x))
        for at in range(0, len(x), BLOCK):
            here = x[at : at + BLOCK]
            number, square = np.arange(at, at + len(here)), (here**2).sum(axis=1)
            for rows, points in zip(self.rows, self.points, strict=True):
                gap = square[:, None] + (points**2).sum(axis=1) - 2.0 * (here @ points.T)
                if own_rows:
                    gap[number[:, None] == rows] = np.inf
                near = np.partition(gap, self.nearest - 1, axis=1)[:, : self.nearest]
                mean[number] += np.sqrt(np.maximum(near, 0.0)).mean(axis=1) / len(self.rows)
        return mean
