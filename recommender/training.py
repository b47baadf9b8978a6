"""Training: tables in, one bundle out. Pure; no file is read or written here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from data.dataset import Dataset
from data.errors import DataError
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, OFFER_ID
from recommender.base import Query
from recommender.bundle import Bundle, Customers
from recommender.features.demographics import Demographics
from recommender.features.profile_columns import build_demographics, profiles_of
from recommender.fitting.sources import find_segments, fit_sources
from recommender.learning.tuning import tune
from recommender.learning.weights import Within, learn, learn_within
from recommender.model import Recommender
from recommender.past.judging import Judged, judge
from recommender.past.thinning import thin, told_of, without
from recommender.past.validation import Fold, look_back
from recommender.recipe import DEFAULT, Recipe
from segmentation.anomaly import find_anomalies
from segmentation.features import DAY, CustomerFeatures, customer_features
from segmentation.kinds import FRAUD, KINDS
from segmentation.kmeans import Segmentation
from segmentation.segments import SegmentModel

STEPS = 5
UNREAD = ("event_id", "propensity", "decision_id", "policy", "value")  # of interactions


def train(
    dataset: Dataset,
    *,
    at: pd.Timestamp | None = None,
    seed: int = 0,
    previous: SegmentModel | None = None,
    recipe: Recipe = DEFAULT,
    tries: int = 0,
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
    recipe : Recipe
        Hyper-parameters.
    tries : int
        Search for better ones on past moments with so many tries; none by default.
    on_step : callable
        Told the name of each of the `STEPS` steps as it begins, and of each try.

    Raises
    ------
    DataError
        There is nobody to learn from.
    """
    at = dataset.moment_after() if at is None else at
    dataset = _told(dataset.before(at))
    if not len(dataset.customer_ids):
        raise DataError(
            f"No customer is known before {at.isoformat()}.",
            "Bring a customers or transactions table, or choose a later --at.",
        )
    on_step("features and anomalies")
    features = customer_features(dataset, at)
    notes = list(features.notes)
    reason = _cannot_recommend(dataset)
    with _beside() as beside:
        odd = beside.submit(find_anomalies, features, dataset, at, seed=seed)
        past = None if reason else beside.submit(look_back, dataset, at, seed)
        on_step("segments")
        segmentation, problem = find_segments(features.values, None, seed, previous)
        anomalies, folds = odd.result(), [] if past is None else past.result()
    notes += [f"No segments: {problem}"] if segmentation is None else segmentation.notes
    recommender: Recommender | None = None
    query: Query | None = None
    if tries and not reason:
        k = None if segmentation is None else segmentation.model.n_segments
        tuned = tune(
            folds,
            _profile(dataset, at),
            k=k,
            tries=tries,
            seed=seed,
            suspects=_suspects(anomalies, recipe),
            recipe=recipe,
            on_step=on_step,
        )
        recipe = tuned.recipe
        notes.append(tuned.told())
    if reason:
        notes.append(reason)
    else:
        recommender, query = _recommender(
            dataset, at, features, segmentation, anomalies, folds, recipe, seed, notes, on_step
        )
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
        recipe=recipe,
        customers=Customers(
            ids=dataset.customer_ids.ids.astype(np.str_),
            features=features.values.to_numpy(dtype=np.float64),
            first_bought=at.value // 1000
            - DAY * features.activity["tenure_days"].to_numpy(np.float64),
            query=query,
        ),
    )


def _told(dataset: Dataset) -> Dataset:
    """Leave out what training does not read: of many million rows every copy would hold it."""
    return replace(dataset, interactions=dataset.interactions.drop(columns=list(UNREAD)))


def _cannot_recommend(dataset: Dataset) -> str:
    if dataset.offers.empty:
        return "Offers are missing: this model has segments but recommends nothing."
    if dataset.interactions.empty and dataset.transactions.empty:
        return "No interaction or transaction is known by then: this model recommends nothing."
    return ""


def _profile(dataset: Dataset, at: pd.Timestamp) -> Demographics:
    """Find the columns of profiles, once for all moments, of which each knows some customers."""
    return build_demographics(profiles_of(dataset), at.value // 1000)


def _recommender(
    dataset: Dataset,
    at: pd.Timestamp,
    features: CustomerFeatures,
    segmentation: Segmentation | None,
    anomalies: pd.DataFrame,
    folds: list[Fold],
    recipe: Recipe,
    seed: int,
    notes: list[str],
    on_step: Callable[[str], None],
) -> tuple[Recommender, Query]:
    on_step("validation")
    suspects = _suspects(anomalies, recipe)
    honest = without(dataset, suspects)
    trusted = thin(honest)
    left_out = len(dataset.interactions) - len(honest.interactions)
    if left_out:
        notes.append(
            f"{left_out} interactions of customers flagged as possible fraud are not learnt from."
        )
    if trusted is not honest:
        notes.append(told_of(honest, trusted))
    segments = None if segmentation is None else segmentation.model
    k = None if segments is None else segments.n_segments
    if not folds:
        notes.append("Too little was redeemed to learn weights from: the prior's stand.")
    elif not folds[0].by_time:
        notes.append("Time gives no cut: validation held out interactions at random.")
    elif not folds[-1].by_time:
        notes.append("Few came back: some interactions were held out at random as well.")
    elif folds[-1].at == at:
        notes.append(
            "The offers are known now, at past moments they were new: of late half of the "
            "customers were held out as well."
        )
    profile = _profile(dataset, at)
    with _beside() as beside:
        past = beside.submit(_learn_from, folds, k, seed, recipe, suspects, profile)
        on_step("sources")
        fitted = fit_sources(dataset, at, features.values, segments, seed, recipe, trusted, profile)
        judged, within = past.result()
    on_step("hybrid")
    query = replace(fitted.query, flagged=_flagged(anomalies, fitted.ids))
    with threadpool_limits(1, "blas"):
        return learn(fitted, judged, within, seed, recipe), query


def _learn_from(
    folds: list[Fold],
    k: int | None,
    seed: int,
    recipe: Recipe,
    suspects: frozenset[str],
    profile: Demographics,
) -> tuple[list[Judged], Within]:
    judged = [judge(fold, k, seed, recipe, suspects, profile) for fold in folds]
    return judged, learn_within(judged)


@contextmanager
def _beside() -> Iterator[Executor]:
    """Run one thing beside another on a second core; neither depends on it.

    Products of matrices stay on the core they are called from: their threads would only wait for
    those of the other, and their number would change the rounding. Other loops do so beside, where
    the shorter task runs; the longer one may use the second core once that is free.
    """
    with (
        threadpool_limits(1, "blas"),
        ThreadPoolExecutor(1, initializer=threadpool_limits, initargs=(1, "openmp")) as pool,
    ):
        yield pool


def _suspects(anomalies: pd.DataFrame, recipe: Recipe) -> frozenset[str]:
    if recipe.learn_from_suspects:
        return frozenset()
    odd = anomalies["flagged"].astype(bool) & (anomalies["kind"] == FRAUD)
    return frozenset(anomalies.loc[odd, CUSTOMER_ID])


def _flagged(anomalies: pd.DataFrame, ids: IdMap) -> sp.csr_matrix:
    """Mark what each customer is flagged as: shape (customers, kinds)."""
    odd = anomalies[anomalies["flagged"].astype(bool) & anomalies["kind"].isin(KINDS)]
    rows = ids.rows(odd[CUSTOMER_ID])
    columns = odd["kind"].map(KINDS.index).to_numpy(dtype=np.int64)
    return sp.csr_matrix((np.ones(len(odd)), (rows, columns)), shape=(len(ids), len(KINDS)))
