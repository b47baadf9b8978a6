"""Part of suite `speed`: training beside its bare parts, lists beside `implicit`'s own."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from implicit.als import AlternatingLeastSquares
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest

from data.dataset import Dataset
from evaluation.benchmark import Row
from recommender.batch import stream_batch
from recommender.fitting.collaborative import confidence
from recommender.recipe import DEFAULT
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.training import train

CUSTOMERS, OFFERS, DAYS = 100_000, 5000, 180
STEPS = 3
N = 10


def rows(on_step: Callable[[str], None]) -> list[Row]:
    """Train on a plain made table and make everybody's lists; then run what cannot be avoided."""
    dataset = made(CUSTOMERS, OFFERS)
    on_step("training")
    begun = perf_counter()
    bundle = train(dataset)
    training = perf_counter() - begun
    on_step("everybody's lists")
    begun = perf_counter()
    wish = Wish(at=bundle.moment, n=N)
    made_lists = sum(
        part.num_rows
        for part in stream_batch(Service(bundle), None, wish, workers=os.cpu_count() or 1)
    )
    listing = perf_counter() - begun
    query = bundle.customers.query
    if query is None or not made_lists:
        return []
    on_step("the bare parts")
    taken = query.taken().astype(np.float32)
    model = AlternatingLeastSquares(
        factors=DEFAULT.factors,
        regularization=DEFAULT.regularization,
        alpha=confidence(taken, DEFAULT),
        iterations=15,
        random_state=0,
        use_gpu=False,
    )
    gram = np.asarray((taken.T @ taken).toarray(), dtype=np.float64)
    features = np.nan_to_num(bundle.customers.features)
    parts = [
        _timed(lambda: model.fit(taken, show_progress=False)),
        _timed(lambda: np.linalg.solve(gram + 100.0 * np.eye(len(gram)), gram)),
        _timed(lambda: KMeans(6, n_init=10, random_state=0).fit(features)),
        _timed(lambda: IsolationForest(random_state=0).fit(features).score_samples(features)),
    ]
    theirs = _timed(lambda: model.recommend(np.arange(CUSTOMERS), taken, N=N))
    what = f"{CUSTOMERS:,} customers, {OFFERS:,} offers, {len(dataset.interactions):,} redemptions"
    ratio, batch = training / sum(parts), theirs / listing
    return [
        Row(
            what,
            "training / (ALS + solve + K-Means + forest), times",
            ratio,
            "<= 1.5",
            ratio <= 1.5,
        ),
        Row(what, "implicit's recommend / our lists, times", batch, ">= 1", batch >= 1),
        Row(what, "lists a second", CUSTOMERS / listing),
    ]


def made(customers: int, offers: int, seed: int = 0) -> Dataset:
    """Make redemptions with a heavy tail, and profiles that say nothing."""
    random = np.random.default_rng(seed)
    popularity = random.pareto(1.2, offers) + 0.05
    owner = np.repeat(np.arange(customers), random.poisson(12, customers) + 1)
    offer = random.choice(offers, len(owner), p=popularity / popularity.sum())
    start = pd.Timestamp("2025-01-01", tz="UTC")
    second = random.integers(0, DAYS * 86_400, len(owner))
    people = np.char.add("c", np.arange(customers).astype(str))
    return Dataset.of(
        {
            "customers": pd.DataFrame(
                {
                    "customer_id": people,
                    "gender": random.choice(["F", "M"], customers),
                    "age": random.integers(18, 80, customers).astype(np.float64),
                    "annual_income": random.gamma(4, 15, customers),
                    "spending_score": random.integers(1, 101, customers).astype(np.float64),
                }
            ),
            "offers": pd.DataFrame(
                {
                    "offer_id": np.char.add("o", np.arange(offers).astype(str)),
                    "category": np.char.add("category ", (np.arange(offers) % 20).astype(str)),
                }
            ),
            "interactions": pd.DataFrame(
                {
                    "customer_id": people[owner],
                    "offer_id": np.char.add("o", offer.astype(str)),
                    "event_type": "redemption",
                    "occurred_at": start + pd.to_timedelta(second, unit="s"),
                }
            ),
        }
    )


def _timed(work: Callable[[], Any]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun
