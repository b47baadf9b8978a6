"""One call makes the whole world: every table of the contract, and the truth behind them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.synthetic.campaigns import Liking, make_interactions, make_offers, true_liking
from data.synthetic.parameters import CATEGORIES, SEGMENTS, WorldParameters
from data.synthetic.people import People, make_people
from data.synthetic.shopping import make_items, make_transactions

STEPS = 4


def generate(
    world: WorldParameters, on_step: Callable[[str], None] = lambda _: None
) -> dict[str, pd.DataFrame]:
    """Make every table of a world; the same parameters give the same tables.

    Returns
    -------
    dict of str to DataFrame
        The tables of the dataset folder, and under names that start with ``truth/`` what is
        known of the world but must never be read by training.
    """
    random = np.random.default_rng(world.seed)
    on_step("people")
    people = make_people(world, random)
    items = make_items(world, random)
    offers, offer_items = make_offers(world, items, random)
    on_step("transactions")
    transactions = make_transactions(world, people, items, random)
    on_step("interactions")
    bought = _bought(people.table, transactions, offers, offer_items, items)
    liking = true_liking(people, offers, bought, random)
    interactions = make_interactions(world, people, offers, liking, random)
    on_step("survey and truth")
    return {
        "customers": people.table,
        "offers": offers,
        "items": items,
        "offer_items": offer_items,
        "transactions": transactions,
        "interactions": interactions,
        "survey_answers": _survey(world, people, random),
        **_truth(people, offers, liking),
    }


def _bought(
    customers: pd.DataFrame,
    transactions: pd.DataFrame,
    offers: pd.DataFrame,
    offer_items: pd.DataFrame,
    items: pd.DataFrame,
) -> np.ndarray:
    """Count lines of the items behind each offer, per customer."""

    def rows(values: pd.Series, of: pd.Series) -> np.ndarray:
        return np.asarray(pd.Index(of).get_indexer(pd.Index(values)))

    lines = sp.csr_matrix(
        (
            np.ones(len(transactions)),
            (
                rows(transactions["customer_id"], customers["customer_id"]),
                rows(transactions["item_id"], items["item_id"]),
            ),
        ),
        shape=(len(customers), len(items)),
    )
    behind = sp.csr_matrix(
        (
            np.ones(len(offer_items)),
            (
                rows(offer_items["item_id"], items["item_id"]),
                rows(offer_items["offer_id"], offers["offer_id"]),
            ),
        ),
        shape=(len(items), len(offers)),
    )
    return np.asarray((lines @ behind).todense())


def _survey(world: WorldParameters, people: People, random: np.random.Generator) -> pd.DataFrame:
    """Let some people answer which categories are for them; answers follow tastes, with noise."""
    newcomer = people.signup_day >= world.days * 5 / 6
    answering = np.flatnonzero(random.random(world.customers) < np.where(newcomer, 0.7, 0.25))
    likes = people.taste * len(CATEGORIES) > 1.0
    rows = []
    for customer in answering:
        asked = random.permutation(len(CATEGORIES))[: random.integers(4, 9)]
        truthful = random.random(len(asked)) < 0.9
        for category, true in zip(asked, truthful, strict=True):
            answer = "yes" if likes[customer, category] == true else "no"
            question = f"category:{CATEGORIES[category]}"
            rows.append((people.table["customer_id"].iloc[customer], question, answer))
    return pd.DataFrame(rows, columns=["customer_id", "question", "answer"], dtype="str")


def _truth(people: People, offers: pd.DataFrame, liking: Liking) -> dict[str, pd.DataFrame]:
    ids = people.table["customer_id"]
    names = np.array([planted.name for planted in SEGMENTS], dtype=object)
    return {
        "truth/segments": pd.DataFrame({"customer_id": ids, "segment": names[people.segment]}),
        "truth/anomalies": pd.DataFrame({"customer_id": ids, "kind": people.odd}),
        "truth/liking": pd.DataFrame(
            {
                "customer_id": np.repeat(ids.to_numpy(), len(offers)),
                "offer_id": np.tile(offers["offer_id"].to_numpy(), len(ids)),
                "click_probability": liking.click.ravel(),
                "redemption_probability": liking.redemption.ravel(),
            }
        ),
    }
