"""Part of suite `anomaly`: the detector beside scikit-learn's forest on labelled tables."""

from __future__ import annotations

import multiprocessing
import os
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from threadpoolctl import threadpool_limits

from data.errors import DataError
from data.words import counted
from evaluation.benchmark import Row
from recommender.learning.yardstick import compare
from segmentation.detector import TREES, AnomalyDetector

SEEDS = 10
STEPS = SEEDS
LARGEST = 10_000  # rows that are read of a table, at random
FEWEST_CALIBRATING = 300
ALPHA, Q, LISTED = 0.05, 0.1, 0.02
REMEDY = "Give it X, rows of finite numbers, and y, 1 for each anomaly and else 0; or take it away."
REFERENCE = "scikit-learn"
LEAST_GAIN, ALIKE = 0.005, 0.01
ALARMS, WORST_FDP, LEAST_JACCARD = (0.04, 0.06), 0.1, 0.9
CALIBRATED: dict[str, dict[str, Any]] = {
    "default, held out": {"mode": "default", "calibration": 0.5},
    "default, out of bag": {"mode": "default"},
    "improved, out of bag": {"mode": "improved"},
}


@dataclass(frozen=True)
class Try:
    """One table with one seed.

    Attributes
    ----------
    auroc, aupr : dict
        By reference and mode; fitted and measured on all rows, without labels.
    listed : dict
        By mode: the rows of the oddest 2 %.
    alarms : dict
        By calibration: false alarm rate on unseen ordinary rows, and the share of false ones among
        the discoveries; empty where too few rows calibrate.
    """

    auroc: dict[str, float]
    aupr: dict[str, float]
    listed: dict[str, frozenset[int]]
    alarms: dict[str, tuple[float, float]]


def rows(on_step: Callable[[str], None], folder: Path) -> list[Row]:
    """Try every table of the folder (.npz with X, and y = 1 for anomalies) with ten seeds.

    Raises
    ------
    DataError
        There is no table, or one cannot be used.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise DataError(f"{folder} holds no .npz table.", "Name a folder of tables with X and y.")
    for path in paths:
        read_table(path)  # a faulty one is told at once, not after minutes by a process of the pool
    tries: dict[str, list[Try]] = {path.stem: [] for path in paths}
    work = [(path, seed) for seed in range(SEEDS) for path in paths]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        found = pool.map(try_table, *zip(*work, strict=True))
        for (path, seed), one in zip(work, found, strict=True):
            if path == paths[-1]:
                on_step(f"seed {seed}")
            tries[path.stem].append(one)
    return summarise(tries)


def try_table(path: Path, seed: int) -> Try:
    """Read a table, score all of it in each mode, and measure the alarms on its ordinary rows."""
    # Each process keeps to one thread: together they fill the cores.
    with threadpool_limits(limits=1):
        x, y = read_table(path)
        scores = {REFERENCE: IsolationForest(random_state=seed).fit(x).score_samples(x)}
        for mode in TREES:
            scores[mode] = AnomalyDetector(mode=mode, random_state=seed).fit(x).score_samples(x)
        count = max(1, round(LISTED * len(x)))
        return Try(
            {name: float(roc_auc_score(y, -score)) for name, score in scores.items()},
            {name: float(average_precision_score(y, -score)) for name, score in scores.items()},
            {
                name: frozenset(np.argsort(score, kind="stable")[:count].tolist())
                for name, score in scores.items()
            },
            measure_alarms(x, y, seed),
        )


def read_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read X and y, of large tables a sample that is the same for all seeds.

    Raises
    ------
    DataError
        The file is no such table, or nothing can be measured on it.
    """
    try:
        with path.open("rb") as file, np.load(file) as table:
            x, y = table["X"].astype(np.float64), table["y"].astype(np.float64).ravel()
    except KeyError as error:
        raise DataError(f"{path} holds no X, or no y.", REMEDY) from error
    # What stands in a file that is none of numpy's decides which of these it is.
    except (
        AttributeError, BadZipFile, EOFError, NotImplementedError, OSError, TypeError, ValueError,
        zlib.error,
    ) as error:  # fmt: skip
        raise DataError(f"{path} cannot be read as tables of numbers.", REMEDY) from error
    if x.ndim != 2 or not x.size:
        raise DataError(f"{path}: X is no table of rows and columns.", REMEDY)
    if len(x) != len(y):
        told = f"X has {counted(len(x), 'row')} and y has {len(y):,}"
        raise DataError(f"{path}: {told}.", REMEDY)
    if not np.isfinite(x).all():
        raise DataError(f"{path}: X holds values that are missing or infinite.", REMEDY)
    if len(x) > LARGEST:
        rows = np.random.default_rng(0).choice(len(x), LARGEST, replace=False)
        x, y = x[rows], y[rows]
    if set(np.unique(y)) != {0.0, 1.0}:
        raise DataError(f"{path}: y does not tell anomalies (1) from ordinary rows (0).", REMEDY)
    return x, y.astype(np.int64)


