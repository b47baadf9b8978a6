"""Suite `segmentation`: segments found, kept, explained and used, each beside its reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from data.dataset import Dataset
from data.ingest import MAX_BAD
from data.schema import ANNUAL_INCOME, MALL_FILE, SPENDING_SCORE
from data.sources.mall import read_mall
from data.synthetic import PRESETS, generate
from data.synthetic.parameters import SEGMENTS
from evaluation.benchmark import Row, at_least, not_measured
from evaluation.suites import coupons, structure
from segmentation.choice import choose_k
from segmentation.explain import find_rules
from segmentation.features import customer_features
from segmentation.kmeans import segment_customers
from segmentation.segmenter import CustomerSegmenter
from segmentation.stability import measure_stability

SEEDS = 10
LEAST_ARI = 0.9
MALL_SILHOUETTES = (0.295, 0.467, 0.494, 0.555, 0.540, 0.528, 0.457, 0.458, 0.448)
MALL_K, NEAR = 5, 0.005
MALL = "mall, income and score"
SIZES = (1000, 600, 300, 80, 20)
CENTRES = ((0, 0), (6, 0), (3, 5.2), (-6, 0), (9, 5.2))  # six standard deviations apart
IMBALANCED_SEEDS = 20
SWEPT = 100_000
STEPS = 4 + structure.STEPS + coupons.STEPS


def run(on_step: Callable[[str], None], data: Path | None = None) -> list[Row]:
    """Measure everything; the mall table is `data` itself, or lies in it."""
    rows = []
    on_step("planted segments")
    rows += _planted()
    on_step("small segments")
    rows += _imbalanced()
    on_step("mall table")
    z = None
    if data is not None:
        table = data if data.is_file() else data / MALL_FILE
        if table.is_file():
            z, found = _mall(table)
            rows += found
        else:  # one folder is given to all suites
            rows.append(not_measured(MALL, f"{data} holds no {MALL_FILE}"))
    on_step("sweep of 100,000 customers")
    rows += _sweep()
    rows += structure.rows(on_step, z)
    rows += coupons.rows(on_step)
    return rows


def _planted() -> list[Row]:
    """Segment the default world of ten seeds into as many segments as were planted."""
    found = []
    for seed in range(SEEDS):
        world = generate(replace(PRESETS["small"], seed=seed))
        dataset = Dataset.of(world)
        values = customer_features(dataset, dataset.moment_after()).values
        labels = segment_customers(values, k=len(SEGMENTS)).labels
        truth = world["truth/segments"].set_index("customer_id")["segment"]
        found.append(adjusted_rand_score(truth.reindex(labels.index), labels))
    data = f"default world, {SEEDS} seeds, k = {len(SEGMENTS)}"
    return [
        at_least(data, "ARI to the planted segments, mean", float(np.mean(found)), LEAST_ARI),
        at_least(data, "ARI to the planted segments, worst", float(np.min(found)), LEAST_ARI),
    ]


def _imbalanced() -> list[Row]:
    """Find a segment of one percent by density weights; plain K-Means beside it."""
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for seed in range(IMBALANCED_SEEDS):
        truth = np.repeat(np.arange(len(SIZES)), SIZES)
        x = np.array(CENTRES)[truth] + np.random.default_rng(seed).normal(size=(len(truth), 2))
        for density in found:
            labels = (
                CustomerSegmenter(len(SIZES), density=density, random_state=seed).fit(x).labels_
            )
            small = truth == len(SIZES) - 1
            overlap = [
                (small & (labels == k)).sum() / (small | (labels == k)).sum()
                for k in range(len(SIZES))
            ]
            found[density].append((adjusted_rand_score(truth, labels), max(overlap)))
    plain, dense = (np.mean(found[density], axis=0) for density in (False, True))
    data = f"sizes {'/'.join(map(str, SIZES))}, {IMBALANCED_SEEDS} seeds"
    return [
        Row(data, "plain K-Means: Jaccard of the smallest segment", float(plain[1])),
        at_least(data, "density weights: Jaccard of the smallest segment", float(dense[1]), 0.9),
        at_least(data, "density weights: ARI", float(dense[0]), 0.96),
    ]


def _mall(path: Path) -> tuple[np.ndarray, list[Row]]:
    customers = read_mall(path, max_bad=MAX_BAD).intake.dataset.customers
    values = customers.set_index("customer_id")[[ANNUAL_INCOME, SPENDING_SCORE]]
    result = segment_customers(values, features={ANNUAL_INCOME: 1.0, SPENDING_SCORE: 1.0})
    z, labels, k = result.standardised, result.labels.to_numpy(), result.model.n_segments
    stability = measure_stability(z, labels, k)
    rules = find_rules(values, labels, result.model)
    rows = []
    for number, reference in enumerate(MALL_SILHOUETTES, start=2):
        value = float(result.choice["silhouette"].loc[number])
        near = abs(value - reference) <= NEAR
        name = f"silhouette at k = {number}"
        rows.append(Row(MALL, name, value, f"{reference} +- {NEAR}", near))
    return z, [
        *rows,
        Row(MALL, "k by consensus", k, f"{MALL_K}", k == MALL_K),
        at_least(MALL, "bootstrap Jaccard of the worst segment", stability.jaccard.min(), 0.96),
        at_least(MALL, "hold-out ARI", stability.holdout_ari, 0.97),
        at_least(MALL, f"accuracy of {rules.leaves} rules", rules.accuracy, 0.97),
        Row(MALL, "cost of the rules", rules.cost, "<= 1.05", rules.cost <= 1.05),
    ]


def _sweep() -> list[Row]:
    """Compare all indices for nine ks with nine bare K-Means fits and their silhouettes."""
    random = np.random.default_rng(0)
    z = np.concatenate([random.normal(centre, 1, (SWEPT // 5, 6)) for centre in range(0, 15, 3)])
    with threadpool_limits(1):
        begun = perf_counter()
        choose_k(z)
        ours = perf_counter() - begun
        begun = perf_counter()
        for k in range(2, 11):
            labels = KMeans(k, n_init=10, random_state=0).fit(z).labels_
            silhouette_score(z, labels, sample_size=2500, random_state=0)
        bare = perf_counter() - begun
    ratio = ours / bare
    data = f"{SWEPT:,} x 6, k = 2 to 10"
    return [Row(data, "all indices / bare fits and silhouettes", ratio, "<= 1.5", ratio <= 1.5)]
