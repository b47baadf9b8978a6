"""What stands behind the headline: tuned baselines, slices, exposure, breadth, truth of chances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from data.dataset import Dataset
from evaluation.depth.baselines import STEPS as BASELINE_STEPS
from evaluation.depth.baselines import Standing, run_baselines, stand
from evaluation.depth.catalogue import Beyond, measure_catalogue
from evaluation.depth.exposure import GroupExposure, measure_exposure
from evaluation.depth.knowledge import Failure, find_failures, measure_knowledge
from evaluation.depth.other_splits import STEPS as SPLIT_STEPS
from evaluation.depth.other_splits import OtherSplit, measure_other_splits
from evaluation.depth.shown import AmongShown, rank_shown
from evaluation.depth.slices import Slices, measure_slices
from evaluation.harness import Trial
from evaluation.protocol import Protocol
from evaluation.reliability import Reliability, measure_reliability
from evaluation.significance import Estimate
from evaluation.splitting import Split
from recommender.service import Service

RIVAL = "most popular"  # what slices are compared with: plain, tuned, and never silent
STEPS = BASELINE_STEPS + SPLIT_STEPS + 3


@dataclass(frozen=True)
class Depth:
    """All that is measured beside the policies themselves.

    Attributes
    ----------
    baselines : mapping
        ``baselines[slice][baseline]``: a tuned rival's figures and what the hybrid gains over it.
    tuned : mapping
        By baseline: the parameters chosen on past moments, their value there, the tries.
    left_out : mapping of str to str
        Baselines that are not measured, and why.
    shown : AmongShown or str
        Ranking among what customers were shown, or why it is not measured.
    slices : Slices
        The hybrid against the most popular offers, part by part.
    exposure : mapping
        By attribute: who gets which offers, or why it is not measured.
    catalogue : mapping
        By policy and baseline: coverage, concentration, novelty, diversity and the like.
    knowledge : mapping or str
        NDCG@10 of the hybrid by what is known of the customer, or why it is not measured.
    failures : tuple of Failure
        Customers whose list held nothing of what they took.
    other_splits : mapping
        By split: the hybrid on it, or why it is not measured; empty where that was not wished for.
    reliability : Reliability or str
        Predicted beside observed redemptions, or why they are not measured.
    """

    baselines: Mapping[str, Mapping[str, Standing]]
    tuned: Mapping[str, Mapping[str, Any]]
    left_out: Mapping[str, str]
    shown: AmongShown | str
    slices: Slices
    exposure: Mapping[str, GroupExposure | str]
    catalogue: Mapping[str, Beyond]
    knowledge: Mapping[str, Estimate] | str
    failures: tuple[Failure, ...]
    other_splits: Mapping[str, OtherSplit | str]
    reliability: Reliability | str


def measure_depth(
    service: Service,
    split: Split,
    trial: Trial,
    dataset: Dataset,
    *,
    protocol: Protocol | None = None,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Depth:
    """Measure everything beside the policies themselves.

    Parameters
    ----------
    service : Service
        A model trained on `split.train`.
    trial : Trial
        Of that model on `split`.
    dataset : Dataset
        All rows, those of the test window among them.
    protocol : Protocol, optional
        Measure other splits of this protocol as well; each is a training more.
    on_step : callable
        Told the name of each of the `STEPS` steps as it begins.
    """
    baselines = run_baselines(split, service.bundle, seed, on_step)
    on_step("slices")
    standing = stand(baselines, trial, seed)
    slices = measure_slices(split, trial, service.bundle, seed, rival=RIVAL, lists=baselines.lists)
    on_step("exposure and breadth")
    exposure = measure_exposure(split, trial)
    catalogue = measure_catalogue(split, {**trial.lists, **baselines.lists}, seed)
    on_step("among what was shown")
    return Depth(
        baselines=standing,
        tuned={
            name: {"chosen": dict(one.chosen), "value": one.value, "tries": len(one.tries)}
            for name, one in baselines.tuned.items()
        },
        left_out=baselines.left_out,
        shown=rank_shown(service, split, dataset, seed),
        slices=slices,
        exposure=exposure,
        catalogue=catalogue,
        knowledge=measure_knowledge(service, split, seed),
        failures=find_failures(split, trial),
        other_splits={}
        if protocol is None
        else measure_other_splits(dataset, protocol, seed=seed, on_step=on_step),
        reliability=measure_reliability(service, split, dataset),
    )
