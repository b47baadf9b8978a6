"""The headline on other splits: earlier windows, strangers, new offers, and one that leaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from data.dataset import Dataset
from data.errors import DataError
from evaluation.depth.folds import (
    FOLDS,
    held_out_customers,
    leave_last_out,
    new_offer_split,
    rolling_protocols,
)
from evaluation.depth.shown import K, most_redeemed
from evaluation.harness import HEADLINE, rank_policy
from evaluation.metrics import find_hits, per_customer
from evaluation.protocol import Protocol
from evaluation.significance import Comparison, Estimate, compare_paired, estimate_means
from evaluation.splitting import Split, split_dataset
from recommender.base import HYBRID
from recommender.service import Service
from recommender.training import train

STEPS = FOLDS + 2  # the newest window is the report's own


@dataclass(frozen=True)
class OtherSplit:
    """The hybrid beside plain counts of redemptions on one split.

    Attributes
    ----------
    at : str
        The moment of the lists, ISO 8601.
    hybrid, most_redeemed : Estimate
        NDCG@10.
    difference : Comparison
        hybrid - most redeemed, paired over customers.
    leaky : str
        Why the split lets the model see what it should not; empty where it does not.
    """

    at: str
    hybrid: Estimate
    most_redeemed: Estimate
    difference: Comparison
    leaky: str


def measure_other_splits(
    dataset: Dataset,
    protocol: Protocol,
    *,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> dict[str, OtherSplit | str]:
    """Train and rank anew on every other split.

    Parameters
    ----------
    protocol : Protocol
        Of the report; its own window is not measured once more.
    on_step : callable
        Told the name of each of at most `STEPS` steps as it begins.

    Returns
    -------
    dict
        By split; in words where there is nothing to measure.
    """
    makers: Mapping[str, Callable[[], Split]] = {
        **{
            f"earlier window {number}": partial(split_dataset, dataset, one, seed)
            for number, one in enumerate(rolling_protocols(dataset, protocol)[:-1], 1)
        },
        "customers nobody has seen": partial(held_out_customers, dataset, protocol, seed=seed),
        "new offers": partial(new_offer_split, dataset, protocol, seed),
        "last of each customer": partial(leave_last_out, dataset),
    }
    found: dict[str, OtherSplit | str] = {}
    for name, make in makers.items():
        on_step(f"another split: {name}")
        try:
            found[name] = _measure(make(), seed)
        except DataError as error:
            found[name] = f"not measured: {error.problem}"
    return found


def _measure(split: Split, seed: int) -> OtherSplit | str:
    bundle = train(split.train, at=split.at, seed=seed)
    if bundle.recommender is None:
        return "not measured: the model recommends nothing"
    ours = rank_policy(Service(bundle), split, HYBRID, seed)[1][HEADLINE]
    hits = find_hits(most_redeemed(split, split.customers), split.truth)
    theirs = per_customer(hits, (K,))[HEADLINE]
    [mine] = estimate_means(ours[:, None], seed)
    [plain] = estimate_means(theirs[:, None], seed)
    return OtherSplit(
        at=split.at.isoformat(),
        hybrid=mine,
        most_redeemed=plain,
        difference=compare_paired(ours, theirs, seed),
        leaky=split.leaky,
    )
