"""Part of suite `policy`: one world, its truth, and what was estimated from one log of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from data.dataset import Dataset
from data.schema import CUSTOMER_ID
from data.synthetic.campaigns import make_interactions
from data.synthetic.slates import SlatePolicy
from evaluation.depth.uplift import measure_uplift
from evaluation.off_policy.estimators import doubly_robust, self_normalised
from evaluation.off_policy.overlap import judge_overlap
from evaluation.off_policy.position import position_model
from evaluation.online import measure_online
from evaluation.significance import Estimate, estimate_means
from evaluation.suites.worlds import Expected, Population, Sample, best_policy, quality_policy
from recommender.learning.yardstick import compare, ndcg

CUSTOMERS = 1000
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
