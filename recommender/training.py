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
from data.schema import BOUGHT, CUSTOMER_ID, EVENT_TYPE, OFFER_ID
from data.words import counted, form
from recommender.base import Query
from recommender.bundle import Bundle, Customers
from recommender.features.bought import known_before, with_bought
from recommender.features.profile_columns import build_demographics, profiles_of
from recommender.fitting.sources import find_segments, fit_sources
from recommender.learning.autoencoder_penalty import choose_penalty
from recommender.learning.tuning import tune
from recommender.learning.weights import Within, learn, learn_within
from recommender.model import Recommender
from recommender.past.fold import Fold
from recommender.past.judging import Judged, Setting, judge
from recommender.past.thinning import thin, told_of, without
from recommender.past.validation import look_back
from recommender.recipe import DEFAULT, Recipe
from segmentation.anomaly import find_anomalies
from segmentation.features import DAY, customer_features
from segmentation.kinds import FRAUD, KINDS
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
        The moment of the model, in UTC where it names no zone; just after the last row by default.
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
    if at is None and not len(dataset.customer_ids):
        raise DataError(
            "There is no customer, transaction or interaction at all.",
            "Add a table of customers, transactions or interactions, with rows.",
        )
    at = dataset.moment_after() if at is None else pd.to_datetime(at, utc=True)
    dataset = with_bought(_read(known_before(dataset, at)))
    if not len(dataset.customer_ids):
        raise DataError(
            f"No customer is known before {at.isoformat()}.",
            "Bring a table of customers, transactions or interactions, or choose a later --at.",
        )
    on_step("features and anomalies")
    features = customer_features(dataset, at)
    notes = list(features.notes)
    if dataset.positive_type() == BOUGHT:
        notes.append(
            "Hardly anything was redeemed or clicked: to buy what an offer is for counts as that."
        )
    reason = _cannot_recommend(dataset)
    with _beside() as beside:
        odd = beside.submit(find_anomalies, features, dataset, at, seed=seed)
        past = None if reason else beside.submit(look_back, dataset, at, seed)
        on_step("segments")
        segmentation, problem = find_segments(features.values, None, seed, previous)
        anomalies, folds = odd.result(), [] if past is None else past.result()
    notes += [f"No segments: {problem}"] if segmentation is None else segmentation.notes
    segments = None if segmentation is None else segmentation.model
    recommender: Recommender | None = None
    query: Query | None = None
    if reason:
        notes.append(reason)
    else:
        k = None if segments is None else segments.n_segments
        profile = build_demographics(profiles_of(dataset), at.value // 1000)
        setting = Setting(k, seed, _suspects(anomalies, recipe), profile)
        recipe = choose_penalty(folds, recipe, seed, setting.suspects)
        if tries:
            tuned = tune(folds, setting, tries=tries, recipe=recipe, on_step=on_step)
            recipe = tuned.recipe
            notes.append(tuned.told())
        on_step("validation")
        trusted, left_out = _trusted(dataset, setting.suspects)
        notes += [*left_out, *_told_of(folds, at)]
        with _beside() as beside:
            lessons = beside.submit(_learn_from, folds, setting, recipe)
            on_step("sources")
            fitted = fit_sources(
                dataset, at, features.values, segments, seed, recipe, trusted, profile
            )
            judged, within = lessons.result()
        notes += fitted.notes
        on_step("hybrid")
        with threadpool_limits(1, "blas"):
            recommender = learn(fitted, judged, within, seed, recipe)
        if recommender.popularity.rated and not recommender.hybrid.calibrated:
            notes.append(
                "Scores are relative, not probabilities: of what was shown after the past moments "
                "too little was redeemed."
            )
        query = replace(fitted.query, flagged=_flagged(anomalies, fitted.ids))
    return Bundle(
        at=at.isoformat(),
        seed=seed,
        notes=tuple(notes),
        offers=dataset.offers.set_index(OFFER_ID).reindex(dataset.offer_ids.ids).reset_index(),
        anomalies=anomalies,
        choice=pd.DataFrame() if segmentation is None else segmentation.choice.reset_index(),
        silhouette=float("nan") if segmentation is None else segmentation.silhouette,
        segments=segments,
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


def _read(dataset: Dataset) -> Dataset:
    """Leave out what training does not read: of many million rows every copy would hold it."""
    return replace(dataset, interactions=dataset.interactions.drop(columns=list(UNREAD)))


def _cannot_recommend(dataset: Dataset) -> str:
    if dataset.offers.empty:
        return "Offers are missing: this model recommends nothing."
    if dataset.interactions.empty and dataset.transactions.empty:
        return "No interaction or transaction is known by then: this model recommends nothing."
    return ""


def _trusted(dataset: Dataset, suspects: frozenset[str]) -> tuple[Dataset, list[str]]:
    """Leave out what is not to be learnt from, and say so."""
    honest = without(dataset, suspects)
    trusted, notes = thin(honest), []
    if left_out := len(dataset.interactions) - len(honest.interactions):
        bought = bool((dataset.interactions[EVENT_TYPE] == BOUGHT).all())
        notes.append(
            f"{counted(left_out, 'purchase' if bought else 'interaction')} of customers flagged as "
            "possible fraud "
            f"{form(left_out, 'is', 'are')} not learnt from."
        )
    if trusted is not honest:
        notes.append(told_of(honest, trusted))
    return trusted, notes


def _told_of(folds: list[Fold], at: pd.Timestamp) -> list[str]:
    """Say what is unusual about the moments that weights are learnt from."""
    if not folds:
        return ["Too little was redeemed to learn weights from: the prior's stand."]
    if not folds[0].by_time:
        return ["Time gives no cut: validation held out interactions at random."]
    if not folds[-1].by_time:
        return ["Few came back: some interactions were held out at random as well."]
    if folds[-1].at == at:
        return [
            "The offers are known now, at past moments they were new: of late half of the "
            "customers were held out as well."
        ]
    return []


def _learn_from(folds: list[Fold], setting: Setting, recipe: Recipe) -> tuple[list[Judged], Within]:
    judged = [judge(fold, setting, recipe) for fold in folds]
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