def measure_alarms(x: np.ndarray, y: np.ndarray, seed: int) -> dict[str, tuple[float, float]]:
    """Fit and calibrate on two thirds of the ordinary rows; test on the rest and the anomalies."""
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
    third = len(normal) // 3
    if third < FEWEST_CALIBRATING:
        return {}
    seen, unseen = x[normal[third:]], x[normal[:third]]
    found = {}
    for name, settings in CALIBRATED.items():
        fitted = AnomalyDetector(**settings, alpha=ALPHA, random_state=seed).fit(seen)
        mask = fitted.discoveries(np.vstack([unseen, x[y == 1]]), Q)
        false_share = mask[:third].sum() / max(1, mask.sum())
        found[name] = (float((fitted.predict(unseen) < 0).mean()), float(false_share))
    return found


def summarise(tries: dict[str, list[Try]]) -> list[Row]:
    """Turn the tries into figures with their floors, the means first and then every table's."""
    data = f"{len(tries)} tables, {SEEDS} seeds"
    rows: list[Row] = []
    for metric, name in (("auroc", "AUROC"), ("aupr", "AUPR")):
        mean = {
            who: np.array(
                [np.mean([getattr(t, metric)[who] for t in one]) for one in tries.values()]
            )
            for who in (REFERENCE, *TREES)
        }
        rows += [Row(data, f"{name}, {who}", float(value.mean())) for who, value in mean.items()]
        least = LEAST_GAIN if metric == "auroc" else 0.0
        for mode in TREES:
            gap = compare(mean[mode], mean[REFERENCE])
            figure = f"{name}, {mode} - {REFERENCE} (95 %: {gap.low:+.4f} to {gap.high:+.4f})"
            if mode == "default":
                floor, holds = f"within {ALIKE}", abs(gap.value) <= ALIKE
            else:
                floor, holds = f">= {least}", gap.value >= least
            rows.append(Row(data, figure, gap.value, floor, holds))
    rows += alarm_rows(tries)
    for who in (REFERENCE, *TREES):
        agreement = float(
            np.mean([jaccard([t.listed[who] for t in one]) for one in tries.values()])
        )
        figure = f"oddest 2 %, Jaccard between seeds, {who}"
        if who == "improved":
            floor, stable = f">= {LEAST_JACCARD}", agreement >= LEAST_JACCARD
            rows.append(Row(data, figure, agreement, floor, stable))
        else:
            rows.append(Row(data, figure, agreement))
    for table, one in tries.items():
        for metric, name in (("auroc", "AUROC"), ("aupr", "AUPR")):
            for who in (REFERENCE, *TREES):
                value = float(np.mean([getattr(t, metric)[who] for t in one]))
                rows.append(Row(table, f"{name}, {who}", value))
    return rows


def alarm_rows(tries: dict[str, list[Try]]) -> list[Row]:
    """Average the false alarm rates and false discovery shares over tables and seeds."""
    measured = [one for one in tries.values() if one[0].alarms]
    data = f"{len(measured)} tables with {FEWEST_CALIBRATING} calibration rows, {SEEDS} seeds"
    rows = []
    for name in CALIBRATED if measured else ():
        alarm, false_share = np.mean(
            [[t.alarms[name] for t in one] for one in measured], axis=(0, 1)
        )
        low, high = ALARMS
        rows += [
            Row(
                data, f"false alarm rate at {ALPHA}, {name}", float(alarm),
                f"{low} to {high}", bool(low <= alarm <= high),
            ),
            Row(
                data, f"false share of discoveries at q = {Q}, {name}", float(false_share),
                f"<= {WORST_FDP}", bool(false_share <= WORST_FDP),
            ),
        ]  # fmt: skip
    return rows


def jaccard(lists: list[frozenset[int]]) -> float:
    """Average the overlap of two lists, |a and b| / |a or b|, over all pairs."""
    return float(np.mean([len(a & b) / len(a | b) for a, b in combinations(lists, 2)]))
