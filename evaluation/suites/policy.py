"""Suite `policy`: intervals and tests beside the truth, which is known in synthetic worlds.

Off-policy estimates beside the exact value, and how often the intervals and tests of the reports
keep their word: 95 of 100 intervals cover the truth, 5 of 100 comparisons of equals look different.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import binom
from threadpoolctl import threadpool_limits

from data.dataset import Dataset
from data.schema import CUSTOMER_ID
from data.synthetic.campaigns import make_interactions
from data.synthetic.slates import SlatePolicy
from evaluation.benchmark import Row
from evaluation.depth.uplift import measure_uplift
from evaluation.off_policy.estimators import doubly_robust, self_normalised
from evaluation.off_policy.overlap import judge_overlap
from evaluation.off_policy.position import position_model
from evaluation.online import measure_online
from evaluation.significance import Estimate, estimate_means
from evaluation.suites.worlds import Expected, Population, Sample, best_policy, quality_policy
from recommender.learning.yardstick import compare, ndcg

SEEDS = 500
CUSTOMERS = 1000
STEPS = SEEDS
WORST_ERROR, WORST_RATIO, BAND = 0.02, 1.2, 0.99
LEVEL, ALPHA = 0.95, 0.05
HELD_OUT = 0.3
PRIOR = 50.0  # shown positions that the rate of all counts for in the reward model
RANDOM_TARGET, FIXED_TARGET = "random target", "fixed target"


@dataclass(frozen=True)
class Try:
    """One seed: the truth, what was estimated, and the error that theory expects.

    Attributes
    ----------
    covered : dict of str to bool
        Per interval, whether it covers the truth; an estimate that was refused is not there.
    p_value : float
        Of a comparison of equals.
    """

    truth: float
    naive: float
    value: float
    standard_error: float
    effective_share: float
    largest_weight: float
    shown: int
    covered: dict[str, bool]
    p_value: float


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


def try_seed(seed: int) -> Try:
    """Make one world, draw customers from it, log their visits, and estimate other policies."""
    population = Population(seed, CUSTOMERS)
    stage = population.world.stage
    target = quality_policy(stage)
    fixed = best_policy(stage, target)
    as_logged, wanted, listed = population.expect([stage.policy, target, fixed])
    sample = population.sample()
    log = sample.log
    logged = (log.clicked.astype(float), log.propensity)
    who = sample.visits.owner[log.visit]
    chance = target.at(sample.context[log.visit], log.offer, log.position)
    found = position_model(*logged, chance, log.visit, who)
    shown = float(wanted.shown[sample.visit].sum())
    truth = float(wanted.clicks[sample.visit].sum()) / shown
    covered = {"position model, CTR of a random target": found.low <= truth <= found.high}
    model = _reward_model(population, sample)
    for name, policy, exact in ((RANDOM_TARGET, target, wanted), (FIXED_TARGET, fixed, listed)):
        covered |= _off_policy(name, policy, _rate(exact), sample, model)
    covered |= _reports(population, sample, _rate(as_logged), seed)
    metric, p_value, equal = _metrics(population, sample, seed)
    return Try(
        truth=truth,
        naive=float(log.clicked.mean()),
        value=found.value,
        standard_error=float(np.sqrt(wanted.variance[sample.visit].sum())) / shown,
        effective_share=found.effective_sample_size / found.n,
        largest_weight=found.largest_weight,
        shown=found.n,
        covered=covered | {"NDCG@10, mean over customers": metric, "difference of equals": equal},
        p_value=p_value,
    )


def _rate(exact: Expected) -> float:
    return float(exact.clicks.sum() / exact.shown.sum())


def _reward_model(population: Population, sample: Sample) -> np.ndarray:
    """Learn the rate of each offer at each place from another log: shape (offers, places)."""
    log = population.log(sample.people, sample.visits)
    stage = population.world.stage
    shape = (len(stage.offers.category), stage.world.slate)
    cell = log.offer * shape[1] + log.position - 1
    hits, times = (
        np.bincount(cell, weights=weights, minlength=shape[0] * shape[1])
        for weights in (log.clicked.astype(float), np.ones(len(cell)))
    )
    rate = (hits + PRIOR * log.clicked.mean()) / (times + PRIOR)
    return np.asarray(rate.reshape(shape))


def _off_policy(
    name: str, policy: SlatePolicy, truth: float, sample: Sample, model: np.ndarray
) -> dict[str, bool]:
    """Estimate a policy's CTR for customers like these; leave out what the verdict refuses."""
    log = sample.log
    context, who = sample.context[log.visit], sample.visits.owner[log.visit]
    target = policy.at(context, log.offer, log.position)
    logged = (log.clicked.astype(float), log.propensity, target)
    mean = np.add.reduceat(model[policy.offer] * policy.chance, policy.start[:-1], axis=0)
    mean[np.diff(policy.start) == 0] = 0.0
    place = log.position - 1
    if not judge_overlap(*logged, who).estimable:
        return {}
    found = {
        "SNIPS": self_normalised(*logged, who),
        "doubly robust": doubly_robust(*logged, model[log.offer, place], mean[context, place], who),
    }
    return {f"{how}, CTR of a {name}": one.low <= truth <= one.high for how, one in found.items()}


