"""Suite `segmentation`: whether K-Means finds the segments that were planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from sklearn.metrics import adjusted_rand_score

from data.dataset import Dataset
from data.synthetic import PRESETS, generate
from data.synthetic.parameters import SEGMENTS
from evaluation.benchmark import Row
from segmentation.features import customer_features
from segmentation.kmeans import segment_customers

SEEDS = 10
STEPS = SEEDS
LEAST_ARI = 0.9


def run(on_step: Callable[[str], None]) -> list[Row]:
    """Segment the default world of ten seeds into as many segments as were planted."""
    found = []
    for seed in range(SEEDS):
        on_step(f"seed {seed}")
        world = generate(replace(PRESETS["small"], seed=seed))
        dataset = Dataset.of(world)
        values = customer_features(dataset, dataset.moment_after()).values
        labels = segment_customers(values, k=len(SEGMENTS)).labels
        truth = world["truth/segments"].set_index("customer_id")["segment"]
        found.append(adjusted_rand_score(truth.reindex(labels.index), labels))
    data = f"default world, {SEEDS} seeds, k = {len(SEGMENTS)}"
    mean, worst = float(np.mean(found)), float(np.min(found))
    floor = f">= {LEAST_ARI}"
    return [
        Row(data, "ARI to the planted segments, mean", mean, floor, mean >= LEAST_ARI),
        Row(data, "ARI to the planted segments, worst", worst, floor, worst >= LEAST_ARI),
    ]
