"""One run of the evaluation: split, train on the past, rank, and measure everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from data.dataset import Dataset
from data.errors import DataError, UsageError
from data.schema import CLICK
from evaluation.checks.drill import Drill
from evaluation.checks.refusal import STEPS as CHECK_STEPS
from evaluation.checks.refusal import run_checks
from evaluation.depth.ablation import STEPS as ABLATION_STEPS
from evaluation.depth.ablation import Ablation, run_ablation
from evaluation.depth.depth import STEPS as DEPTH_STEPS
from evaluation.depth.depth import Depth, measure_depth
from evaluation.depth.uplift import measure_uplift
from evaluation.findings import anomaly_findings, segment_findings, segment_summary
from evaluation.harness import Trial, run_trial
from evaluation.identity import identify, split_identity
from evaluation.online import measure_online
from evaluation.protocol import Protocol
from evaluation.report import Report
from evaluation.splitting import Split, split_dataset, with_purchases
from recommender.base import POLICIES
from recommender.bundle import Bundle
from recommender.release.verdict import Check
from recommender.service import Service
from recommender.training import STEPS as TRAINING_STEPS
from recommender.training import train

STEPS = TRAINING_STEPS + len(POLICIES) + ABLATION_STEPS + DEPTH_STEPS + CHECK_STEPS + 3


def build_report(
    dataset: Dataset,
    *,
    name: str,
    protocol: Protocol,
    truth: Mapping[str, pd.DataFrame],
    seed: int = 0,
    thorough: bool = True,
    drill: Drill | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Report:
    """Split, train on the past, rank, and measure everything.

    Parameters
    ----------
    dataset : Dataset
        The facts.
    name : str
        What to call them.
    protocol : Protocol
        How to split.
    truth : mapping of str to DataFrame
        ``segments`` and ``anomalies`` where the truth is known.
    thorough : bool
        Also what needs more trainings: other splits, checks of determinism and of shuffled labels.
    drill : callable, optional
        Plants a mistake on purpose (`evaluation.checks.drill`).
    on_step : callable
        Told the name of each of the `STEPS` steps as it begins.

    Raises
    ------
    UsageError
        There is nothing in which the drill could plant its mistake, or nobody to notice it.
    """
    began = time.monotonic()
    notes: list[str] = []
    on_step("splitting")
    dataset = with_purchases(dataset)
    split: Split | None = None
    try:
        split = split_dataset(dataset, protocol, seed)
    except DataError as error:
        notes.append(f"Ranking is not measured: {error}")
    if split is not None:
        notes += [*told_cut(protocol, split), *told_relevant(split)]
    ranked = split
    if drill is not None:
        if split is None:
            raise UsageError(f"No mistake can be planted. {notes[-1]}", "Leave --drill out.")
        split, ranked = drill(dataset, split)
        notes.append("A mistake was planted on purpose: nothing here is to be believed.")
    past = dataset if split is None else split.train
    bundle = train(past, at=None if split is None else split.at, seed=seed, on_step=on_step)
    trial: Trial | None = None
    if ranked is not None and bundle.recommender is not None:
        trial = run_trial(Service(bundle), ranked, seed=seed, on_step=on_step)
        silent = [policy for policy in trial.silent if policy in POLICIES]
        if silent:
            notes.append(
                f"Nothing can be said of anybody here by {', '.join(silent)}: popularity stands in."
            )
    elif drill is not None:
        raise UsageError("Nothing is ranked that a mistake could flatter.", "Leave --drill out.")
    ablation: Ablation = {}
    depth: Depth | None = None
    if split is not None and trial is not None:
        ablation = run_ablation(bundle, split, trial, seed=seed, on_step=on_step)
        depth = measure_depth(
            Service(bundle), split, trial, dataset,
            protocol=protocol if thorough else None, seed=seed, on_step=on_step,
        )  # fmt: skip
    checks: tuple[Check, ...] = ()
    if split is not None:
        checks = run_checks(
            dataset, split, bundle, trial, seed=seed, thorough=thorough, on_step=on_step
        )
    on_step("click and conversion rates")
    online = measure_online(dataset, seed)
    on_step("segments and anomalies")
    return Report(
        identity=identify(dataset, name=name, seed=seed, began=began)
        | {"model": _model_identity(bundle)},
        protocol={} if split is None else _protocol(split),
        trial=trial,
        online=online,
        uplift=measure_uplift(dataset),
        segments=segment_findings(bundle, truth.get("segments")),
        anomalies=anomaly_findings(bundle, truth.get("anomalies")),
        summary=segment_summary(bundle),
        bundle=bundle,
        ablation=ablation,
        depth=depth,
        checks=checks,
        split=split,
        notes=[*notes, *bundle.notes],
    )


def told_cut(protocol: Protocol, split: Split) -> list[str]:
    """Say where the test window ends with the data instead of where it was wished to."""
    if protocol.until is None or protocol.until <= split.until:
        return []
    return [
        f"The test window was to end at {protocol.until.isoformat()}; the data ends before, and "
        f"with it the window: {split.until.isoformat()}."
    ]


def told_relevant(split: Split) -> list[str]:
    """Say that clicks count where they stand for redemptions."""
    if split.relevant != CLICK:
        return []
    when = " after the moment" if split.by_time else ""
    return [f"Nothing was redeemed{when}: clicks count as relevant."]


def _protocol(split: Split) -> dict[str, Any]:
    return {
        "split": "by time" if split.by_time else "held out at random: time gives no cut",
        "at": split.at.isoformat(),
        "until": split.until.isoformat(),
        "relevant": split.relevant,
        "candidates": len(split.candidates),
        "customers": len(split.customers),
        "cold": len(split.cold),
        "warm": len(split.customers) - len(split.cold),
        "pairs": len(split.truth),
        "set_aside": split.set_aside,
        "hashes": split_identity(split),
        "ranking": "all candidates are ranked; no sampled negatives",
        "tuning": "weights are learnt on moments before the cut, never on the test window"
        if split.by_time
        else "weights are learnt on other interactions than those held out",
    }


def _model_identity(bundle: Bundle) -> dict[str, Any]:
    if bundle.recommender is None:
        return {"recommends": False}
    hybrid = bundle.recommender.hybrid
    return {
        "recommends": True,
        "calibrated": hybrid.calibrated,
        "weights": hybrid.named_weights(),
    }
