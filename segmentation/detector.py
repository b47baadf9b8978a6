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

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from segmentation.base_detectors import REFERENCE_ROWS, Forest, Neighbours, Scale

TREES = {"default": 100, "improved": 1000}  # by mode; which rows are the oddest settles late
SAMPLES = 256  # rows a tree sees: more hide anomalies behind one another (Liu et al. 2008)
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
        self._views: list[Forest | Neighbours]
        if self.mode == "default":
            # The forest gets the seed itself, so that it grows scikit-learn's very trees.
            self._scale = None
            self._views = [Forest.fit(x, weight, trees, samples, seed)]
        else:
            # At most half, so that every row is out of bag somewhere.
            samples, random = min(samples, len(x) // 2), check_random_state(seed)
            self._scale = Scale.fit(x, weight)
            x = self._scale(x)
            self._views = [
                Forest.fit(x, weight, trees, samples, random),
                Neighbours.fit(x, weight, min(REFERENCE_ROWS, samples), random),
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
