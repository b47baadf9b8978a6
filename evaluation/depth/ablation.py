"""Parts on trial: what the hybrid loses without each of them, with its doubt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from data.schema import CUSTOMER_ID
from evaluation.harness import HEADLINE, SLICES, Trial, rank_policy
from evaluation.splitting import Split
from recommender.base import HYBRID, Source
from recommender.bundle import Bundle
from recommender.learning.yardstick import Difference, compare
from recommender.model import Recommender
from recommender.service import Service
from recommender.training import train
from segmentation.kinds import FRAUD

ON_TRIAL = tuple(source for source in Source if source is not Source.POPULARITY)
SUSPECTS = "suspects out"
STEPS = len(ON_TRIAL) + 1

Ablation = Mapping[str, Mapping[str, Difference]]


def run_ablation(
    bundle: Bundle,
    split: Split,
    trial: Trial,
    *,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Ablation:
    """Take parts out of the hybrid one by one; the other weights stay as they are.

    Parameters
    ----------
    bundle : Bundle
        With a recommender, trained on `split.train`.
    trial : Trial
        Of that bundle.

    Returns
    -------
    dict
        ``[slice][part]`` is the paired difference hybrid - hybrid without the part, in NDCG@10.
        Where customers are flagged as possible fraud, one part more: what leaving their
        interactions out of the learning brings.
    """
    without = {}
    for source in ON_TRIAL:
        on_step(f"without {source}")
        if bundle.recommender is not None:
            silenced = replace(bundle, recommender=_silenced(bundle.recommender, source))
            without[str(source)] = _ndcg(silenced, split, seed)
    on_step("learning from suspects")
    if _left_out(bundle, split):
        recipe = replace(bundle.recipe, learn_from_suspects=True)
        trusting = train(split.train, at=split.at, seed=seed, recipe=recipe)
        without[SUSPECTS] = _ndcg(trusting, split, seed)
    ours = trial.values[HYBRID][HEADLINE]
    return {
        name: {
            part: compare(ours[trial.slices[name]], theirs[trial.slices[name]], seed)
            for part, theirs in without.items()
        }
        for name in SLICES
    }


def _left_out(bundle: Bundle, split: Split) -> bool:
    """Say whether interactions of customers flagged as possible fraud were not learnt from."""
    if bundle.recipe.learn_from_suspects:
        return False
    table = bundle.anomalies
    suspects = table.loc[table["flagged"].astype(bool) & (table["kind"] == FRAUD), CUSTOMER_ID]
    return bool(split.train.interactions[CUSTOMER_ID].isin(suspects).any())


def _silenced(recommender: Recommender, source: Source) -> Recommender:
    weight = recommender.hybrid.weight.copy()
    weight[recommender.hybrid.sources.index(source)] = 0.0
    return replace(recommender, hybrid=replace(recommender.hybrid, weight=weight))


def _ndcg(bundle: Bundle, split: Split, seed: int) -> np.ndarray:
    return rank_policy(Service(bundle), split, HYBRID, seed)[1][HEADLINE]
