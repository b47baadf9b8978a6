"""Part of suite `ranking`: what lists are truly worth in a world whose chances are known.

No log decides here: every policy's lists are shown, in thought, at every visit after the moment,
and the world says what they yield. With it, whether the hybrid's probabilities are true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, EVENT_TYPE, IMPRESSION, OCCURRED_AT, OFFER_ID, REDEMPTION
from data.synthetic import PRESETS, generate
from data.synthetic.truth import Policy, TrueWorld
from evaluation.benchmark import Row, at_least
from evaluation.harness import SOURCES
from evaluation.splitting import Protocol, Split, split_dataset
from recommender.base import HYBRID
from recommender.calibration import Trials, fit_calibration
from recommender.service import Service
from recommender.training import train

SEEDS = (0, 1, 2)
STEPS = len(SEEDS)
LEAST_SHARE = 0.5  # of the gap between the logging policy and the oracle
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
        found += worth(data, service, split, TrueWorld.of(parameters), dataset)
        found += truthfulness(data, service, split, dataset)
    return found


def worth(
    data: str, service: Service, split: Split, world: TrueWorld, dataset: Dataset
) -> list[Row]:
    """Compute by which share each policy closes the gap between logging and oracle."""
    log = dataset.interactions
    contexts = world.contexts(log[log[OCCURRED_AT] >= split.at])
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
    if not service.calibrated:
        return []
    score, shown, taken = _outcomes(service, split, dataset)
    slope, _, _ = fit_calibration([Trials(score, shown, taken)])
    lost = np.maximum(shown - taken, 0.0)
    trials, chance = lost + taken, expit(score)
    order = np.argsort(score, kind="stable")
    reached = np.cumsum(trials[order]) / trials.sum()
    decile = np.minimum((reached * 10).astype(np.int64), 9)
    expected = np.bincount(decile, weights=(chance * trials)[order], minlength=10)
    observed = np.bincount(decile, weights=taken[order].astype(np.float64), minlength=10)
    found = [_between(data, "calibration slope after the moment", slope, SLOPE)]
    for number in range(10):
        ratio = expected[number] / observed[number] if observed[number] else np.inf
        figure = f"predicted / observed, decile {number + 1} ({observed[number]:.0f} redemptions)"
        found.append(_between(data, figure, ratio, DECILE))
    return found


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


def _outcomes(
    service: Service, split: Split, dataset: Dataset
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return score, number of showings and whether taken, of what was shown after the moment.

    Of customers the model knows and offers that were still open to them.
    """
    bundle, model = service.bundle, service.recommender
    pair = [CUSTOMER_ID, OFFER_ID]
    later = dataset.interactions[dataset.interactions[OCCURRED_AT] >= split.at]
    counts = later[later[EVENT_TYPE] == IMPRESSION].groupby(pair).size().rename("n").reset_index()
    known = bundle.customer_ids.known(counts[CUSTOMER_ID])
    counts = counts[known & counts[OFFER_ID].isin(split.candidates)]
    redeemed = pd.MultiIndex.from_frame(later.loc[later[EVENT_TYPE] == REDEMPTION, pair])
    taken = pd.MultiIndex.from_frame(counts[pair]).isin(redeemed)
    rows = bundle.customer_ids.rows(counts[CUSTOMER_ID])
    columns = counts[OFFER_ID].map(model.encoders.offer_rows).to_numpy(dtype=np.int64)
    query = bundle.customers.query
    if query is None:
        raise ValueError("The model recommends nothing.")
    repeatable = bundle.offers["repeatable"].fillna(False).to_numpy(dtype=bool)
    still = (query.redeemed.toarray()[rows, columns] == 0) | repeatable[columns]
    score = model.blend(query).score[rows, columns]
    return score[still], counts["n"].to_numpy(dtype=np.float64)[still], taken[still]
