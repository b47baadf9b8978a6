"""Customer segments as a scikit-learn estimator: standardised, weighted K-Means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)
from threadpoolctl import threadpool_limits

from segmentation.choice import choose_k, count_distinct, fit_kmeans
from segmentation.density import density_weight, weigh_by_evidence
from segmentation.segments import Assignment, SegmentModel


class CustomerSegmenter(TransformerMixin, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """K-Means over standardised, explicitly weighted features, with a k that is justified.

    What is missing (NaN) is imputed by its median in the fit and left out of distances after it.
    The largest segment is number 0; equal ones are ordered by centroid.

    Parameters
    ----------
    n_segments : int or "auto"
        How many segments; "auto" compares 2 to 10 by consensus (`choose_k`).
    weights : mapping of str to float, or sequence of float, optional
        How much each feature counts; by default all the same.
    logged : sequence of str or int
        Features, by name or place, of which log(1 + x) is compared.
    density : bool or "auto"
        Weigh customers in sparse places more, so that small segments are found; "auto" if with it
        the segments come back clearly better.
    random_state : int
        Seed of starts and samples.

    Attributes
    ----------
    labels_ : ndarray of int, shape (n,)
    cluster_centers_ : ndarray of float, shape (k, d)
        In the units of the features.
    n_segments_ : int
    choice_ : DataFrame
        What was compared to choose k; empty if it was given.
    imputed_ : ndarray of int, shape (d,)
        How many values were missing in the fit.
    row_weight_ : ndarray of float, shape (n,), or None
        Density weights of the fit.
    model_ : SegmentModel
        What serving needs.
    """

    def __init__(
        self,
        n_segments: int | Literal["auto"] = "auto",
        *,
        weights: Mapping[str, float] | list[float] | None = None,
        logged: tuple[str | int, ...] = (),
        density: bool | Literal["auto"] = False,
        random_state: int | None = 0,
    ) -> None:
        self.n_segments = n_segments
        self.weights = weights
        self.logged = logged
        self.density = density
        self.random_state = random_state

    def fit(self, X: Any, y: None = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Fit segments.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Features in their own units; NaN is missing.
        sample_weight : array-like of shape (n,), optional
            How much each customer counts in the centroids and the standardisation.

        Raises
        ------
        ValueError
            There are fewer different customers than segments, or a column without any value.
        """
        raw = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        counts = None if sample_weight is None else _check_sample_weight(sample_weight, raw)
        names = self._names()
        seed = int(np.random.default_rng(self.random_state).integers(2**31)) if (
            self.random_state is None
        ) else int(self.random_state)  # fmt: skip
        logged = np.array([name in self.logged or row in self.logged
                           for row, name in enumerate(names)])  # fmt: skip
        weight = self._weight_of(names)
        if len(weight) != len(names) or not (weight > 0).all():
            raise ValueError(f"weights must be {len(names)} numbers above 0, not {self.weights}.")
        moved = np.where(logged, np.log1p(np.maximum(raw, 0.0)), raw)
        missing = np.isnan(moved)
        if missing.all(axis=0).any():
            name = names[int(missing.all(axis=0).argmax())]
            raise ValueError(f"The feature {name!r} has no values.")
        moved = np.where(missing, np.nanmedian(moved, axis=0), moved)
        mean = np.average(moved, axis=0, weights=counts)
        scale = np.sqrt(np.average((moved - mean) ** 2, axis=0, weights=counts))
        # What is the same for everybody has a spread of rounding errors at most.
        scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(mean)), scale, 1.0)
        z = np.sqrt(weight) * (moved - mean) / scale
        distinct = count_distinct(z)
        if self.n_segments != "auto" and distinct < int(self.n_segments):
            raise ValueError(
                f"{distinct} different rows (n_samples={len(z)}) cannot form {self.n_segments} "
                "segments."
            )
        # The rows are few and the fits many: threads would only wait for each other.
        with threadpool_limits(1):
            self.choice_ = choose_k(z, seed) if self.n_segments == "auto" else pd.DataFrame()
            k = self._chosen_k()
            self.row_weight_ = self._density_of(z, k, seed)
            both = counts if self.row_weight_ is None else (
                self.row_weight_ if counts is None else counts * self.row_weight_
            )  # fmt: skip
            _, centroids = fit_kmeans(z, k, seed, both)
        self.n_segments_ = k
        self.imputed_ = missing.sum(axis=0)
        self.model_ = SegmentModel(
            features=tuple(names), logged=logged, mean=mean, scale=scale, weight=weight,
            centroids=centroids, names=("",) * k, descriptions=("",) * k, shares=np.zeros(k),
        )  # fmt: skip
        self.cluster_centers_ = self.model_.raw(centroids)
        # Serving leaves out what is missing where the fit had to impute: its labels are the labels.
        self.labels_ = self.model_.assign(raw).segment
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the nearest segment of each customer; `n_segments_` where nothing is known."""
        return self.assign(X).segment

    def assign(self, X: Any) -> Assignment:
        """Return segments with their confidence and the runner-up."""
        check_is_fitted(self)
        raw = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return self.model_.assign(raw)

    def transform(self, X: Any) -> np.ndarray:
        """Return the distances to all centroids, shape (n, k), in standard deviations."""
        check_is_fitted(self)
        raw = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return self.model_.distances(raw)

    def standardised(self, X: Any) -> np.ndarray:
        """Return customers as the fit saw them: standardised, weighted, missing at the median."""
        check_is_fitted(self)
        raw = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        z = self.model_.standardise(raw)
        return np.where(np.isnan(z), np.nanmedian(z, axis=0), z)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002
        """Return a name for each distance."""
        check_is_fitted(self)
        return np.array([f"distance_to_{row}" for row in range(self.n_segments_)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _names(self) -> list[str]:
        known = getattr(self, "feature_names_in_", None)
        return [f"x{row}" for row in range(self.n_features_in_)] if known is None else list(known)

    def _weight_of(self, names: list[str]) -> np.ndarray:
        if self.weights is None:
            return np.ones(len(names))
        if isinstance(self.weights, Mapping):
            return np.array([self.weights[name] for name in names], dtype=np.float64)
        return np.asarray(self.weights, dtype=np.float64)

    def _chosen_k(self) -> int:
        if self.n_segments != "auto":
            return int(self.n_segments)
        if not len(self.choice_):
            return 1
        return int(self.choice_.index.to_numpy()[self.choice_["rank"].argmin()])

    def _density_of(self, z: np.ndarray, k: int, seed: int) -> np.ndarray | None:
        if self.density == "auto":
            return weigh_by_evidence(z, k, seed) if k > 1 else None
        return density_weight(z) if self.density else None
