"""Part of suite `speed`: metrics of many lists beside ranx, which compiles its own."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from data.schema import CUSTOMER_ID, OFFER_ID
from evaluation.benchmark import Row, at_least, not_measured
from evaluation.metrics import find_hits, per_customer

CUSTOMERS, LENGTH, OFFERS, RELEVANT, K = 100_000, 20, 1000, 3, 10
SHARED = ("precision", "recall", "f1", "hit_rate", "mrr", "map", "ndcg")  # what both define
STEPS = 1


def rows(on_step: Callable[[str], None]) -> list[Row]:
    """Judge the same tables of lists with both; ranx is called once before, to be compiled."""
    on_step("metrics beside ranx")
    what = f"{CUSTOMERS:,} lists of {LENGTH}"
    try:
        ranx: Any = importlib.import_module("ranx")
    except ImportError:
        return [not_measured(what, "ranx is not installed, it comes with the development packages")]
    lists, truth = made(CUSTOMERS)
    names = [f"{name}@{K}" for name in SHARED]

    def ours() -> dict[str, np.ndarray]:
        return per_customer(find_hits(lists, truth), (K,))

    objects = {CUSTOMER_ID: object, OFFER_ID: object}
    theirs = lists.assign(score=-lists["rank"].astype(np.float64)).astype(objects)
    relevant = truth.assign(relevance=1).astype(objects)

    def read(n: int) -> tuple[Any, Any]:
        some = theirs.head(n * LENGTH)
        pairs = relevant[relevant[CUSTOMER_ID].isin(some[CUSTOMER_ID])]
        return (
            ranx.Qrels.from_df(pairs, CUSTOMER_ID, OFFER_ID, "relevance"),
            ranx.Run.from_df(some, CUSTOMER_ID, OFFER_ID, "score"),
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ranx.evaluate(*read(2), names)
        ours()
        _, mine = _timed(ours)
        both, reading = _timed(lambda: read(CUSTOMERS))
        _, judging = _timed(lambda: ranx.evaluate(*both, names))
    return [
        at_least(
            what, "ranx from the same tables / our metrics, times", (reading + judging) / mine, 1
        ),
        at_least(what, "ranx once it has read them / our metrics, times", judging / mine, 1),
        Row(what, "lists judged a second", CUSTOMERS / mine),
    ]


def made(customers: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make lists of different offers, and what is relevant, at random."""
    random = np.random.default_rng(seed)
    people = np.char.add("c", np.char.zfill(np.arange(customers).astype(str), 6))
    offers = np.char.add("o", np.char.zfill(np.arange(OFFERS).astype(str), 4))
    # Steps between places that never sum to a whole turn: no offer stands twice in a list.
    steps = random.integers(1, OFFERS // LENGTH, (customers, LENGTH)).cumsum(axis=1)
    place = (random.integers(0, OFFERS, (customers, 1)) + steps) % OFFERS
    lists = pd.DataFrame(
        {
            CUSTOMER_ID: np.repeat(people, LENGTH),
            OFFER_ID: offers[place.ravel()],
            "rank": np.tile(np.arange(1, LENGTH + 1), customers),
        }
    )
    truth = pd.DataFrame(
        {
            CUSTOMER_ID: np.repeat(people, RELEVANT),
            OFFER_ID: offers[random.integers(0, OFFERS, RELEVANT * customers)],
        }
    ).drop_duplicates()
    ids = {CUSTOMER_ID: "str", OFFER_ID: "str"}
    return lists.astype(ids), truth.astype(ids)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begun = perf_counter()
    found = work()
    return found, perf_counter() - begun
