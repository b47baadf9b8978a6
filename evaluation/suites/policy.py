"""Suite `policy`: off-policy estimates beside the true value, which is known."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binom

from data.synthetic import WorldParameters
from data.synthetic.campaigns import AUDIENCES, FLOOR, make_log
from data.synthetic.liking import examined
from data.synthetic.slates import SlatePolicy
from data.synthetic.truth import Contexts, TrueWorld
from data.synthetic.world import Stage
from evaluation.benchmark import Row
from evaluation.policy import position_model

SEEDS = 200
POSITIONS = 150_000
CUSTOMERS = 3000
STEPS = SEEDS
WORST_ERROR, WORST_RATIO, BAND = 0.02, 1.2, 0.99


@dataclass(frozen=True)
class Try:
    """One seed: the truth, what was estimated, and the error that theory expects."""

    truth: float
    naive: float
    value: float
    covered: bool
    standard_error: float
    effective_share: float
    largest_weight: float


def run(on_step: Callable[[str], None], data: Path | None = None) -> list[Row]:  # noqa: ARG001
    """Log one policy and estimate another, over 200 worlds; compare with the exact value."""
    tries = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        for seed, one in enumerate(pool.map(try_seed, range(SEEDS))):
            on_step(f"seed {seed}")
            tries.append(one)
    return summarise(tries)


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
    covered = sum(one.covered for one in tries)
    least, most = binom.interval(BAND, len(tries), 0.95)
    data = f"{len(tries)} worlds, {POSITIONS:,} shown positions each"
    return [
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
        Row(
            data, "95% intervals that cover the truth", covered / len(tries),
            f"{least / len(tries):.3f} to {most / len(tries):.3f}", bool(least <= covered <= most),
        ),
        Row(data, "effective share of the sample", float(np.mean(share))),
        Row(data, "largest weight", max(one.largest_weight for one in tries)),
    ]  # fmt: skip


def try_seed(seed: int) -> Try:
    """Make one world, log its policy, and estimate the target policy's CTR."""
    world = TrueWorld.of(WorldParameters(customers=CUSTOMERS, seed=seed))
    stage, people = world.stage, world.liking.people
    random = np.random.default_rng([seed, len(people.pace)])
    visits = stage.visits(people, random)
    log = make_log(stage.world, world.liking, visits, stage.policy, random)
    shown = slice(0, POSITIONS)
    visit = log.visit[shown]
    seen = int(visit[-1]) + 1
    who, day = visits.owner[:seen], visits.day[:seen]
    context = stage.policy.context[people.audience[who], day]
    target = held_target(stage)
    chance = target.at(context[visit], log.offer[shown], log.position[shown])
    found = position_model(log.clicked[shown], log.propensity[shown], chance, visit, who[visit])
    contexts = Contexts(who, day, np.zeros(seen, dtype=bool))
    truth = world.value(world.drawing(target), contexts).ctr
    return Try(
        truth=truth,
        naive=float(log.clicked[shown].mean()),
        value=found.value,
        covered=found.low <= truth <= found.high,
        standard_error=theoretical_error(world, target, contexts),
        effective_share=found.effective_sample_size / found.n,
        largest_weight=found.largest_weight,
    )


def held_target(stage: Stage) -> SlatePolicy:
    """Return the policy to be estimated: it shows first what is liked by everybody."""
    offers = stage.offers
    weights = np.tile(np.exp(1.5 * offers.quality), (AUDIENCES, 1))
    return SlatePolicy.of(
        weights, offers.begin, offers.end, stage.world.days, stage.world.slate, FLOOR
    )


def theoretical_error(world: TrueWorld, target: SlatePolicy, contexts: Contexts) -> float:
    """Compute the standard error that the position model has, from the true probabilities.

    Places of a slate are taken as independent; drawing without replacement makes them differ a
    little, to the estimate's advantage.
    """
    stage = world.stage
    offers, places = len(stage.offers.category), np.arange(1, stage.world.slate + 1)
    variance, shown = 0.0, 0.0
    for rows in np.array_split(np.arange(len(contexts.who)), len(contexts.who) // 2000 + 1):
        who, day = contexts.who[rows], contexts.day[rows]
        logged = world.drawing(stage.policy)(who, day)
        wanted = world.drawing(target)(who, day)
        pairs = np.repeat(who, offers), np.tile(np.arange(offers), len(who))
        click = world.liking.click(*pairs).reshape(len(who), offers, 1) * examined(places)
        weight = np.divide(wanted, logged, out=np.zeros_like(wanted), where=logged > 0)
        mean = (wanted * click).sum(axis=1)
        variance += float((wanted * weight * click).sum() - (mean**2).sum())
        shown += float(logged.sum())
    return float(np.sqrt(variance) / shown)
