"""Training: tables in, one bundle out. Pure; no file is read or written here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.errors import DataError
from data.schema import OFFER_ID
from recommender.base import Query
from recommender.bundle import Bundle, Customers
from recommender.judging import judge
from recommender.learning import learn
from recommender.model import Recommender
from recommender.sources import find_segments, fit_sources
from recommender.validation import make_folds
from segmentation.anomaly import find_anomalies
from segmentation.features import CustomerFeatures, customer_features
from segmentation.kmeans import Segmentation
from segmentation.segments import SegmentModel

STEPS = 5


def train(
    dataset: Dataset,
    *,
    at: pd.Timestamp | None = None,
    seed: int = 0,
    previous: SegmentModel | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Train everything that can be trained from the tables there are.

    Parameters
    ----------
    dataset : Dataset
        The facts; rows at or after `at` are not read.
    at : Timestamp, optional
        The moment of the model; just after the last row by default.
    seed : int
        The only source of chance.
    previous : SegmentModel, optional
        The segments before: those that are still there keep their names and their order.
    on_step : callable
        Told the name of each of the `STEPS` steps as it begins.

    Raises
    ------
    DataError
        There is nobody to learn from.
    """
    at = dataset.moment_after() if at is None else at
    dataset = dataset.before(at)
    if not len(dataset.customer_ids):
        raise DataError(
            f"No customer is known before {at.isoformat()}.",
            "Bring a customers or transactions table, or choose a later --at.",
        )
    on_step("features and segments")
    features = customer_features(dataset, at)
    notes = list(features.notes)
    segmentation, problem = find_segments(features.values, None, seed, previous)
    notes += [f"No segments: {problem}"] if segmentation is None else segmentation.notes
    on_step("anomalies")
    anomalies = find_anomalies(features, dataset, at, seed=seed)
    recommender: Recommender | None = None
    query: Query | None = None
    if reason := _cannot_recommend(dataset):
        notes.append(reason)
    else:
        recommender, query = _recommender(dataset, at, features, segmentation, seed, notes, on_step)
    return Bundle(
        at=at.isoformat(),
        seed=seed,
        notes=tuple(notes),
        offers=dataset.offers.set_index(OFFER_ID).reindex(dataset.offer_ids.ids).reset_index(),
        anomalies=anomalies,
        choice=pd.DataFrame() if segmentation is None else segmentation.choice.reset_index(),
        silhouette=float("nan") if segmentation is None else segmentation.silhouette,
        segments=None if segmentation is None else segmentation.model,
        recommender=recommender,
        customers=Customers(
            ids=dataset.customer_ids.ids.astype(np.str_),
            features=features.values.to_numpy(dtype=np.float64),
            query=query,
        ),
    )


def _cannot_recommend(dataset: Dataset) -> str:
    if dataset.offers.empty:
        return "Offers are missing: this model has segments but recommends nothing."
    if dataset.interactions.empty and dataset.transactions.empty:
        return "No interaction or transaction is known by then: this model recommends nothing."
    return ""


def _recommender(
    dataset: Dataset,
    at: pd.Timestamp,
    features: CustomerFeatures,
    segmentation: Segmentation | None,
    seed: int,
    notes: list[str],
    on_step: Callable[[str], None],
) -> tuple[Recommender, Query]:
    on_step("validation")
    folds = make_folds(dataset, at, seed)
    segments = None if segmentation is None else segmentation.model
    k = None if segments is None else segments.n_segments
    judged = [judge(fold, k, seed) for fold in folds]
    if not folds:
        notes.append("Too little was redeemed to learn weights from: the prior's stand.")
    elif not folds[0].by_time:
        notes.append("Time gives no cut: validation held out interactions at random.")
    on_step("sources")
    fitted = fit_sources(dataset, at, features.values, segments, seed)
    on_step("hybrid")
    return learn(fitted, judged, seed), fitted.query
