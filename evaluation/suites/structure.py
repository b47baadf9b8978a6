"""Part of suite `segmentation`: the gate finds structure where there is some, and only there."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from scipy.stats import binom
from threadpoolctl import threadpool_limits

from evaluation.benchmark import Row
from segmentation.stability import find_structure

SETS, SUBSAMPLES = 500, 100
CUSTOMERS, SUBSAMPLE = 200, 160
LEVEL, BAND = 0.05, 0.99
STEPS = 3


def rows(on_step: Callable[[str], None], mall: np.ndarray | None) -> list[Row]:
    """Run the gate on structureless sets and, if given, on subsamples of the mall table."""
    found = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        most = float(binom.ppf((1 + BAND) / 2, SETS, LEVEL)) / SETS
        for name in ("gaussian", "uniform"):
            on_step(f"{SETS} {name} sets")
            share = float(np.mean(list(pool.map(_structureless, [(name, s) for s in range(SETS)]))))
            found.append(
                Row(f"{SETS} {name} sets of {CUSTOMERS} x 2", "structure found at level .05", share,
                    f"<= {most:.3f}", share <= most)
            )  # fmt: skip
        on_step(f"{SUBSAMPLES} subsamples of mall")
        if mall is not None:
            drawn = pool.map(_subsample, [(mall, seed) for seed in range(SUBSAMPLES)])
            share = float(np.mean(list(drawn)))
            found.append(
                Row(f"{SUBSAMPLES} subsamples of {SUBSAMPLE} of mall", "structure found", share,
                    ">= 0.95", share >= 0.95)
            )  # fmt: skip
    return found


def _structureless(job: tuple[str, int]) -> bool:
    name, seed = job
    random = np.random.default_rng([seed, len(name)])
    shape = (CUSTOMERS, 2)
    drawn = random.normal(size=shape) if name == "gaussian" else random.uniform(size=shape)
    return _found(drawn, seed)


def _subsample(job: tuple[np.ndarray, int]) -> bool:
    z, seed = job
    kept = np.random.default_rng(seed).choice(len(z), SUBSAMPLE, replace=False)
    return _found(z[kept], seed)


def _found(z: np.ndarray, seed: int) -> bool:
    standardised = (z - z.mean(axis=0)) / z.std(axis=0)
    with threadpool_limits(1):
        return find_structure(standardised, seed).found
