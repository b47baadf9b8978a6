"""How odd a row of any numeric table is, as a scikit-learn estimator with a calibrated alarm rate.

The default mode is scikit-learn's isolation forest (Liu, Ting & Zhou 2008). The improved mode
averages two views of the same rows, since each is blind where the other sees: a larger forest,
whose cuts along the columns find what is extreme and small groups far off, and distances to the
neighbours in small samples (Sugiyama & Borgwardt 2013; Aggarwal & Sathe 2015), which find broken
relations between columns. Columns are measured from their median in robust units and compressed by
arcsinh, so that a heavy tail neither swallows the cuts nor rules the distances.

Rows judged by the trees and samples they had no part in (out of bag; Kim, Xu & Barber 2020)
calibrate the p-values of new rows; with a share held out, that is split-conformal and exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.ensemble import IsolationForest
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

TREES = {"default": 100, "improved": 1000}  # by mode; which rows are the oddest settles late
SAMPLES = 256  # rows a tree sees: more hide anomalies behind one another (Liu et al. 2008)
# Samples that distances are taken to, their rows, and neighbours in each. Many neighbours of few
# rows see through small groups of anomalies that are each other's nearest.
REFERENCES, REFERENCE_ROWS, NEIGHBOURS = 60, 128, 10
BLOCK = 2000  # rows whose distances are held in memory at once
DIGITS = 9  # a score must not depend on how many rows are scored with it


class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Score rows by how easily they are told from others; flag at a known alarm rate.

    Parameters
    ----------
    mode : {"default", "improved"}
        scikit-learn's forest, or two views averaged.
    n_estimators : int, optional
        Trees of the forest; 100 in the default mode, 1000 in the improved one.
    max_samples : int, optional
        Rows that each tree sees; 256, or all if fewer (improved: at most half of them).
    calibration : float, optional
        Share of rows held out of fitting for calibration. None calibrates out of bag and fits on
        all rows; where every tree sees every row (default mode, up to 256) that is approximate.
    alpha : float
        Share of ordinary rows that `predict` may flag.
    random_state : int, RandomState or None
        Seed.

    Attributes
    ----------
    calibration_scores_ : ndarray of float, shape (calibration rows,)
        Ascending scores of rows, by parts that have not seen them.
    offset_ : float
        Score below which a row is flagged; -inf where too few rows calibrate `alpha`.
    """

    def __init__(
        self,
        *,
        mode: str = "default",
        n_estimators: int | None = None,
        max_samples: int | None = None,
        calibration: float | None = None,
        alpha: float = 0.05,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.mode = mode
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self.calibration = calibration
        self.alpha = alpha
        self.random_state = random_state

    def fit(self, X: Any, y: None = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Fit the views and calibrate them.

        Parameters
        ----------
        X : array-like of float, shape (n, d)
        y : None
        sample_weight : array-like of float, shape (n,), optional
            For the drawing of samples, as in scikit-learn's forest; rows of weight 0 are left out.
        """
        self._check_parameters()
        x = validate_data(self, X, dtype=self._dtype, ensure_min_samples=2)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, x, ensure_non_negative=True)
            x, weight = x[weight > 0], weight[weight > 0]
        count = 0 if self.calibration is None else max(1, round(self.calibration * len(x)))
        if len(x) - count < 2:
            raise ValueError(f"n_samples={len(x)} with weight, {count} held out: too few to fit")
        if self.calibration is None:
            scores = self._combine(self._fit_views(x, weight, self.random_state))
        else:
            random = check_random_state(self.random_state)
            order = random.permutation(len(x))
            held, rest = np.sort(order[:count]), np.sort(order[count:])
            self._fit_views(x[rest], None if weight is None else weight[rest], random)
            scores = self._score(x[held])
        self.calibration_scores_ = np.sort(scores)
        # p <= alpha where fewer than this many calibration rows are at least as odd.
        allowed = int(self.alpha * (len(self.calibration_scores_) + 1) + 1e-9)
        self.offset_ = float(self.calibration_scores_[allowed - 1]) if allowed else -np.inf
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Score rows; lower is odder.

        Returns
        -------
        ndarray of float, shape (n,)
            By default in [-1, 0], as scikit-learn's forest; improved: a negated mean of z-scores.
        """
        check_is_fitted(self)
        return self._score(validate_data(self, X, dtype=self._dtype, reset=False))

    def decision_function(self, X: Any) -> np.ndarray:
        """Score rows from the threshold on; negative is flagged; shape (n,)."""
        return np.asarray(self.score_samples(X) - self.offset_)

    def predict(self, X: Any) -> np.ndarray:
        """Return -1 for rows whose p-value is at most `alpha`, else 1; shape (n,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Any) -> np.ndarray:
        """Compute conformal p-values of rows that were not fitted (Bates et al. 2023).

        Returns
        -------
        ndarray of float, shape (n,)
            (1 + calibration rows that score at least as odd) / (1 + calibration rows).
        """
        scores = self.score_samples(X)
        as_odd = np.searchsorted(self.calibration_scores_, scores, side="right")
        return np.asarray((1 + as_odd) / (1 + len(self.calibration_scores_)))

    def discoveries(self, X: Any, q: float = 0.1) -> np.ndarray:
        """Find odd rows with a false discovery rate of at most q; shape (n,) of bool.

        Conformal p-values depend on one another as that allows (Bates et al. 2023, theorem 2).
        """
        return reject_at_rate(self.p_values(X), q)

    @property
    def _dtype(self) -> Any:
        # Trees cut in single precision: what that cannot hold is refused, as any infinity.
        return np.float32 if self.mode == "default" else np.float64

    def _check_parameters(self) -> None:
        if self.mode not in TREES:
            raise ValueError(f"mode={self.mode!r}: expected one of {', '.join(TREES)}")
        for name in ("n_estimators", "max_samples"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | np.integer) and value >= 1):
                raise ValueError(f"{name}={value!r}: expected a whole number of at least 1")
        for name in ("alpha", "calibration"):
            value = getattr(self, name)
            if not (0 < value < 1 if value is not None else name == "calibration"):
                raise ValueError(f"{name}={value!r}: expected a share between 0 and 1")

    def _fit_views(self, x: np.ndarray, weight: np.ndarray | None, seed: Any) -> list[np.ndarray]:
        """Fit; return what each view says of the fitted rows, out of bag."""
        trees = self.n_estimators or TREES[self.mode]
        samples = min(self.max_samples or SAMPLES, len(x))
        self._views: list[_Forest | _Neighbours]
        if self.mode == "default":
            # The forest gets the seed itself, so that it grows scikit-learn's very trees.
            self._scale = None
            self._views = [_Forest.fit(x, weight, trees, samples, seed)]
        else:
            # At most half, so that every row is out of bag somewhere.
            samples, random = min(samples, len(x) // 2), check_random_state(seed)
            self._scale = _Scale.fit(x, weight)
            x = self._scale(x)
            self._views = [
                _Forest.fit(x, weight, trees, samples, random),
                _Neighbours.fit(x, weight, min(REFERENCE_ROWS, samples), random),
            ]
        judged = [view.judge(x, own_rows=True) for view in self._views]
        spread = np.array([one.std() for one in judged])
        self._mean = np.array([one.mean() for one in judged])
        self._spread = np.where(spread > 1e-12, spread, np.inf)  # all alike: nothing to say
        return judged

    def _score(self, x: np.ndarray) -> np.ndarray:
        x = x if self._scale is None else self._scale(x)
        return self._combine([view.judge(x) for view in self._views])

    def _combine(self, judged: list[np.ndarray]) -> np.ndarray:
        if self.mode == "default":
            return np.asarray(-judged[0])
        z = (np.array(judged) - self._mean[:, None]) / self._spread[:, None]
        return np.asarray(-np.round(z.mean(axis=0), DIGITS))


def reject_at_rate(p_values: np.ndarray, q: float) -> np.ndarray:
    """Reject the k smallest of m, k the largest with p_(k) <= q·k/m (Benjamini & Hochberg 1995)."""
    if not 0 < q < 1:
        raise ValueError(f"q={q!r}: expected a share between 0 and 1")
    ordered, m = np.sort(p_values), len(p_values)
    small = np.flatnonzero(ordered * m <= q * np.arange(1, m + 1) * (1 + 1e-12))
    return np.asarray(p_values <= (ordered[small[-1]] if len(small) else -1.0))


@dataclass(frozen=True)
class _Scale:
    """Robust units, compressed: arcsinh is the identity near 0 and a logarithm far away."""

    centre: np.ndarray
    unit: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray, weight: np.ndarray | None) -> _Scale:
        weighted: dict[str, Any] = {"weights": weight, "method": "inverted_cdf"}
        shares, how = [0.25, 0.5, 0.75], {} if weight is None else weighted
        low, centre, high = np.quantile(x, shares, axis=0, **how)
        # Where the middle half of the rows are equal, all of them must tell the unit.
        unit, spread = (high - low) / 1.349, x.std(axis=0)
        unit = np.where(unit > 1e-9 * spread, unit, spread)
        return cls(centre, np.where(unit > 0, unit, np.inf))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.arcsinh((x - self.centre) / self.unit))


class _Shared(np.random.RandomState):
    """A generator that is not copied: the forest would copy it for every tree, a fifth of a fit.

    Each tree is given a seed of its own afterwards, so that the copies were never used.
    """

    def __deepcopy__(self, memo: object) -> _Shared:
        return self


@dataclass(frozen=True)
class _Forest:
    trees: list[Any]
    rows: list[np.ndarray]  # that each tree has seen
    paths: list[np.ndarray]  # of each tree: the path length that ending in a node stands for
    usual: float  # path length of an ordinary row

    @classmethod
    def fit(
        cls, x: np.ndarray, weight: np.ndarray | None, trees: int, samples: int, random: Any
    ) -> _Forest:
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
class _Neighbours:
    rows: list[np.ndarray]  # of each sample
    points: list[np.ndarray]
    nearest: int

    @classmethod
    def fit(
        cls, x: np.ndarray, weight: np.ndarray | None, samples: int, random: Any
    ) -> _Neighbours:
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
