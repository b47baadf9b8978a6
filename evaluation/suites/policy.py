"""Suite `policy`: intervals and tests beside the truth, which is known in synthetic worlds.

Off-policy estimates beside the exact value, and how often the intervals and tests of the reports
keep their word: 95 of 100 intervals cover the truth, 5 of 100 comparisons of equals look different.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from scipy.stats import binom
from threadpoolctl import threadpool_limits

from evaluation.benchmark import Row
from evaluation.suites.policy_tries import Try, try_seed

SEEDS = 500
STEPS = SEEDS
WORST_ERROR, WORST_RATIO, BAND = 0.02, 1.2, 0.99
LEVEL, ALPHA = 0.95, 0.05


def run(on_step: Callable[[str], None], data: Path | None = None) -> list[Row]:  # noqa: ARG001
    """Log one policy and estimate others, over many worlds; compare with the exact values."""
    tries = []
    context = multiprocessing.get_context("spawn")
    # Threads of arithmetic would only wait for those of the other worlds.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=_one_thread) as pool:
        for seed, one in enumerate(pool.map(try_seed, range(SEEDS))):
            on_step(f"seed {seed}")
            tries.append(one)
    return summarise(tries)


def _one_thread() -> None:
    threadpool_limits(1)


def summarise(tries: list[Try]) -> list[Row]:
    """Turn the seeds into figures with their floors."""
    truth, value, naive = (
        np.array([getattr(one, name) for one in tries]) for name in ("truth", "value", "naive")
    )
    expected = np.array([one.standard_error for one in tries])
    share = [one.effective_share for one in tries]
    error = value / truth - 1
    rmse = float(np.sqrt((error**2).mean()))
    ratio = float(np.sqrt((((value - truth) / expected) ** 2).mean()))
    shown = np.mean([one.shown for one in tries])
    data = f"{len(tries)} worlds, {shown:,.0f} shown positions each"
    rows = [
        Row(data, "true CTR of the target policy, mean", float(truth.mean())),
        Row(data, "naive average, relative bias", float((naive / truth - 1).mean())),
        Row(data, "position model, relative bias", float(error.mean())),
        Row(
            data, "position model, relative RMSE", rmse, f"<= {WORST_ERROR}", rmse <= WORST_ERROR
        ),
        Row(
            data, "position model, RMSE / theoretical standard error", ratio,
            f"<= {WORST_RATIO}", ratio <= WORST_RATIO,
        ),
        Row(data, "effective share of the sample", float(np.mean(share))),
        Row(data, "largest weight", max(one.largest_weight for one in tries)),
    ]  # fmt: skip
    for name in dict.fromkeys(name for one in tries for name in one.covered):
        kept = [one.covered[name] for one in tries if name in one.covered]
        if len(kept) < len(tries):
            rows.append(Row(data, f"estimable: {name}", len(kept) / len(tries)))
        rows.append(in_band(data, f"95% intervals that cover: {name}", kept, LEVEL))
    alarms = [one.p_value <= ALPHA for one in tries]
    rows.append(in_band(data, f"paired test of equals, p <= {ALPHA}", alarms, ALPHA))
    return rows


def in_band(data: str, figure: str, happened: list[bool], rate: float) -> Row:
    """Return a row whose share should lie where chance alone puts it 99 times of 100."""
    n, count = len(happened), sum(happened)
    least, most = binom.interval(BAND, n, rate)
    floor = f"{least / n:.3f} to {most / n:.3f}"
    return Row(data, figure, count / n, floor, bool(least <= count <= most))
