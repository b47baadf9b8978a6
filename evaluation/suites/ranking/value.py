"""Part of suite `ranking`: what lists are truly worth in a world whose chances are known.

No log decides here: every policy's lists are shown, in thought, at every visit after the moment,
and the world says what they yield. With it, whether the hybrid's probabilities are true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import logit
from scipy.stats import chi2

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, EVENT_TYPE, IMPRESSION, OCCURRED_AT, OFFER_ID
from data.synthetic import PRESETS, generate
from data.synthetic.truth import Policy, TrueWorld
from evaluation.benchmark import Row, at_least
from evaluation.harness import SOURCES
from evaluation.protocol import Protocol
from evaluation.reliability import (
    BINS,
    Reliability,
    hold,
    log_odds_of,
    measure_reliability,
    what_came,
)
from evaluation.splitting import Split, split_dataset
from recommender.base import HYBRID
from recommender.service import Service
from recommender.training import train

SEEDS = (0, 1, 2)
STEPS = len(SEEDS)
LEAST_SHARE = 0.5  # of the gap between the logging policy and the oracle
LEAST_CHANCE = 1e-9  # stands for none, which has no log-odds
SLOPE, DECILE = (0.9, 1.1), (0.8, 1.25)


def rows(on_step: Callable[[str], None]) -> list[Row]:
    """Value the hybrid, its parts and the oracle exactly; hold probabilities against outcomes."""
    found = []
    for seed in SEEDS:
        on_step(f"exact value, default world, seed {seed}")
        parameters = replace(PRESETS["small"], seed=seed)
        dataset = Dataset.of(generate(parameters))
        split = split_dataset(dataset, Protocol(), seed)
        service = Service(train(split.train, at=split.at, seed=seed))
        data = f"default world, seed {seed}"
        world = TrueWorld.of(parameters)
        found += worth(data, service, split, world, dataset)
        found += truthfulness(data, service, split, dataset)
        found += against_truth(data, service, world, split, dataset)
    return found


def worth(
    data: str, service: Service, split: Split, world: TrueWorld, dataset: Dataset
) -> list[Row]:
    """Compute by which share each policy closes the gap between logging and oracle."""
    contexts = world.contexts(dataset.interactions)
    first_day = (split.at - world.stage.world.start) / pd.Timedelta(days=1)
    contexts = contexts.where(contexts.day >= first_day)
    people = world.liking.people.table[CUSTOMER_ID]
    logged = world.value(world.drawing(world.stage.policy), contexts).conversion
    best = world.value(_showing(world, _true_chances(world)), contexts).conversion
    share = {}
    for policy in (HYBRID, *SOURCES):
        score = _scores(service, policy, people, dataset.offers[OFFER_ID])
        value = world.value(_showing(world, score), contexts).conversion
        share[policy] = (value - logged) / (best - logged)
    rival = max(SOURCES, key=lambda source: share[source])
    ahead = share[HYBRID] - share[rival]
    figure = "share of the gap from the logging policy to the oracle that is closed"
    return [
        Row(data, "conversion of the logging policy, exact", logged),
        Row(data, "conversion of the oracle, exact", best),
        at_least(data, f"{figure}: hybrid", share[HYBRID], LEAST_SHARE),
        Row(data, f"{figure}: {rival} (best part)", share[rival]),
        Row(data, "hybrid - best part", ahead, "> 0", ahead > 0),
    ]


def truthfulness(data: str, service: Service, split: Split, dataset: Dataset) -> list[Row]:
    """Hold predicted against observed redemptions of what was shown after the moment."""
    told = measure_reliability(service, split, dataset)
    if isinstance(told, str):
        return []
    found = [_between(data, "calibration slope after the moment", told.slope, SLOPE)]
    for number, (expected, observed) in enumerate(
        zip(told.expected, told.observed, strict=True), 1
    ):
        ratio = expected / observed if observed else np.inf
        figure = f"predicted / observed, decile {number} ({expected:.1f} / {observed:.0f})"
        # Few redemptions say little: the exact interval of a Poisson count (Garwood 1936).
        most = chi2.ppf(0.975, 2 * (observed + 1)) / 2
        least = chi2.ppf(0.025, 2 * observed) / 2 if observed else 0.0
        row = _between(data, figure, ratio, DECILE)
        high = expected / least if least else np.inf
        found.append(replace(row, low=expected / most, high=high))
    return found


def against_truth(
    data: str, service: Service, world: TrueWorld, split: Split, dataset: Dataset
) -> list[Row]:
    """Count the tenths that hold by the true chances, and those foretold as these are.

    By the first no model can be expected to do better; the second knows no luck. Offers that nobody
    honours are never redeemed: their tenths have no ratio.
    """
    counts = what_came(split, dataset)
    counts = counts[service.bundle.customer_ids.known(counts[CUSTOMER_ID])]
    log = dataset.interactions
    shown = log[(log[EVENT_TYPE] == IMPRESSION) & (log[OCCURRED_AT] >= split.at)]
    chance = shown[[CUSTOMER_ID, OFFER_ID]].assign(chance=world.chances(log, shown))
    mean = chance.groupby([CUSTOMER_ID, OFFER_ID])["chance"].mean()
    pairs = pd.MultiIndex.from_frame(counts[[CUSTOMER_ID, OFFER_ID]])
    true = mean.reindex(pairs).to_numpy()
    lucky = hold(logit(np.maximum(true, LEAST_CHANCE)), counts)
    foretold = hold(log_odds_of(service, counts), counts.assign(taken=counts["n"] * true))
    return [
        Row(data, f"deciles that hold by the true chances, of {BINS}", _good(lucky)),
        Row(data, f"deciles foretold as the true chances let expect, of {BINS}", _good(foretold)),
    ]


def _good(told: Reliability) -> int:
    low, high = DECILE
    return sum(
        bool(seen) and low <= expected / seen <= high
        for expected, seen in zip(told.expected, told.observed, strict=True)
    )


def _between(data: str, figure: str, value: float, ends: tuple[float, float]) -> Row:
    low, high = ends
    return Row(data, figure, value, f"{low} to {high}", low <= value <= high)


def _scores(
    service: Service, policy: str, people: pd.Series[str], offers: pd.Series[str]
) -> np.ndarray:
    """Score by one policy: shape (people, offers); popularity where it cannot say."""
    model, bundle = service.recommender, service.bundle
    base, query = model.popularity.base, bundle.customers.query
    if query is None:
        raise ValueError("The model recommends nothing.")
    if policy == HYBRID:
        score = model.blend(query).score
    else:
        score = model.scorers[model.hybrid.sources.index(policy)].score(query)
        # Whatever can be said stands above whatever cannot.
        score = np.where(np.isnan(score), base - base.max() - np.nanmax(np.abs(score)) - 1, score)
    found = np.tile(base, (len(people), 1))
    known = bundle.customer_ids.known(people)
    found[known] = score[bundle.customer_ids.rows(people[known])]
    place = [model.encoders.offer_rows[str(name)] for name in offers]
    return np.asarray(found[:, place])


def _true_chances(world: TrueWorld) -> np.ndarray:
    """Return how likely each customer truly takes each offer: shape (people, offers)."""
    people, offers = len(world.liking.people.pace), len(world.stage.offers.category)
    who, offer = np.repeat(np.arange(people), offers), np.tile(np.arange(offers), people)
    chance = world.liking.click(who, offer)
    chance = chance * world.liking.redemption(who, offer, np.zeros(len(who), dtype=bool))
    return np.asarray(chance.reshape(people, offers))


def _showing(world: TrueWorld, score: np.ndarray) -> Policy:
    """Show at each visit the best offers of the day, best first."""
    begin, end = world.stage.offers.begin, world.stage.offers.end
    places = np.arange(world.stage.world.slate)

    def chances(who: np.ndarray, day: np.ndarray) -> np.ndarray:
        valid = (begin <= day[:, None]) & (day[:, None] < end)
        order = np.argsort(np.where(valid, -score[who], np.inf), axis=1, kind="stable")
        best = order[:, : len(places)]
        found = np.zeros((*valid.shape, len(places)))
        found[np.arange(len(who))[:, None], best, places] = np.take_along_axis(valid, best, axis=1)
        return found

    return chances
