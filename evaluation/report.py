"""The report as a value: what was measured, how, and what it does not say. Rendered elsewhere."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from data.dataset import Dataset
from data.errors import DataError
from data.schema import CUSTOMER_ID
from evaluation.ablation import STEPS as ABLATION_STEPS
from evaluation.ablation import Ablation, run_ablation
from evaluation.harness import SLICES, Trial, run_trial
from evaluation.online import measure_online
from evaluation.significance import Estimate
from evaluation.splitting import Protocol, Split, split_dataset
from recommender.base import POLICIES
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.training import STEPS as TRAINING_STEPS
from recommender.training import train
from segmentation.features import FEATURES
from segmentation.profiles import summarise

LIBRARIES = ("implicit", "numpy", "pandas", "scikit-learn", "scipy")
EXAMPLES = 8
STEPS = TRAINING_STEPS + len(POLICIES) + ABLATION_STEPS + 3


@dataclass(frozen=True)
class Report:
    """Everything one run of the evaluation found.

    Attributes
    ----------
    identity : dict
        What was evaluated with what: data fingerprint, model version, seed, versions, seconds.
    protocol : dict
        How: moment, window, candidates, customers, what was set aside.
    trial : Trial or None
        Ranking of every policy; None where there is nothing to rank.
    online : dict
        ``ctr`` and ``conversion``: an `Estimate` or why it is not measured.
    segments, anomalies : dict
        Quality and contents.
    summary : DataFrame
        One row per segment.
    bundle : Bundle
        The model that was evaluated.
    ablation : mapping
        ``ablation[slice][part]``: what the hybrid loses without a part.
    notes : list of str
        What the reader must know.
    """

    identity: dict[str, Any]
    protocol: dict[str, Any]
    trial: Trial | None
    online: dict[str, Estimate | str]
    segments: dict[str, Any]
    anomalies: dict[str, Any]
    summary: pd.DataFrame
    bundle: Bundle
    ablation: Ablation = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values, ready for JSON; a figure that is not there is null."""
        found = {
            "identity": self.identity,
            "protocol": self.protocol,
            "ranking": {name: {} for name in SLICES}
            if self.trial is None
            else _plain(self.trial.ranking),
            "hybrid_against": {} if self.trial is None else _plain(self.trial.against),
            "ablation": _plain(self.ablation),
            "online": _plain(self.online),
            "segments": {**self.segments, "summary": self.summary.to_dict("records")},
            "anomalies": self.anomalies,
            "notes": self.notes,
        }
        plain: dict[str, Any] = _plain(found)
        return plain


def build_report(
    dataset: Dataset,
    *,
    name: str,
    protocol: Protocol,
    truth: Mapping[str, pd.DataFrame],
    seed: int = 0,
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
    on_step : callable
        Told the name of each of the `STEPS` steps as it begins.
    """
    began = time.monotonic()
    notes: list[str] = []
    on_step("splitting")
    split: Split | None = None
    try:
        split = split_dataset(dataset, protocol, seed)
    except DataError as error:
        notes.append(f"Ranking is not measured: {error}")
    past = dataset if split is None else split.train
    bundle = train(past, at=None if split is None else split.at, seed=seed, on_step=on_step)
    trial: Trial | None = None
    if split is not None and bundle.recommender is not None:
        trial = run_trial(Service(bundle), split, seed=seed, on_step=on_step)
        silent = [policy for policy in trial.silent if policy in POLICIES]
        if silent:
            notes.append(
                f"Nothing can be said of anybody here by {', '.join(silent)}: popularity stands in."
            )
    ablation: Ablation = {}
    if split is not None and trial is not None:
        ablation = run_ablation(bundle, split, trial, seed=seed, on_step=on_step)
    on_step("click and conversion rates")
    online = measure_online(dataset, seed)
    on_step("segments and anomalies")
    summary = _summary(bundle)
    return Report(
        identity={
            "data": name,
            "fingerprint": dataset.fingerprint,
            "rows": {table: len(frame) for table, frame in dataset.tables().items()},
            "model": _model_identity(bundle),
            "seed": seed,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "versions": {library: version(library) for library in LIBRARIES},
            "seconds": round(time.monotonic() - began, 1),
        },
        protocol={} if split is None else _protocol(split),
        trial=trial,
        online=online,
        segments=_segments(bundle, truth.get("segments")),
        anomalies=_anomalies(bundle, truth.get("anomalies")),
        summary=summary,
        bundle=bundle,
        ablation=ablation,
        notes=[*notes, *bundle.notes],
    )


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


def _summary(bundle: Bundle) -> pd.DataFrame:
    if bundle.segments is None:
        return pd.DataFrame()
    return summarise(feature_table(bundle), labels_of(bundle), bundle.segments.names)


def feature_table(bundle: Bundle) -> pd.DataFrame:
    """Return the six features of the bundle's customers by id."""
    index = pd.Index(bundle.customers.ids, dtype="str", name=CUSTOMER_ID)
    return pd.DataFrame(bundle.customers.features, index=index, columns=list(FEATURES))


def labels_of(bundle: Bundle) -> pd.Series[int]:
    """Return the segment of every customer of whom something is known, by id."""
    table, model = feature_table(bundle), bundle.segments
    if model is None:
        return pd.Series(dtype="int64")
    placed = model.assign(table[list(model.features)].to_numpy()).segment
    labels = pd.Series(placed, index=table.index, name="segment")
    return labels[labels < model.n_segments]


def _segments(bundle: Bundle, truth: pd.DataFrame | None) -> dict[str, Any]:
    if bundle.segments is None:
        return {"k": 0}
    found: dict[str, Any] = {
        "k": bundle.segments.n_segments,
        "silhouette": bundle.silhouette,
        "features": list(bundle.segments.features),
        "choice": bundle.choice.to_dict("records"),
    }
    if not bundle.choice.empty:
        chosen = bundle.choice[bundle.choice["k"] == bundle.segments.n_segments]
        for name in ("davies_bouldin", "calinski_harabasz", "bootstrap_ari"):
            found[name] = float(chosen[name].iloc[0])
    if truth is not None:
        labels = labels_of(bundle)
        known = truth[truth[CUSTOMER_ID].isin(labels.index)]
        ours = labels.loc[known[CUSTOMER_ID]]
        found["ari_to_truth"] = float(adjusted_rand_score(known["segment"], ours))
    return found


def _anomalies(bundle: Bundle, truth: pd.DataFrame | None) -> dict[str, Any]:
    table = bundle.anomalies
    flagged = table[table["flagged"].astype(bool)]
    found: dict[str, Any] = {
        "customers": len(table),
        "flagged": len(flagged),
        "kinds": {str(kind): int(n) for kind, n in flagged["kind"].value_counts().items()},
        "examples": flagged.head(EXAMPLES).to_dict("records"),
    }
    if truth is not None and len(table):
        both = table.merge(truth.rename(columns={"kind": "planted"}), on=CUSTOMER_ID)
        odd = both["planted"].fillna("") != ""
        hit = both["flagged"].astype(bool)
        found["truth"] = {
            "planted": int(odd.sum()),
            "precision": float(odd[hit].mean()),
            "recall": float(hit[odd].mean()),
            "false_alarm_rate": float(hit[~odd].mean()),
            "recall_by_kind": {
                str(kind): float(hit[both["planted"] == kind].mean())
                for kind in sorted(set(both.loc[odd, "planted"]))
            },
        }
    return found


def _plain(value: Any) -> Any:
    """Turn estimates, arrays' scalars and NaN into what JSON knows."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