def _reports(population: Population, sample: Sample, truth: float, seed: int) -> dict[str, bool]:
    """Measure CTR and, with a holdout that is treated alike, incremental conversions."""
    stage, random = population.world.stage, population.random
    table, _ = make_interactions(stage.world, sample.people, stage.offers, sample.log, 0, random)
    ids = sample.people.table[[CUSTOMER_ID]]
    held = ids.assign(holdout=random.random(len(ids)) < HELD_OUT)
    dataset = Dataset.of({"customers": held, "interactions": table.to_pandas()})
    ctr, uplift = measure_online(dataset, seed)["ctr"], measure_uplift(dataset)
    found = {}
    if isinstance(ctr, Estimate):
        found["CTR as logged"] = ctr.low <= truth <= ctr.high
    if isinstance(uplift, dict):
        gap = uplift["difference"]
        found["uplift where there is none"] = gap["low"] <= 0 <= gap["high"]
    return found


def _metrics(population: Population, sample: Sample, seed: int) -> tuple[bool, float, bool]:
    """Rank for customers of whom one offer is relevant, drawn by how they like it.

    Returns
    -------
    covered : bool
        Whether the interval of a ranking's NDCG covers its expectation, which is known.
    p_value, equal : float, bool
        Of two rankings that differ by chance alone, and whether their difference covers zero.
    """
    world, random = population.world, population.random
    people, offers = len(world.liking.people.pace), len(world.stage.offers.category)
    pairs = np.repeat(np.arange(people), offers), np.tile(np.arange(offers), people)
    like = world.liking.click(*pairs).reshape(people, offers)
    share = like / like.sum(axis=1, keepdims=True)
    relevant = (share.cumsum(axis=1)[sample.person] > random.random((people, 1))).argmax(axis=1)
    taken = np.arange(offers) == relevant[:, None]
    candidate = np.ones((people, offers), dtype=bool)
    score = np.tile(world.stage.offers.quality, (people, 1))
    rank = np.argsort(np.argsort(-world.stage.offers.quality, kind="stable"))
    gain = np.where(rank < 10, 1 / np.log2(rank + 2.0), 0.0)
    truth = float((share @ gain).mean())
    found = estimate_means(ndcg(score, taken, candidate)[:, None], seed)[0]
    noise = partial(random.gumbel, size=(people, offers))
    liked = np.log(share[sample.person])
    ours, theirs = (ndcg(liked + noise(), taken, candidate) for _ in range(2))
    apart = compare(ours, theirs, seed)
    return found.low <= truth <= found.high, apart.p_value, apart.low <= 0 <= apart.high
