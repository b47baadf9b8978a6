"""Part of suite `ranking`: the default world. The hybrid beside its parts; what the knobs cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import OFFER_ID
from data.synthetic import PRESETS, generate
from evaluation.benchmark import Row
from evaluation.protocol import Protocol
from evaluation.splitting import Split, split_dataset
from evaluation.suites.ranking.beside import against_parts, customers_of, ndcg, paired, try_parts
from recommender.base import Source
from recommender.batch import recommend_batch
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.serving.ranking import Knobs

SEEDS = (0, 1, 2)
K = 10
PLAIN = "no knob"
SETTINGS = {
    PLAIN: Knobs(),
    "novelty 0.5": Knobs(novelty=0.5),
    "diversity 0.5": Knobs(diversity=0.5),
}
STEPS = len(SEEDS) + 1


def rows(on_step: Callable[[str], None]) -> list[Row]:
    """Hold the hybrid against its parts in three worlds; turn the knobs in the first."""
    found, knobs = [], []
    for seed in SEEDS:
        on_step(f"default world, seed {seed}")
        dataset = Dataset.of(generate(replace(PRESETS["small"], seed=seed)))
        split = split_dataset(dataset, Protocol(), seed)
        service, trial = try_parts(split, seed)
        found += against_parts(f"default world, seed {seed}", trial)
        if seed == SEEDS[0]:
            on_step("novelty and diversity")
            knobs = turn_knobs(f"default world, seed {seed}", service, split)
    return found + knobs


def turn_knobs(data: str, service: Service, split: Split) -> list[Row]:
    """Measure what each knob costs in relevance and what it gives for it."""
    given, ranks = customers_of(split.customers), popularity_ranks(service, split)
    found: list[Row] = []
    plain = np.empty(0)
    for name, knobs in SETTINGS.items():
        wish = Wish(split.at, n=K, offers=split.candidates, knobs=knobs)
        lists = recommend_batch(service, given, wish)
        values = ndcg(lists, split.truth, K)
        found += [
            Row(data, f"{name}: ndcg@{K}", float(values.mean())),
            Row(
                data, f"{name}: share of the offers that stand in any list", coverage(lists, split)
            ),
            Row(
                data,
                f"{name}: popularity rank of listed offers, mean",
                float(lists[OFFER_ID].map(ranks).mean()),
            ),
        ]
        if name == PLAIN:
            plain = values
        else:
            found.append(paired(data, f"{name} - {PLAIN}", values, plain))
    return found


def coverage(lists: pd.DataFrame, split: Split) -> float:
    """Return the share of the candidates that stand in at least one list."""
    return lists[OFFER_ID].nunique() / len(split.candidates)


def popularity_ranks(service: Service, split: Split) -> pd.Series[int]:
    """Return by offer its rank among the candidates: 1 has the highest rate of redemption."""
    everything = Wish(
        split.at,
        n=len(split.candidates),
        policy=Source.POPULARITY,
        offers=split.candidates,
        include_seen=True,
    )
    lists = recommend_batch(service, customers_of(split.customers[:1]), everything)
    return lists.set_index(OFFER_ID)["rank"]
