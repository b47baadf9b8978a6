"""Policies on trial: the same customers, candidates and moment for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import CUSTOMER_ID
from evaluation.metrics import find_hits, per_customer
from evaluation.significance import Comparison, Estimate, compare_paired, estimate_means
from evaluation.splitting import Split
from recommender.base import HYBRID, POLICIES, RANDOM
from recommender.batch import recommend_batch
from recommender.service import Service
from recommender.serving.lists import Wish

KS = (5, 10, 20)
SOURCES = tuple(policy for policy in POLICIES if policy not in (HYBRID, RANDOM))
HEADLINE = "ndcg@10"
SLICES = ALL, WARM, COLD = "all", "warm", "cold"


@dataclass(frozen=True)
class Trial:
    """What every policy achieved.

    Attributes
    ----------
    ranking : dict
        ``ranking[slice][policy][metric]`` is an `Estimate`.
    against : dict
        ``against[slice][policy]`` is the paired difference hybrid - policy on the headline metric.
    lists : dict of str to DataFrame
        The lists by policy.
    customers : ndarray of str, shape (n,)
        The evaluated customers.
    values : dict of str to dict of str to ndarray
        Per policy and metric, one value per customer.
    slices : dict of str to ndarray of bool, shape (n,)
        Which customers each slice holds.
    silent : tuple of str
        Policies whose source could not say anything of anybody.
    """

    ranking: dict[str, dict[str, dict[str, Estimate]]]
    against: dict[str, dict[str, Comparison]]
    lists: dict[str, pd.DataFrame]
    customers: np.ndarray
    values: dict[str, dict[str, np.ndarray]]
    slices: dict[str, np.ndarray]
    silent: tuple[str, ...] = ()


def run_trial(
    service: Service,
    split: Split,
    *,
    policies: tuple[str, ...] = POLICIES,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Trial:
    """Let policies rank the candidates of a split and compare them.

    Parameters
    ----------
    service : Service
        A model trained on `split.train`.
    policies : tuple of str
        Each is one step of progress.
    """
    values: dict[str, dict[str, np.ndarray]] = {}
    lists: dict[str, pd.DataFrame] = {}
    for policy in policies:
        on_step(f"policy {policy}")
        lists[policy], values[policy] = rank_policy(service, split, policy, seed)
    customers = np.array(split.customers, dtype=object)
    cold = np.isin(customers, list(split.cold))
    slices = {ALL: np.ones(len(customers), dtype=bool), WARM: ~cold, COLD: cold}
    return Trial(
        ranking={name: _estimates(values, mask, seed) for name, mask in slices.items()},
        against={name: _differences(values, mask, seed) for name, mask in slices.items()},
        lists=lists,
        customers=customers,
        values=values,
        slices=slices,
        silent=tuple(
            policy
            for policy, made in lists.items()
            if policy in SOURCES and policy not in set(made["source"])
        ),
    )


def rank_policy(
    service: Service, split: Split, policy: str, seed: int = 0
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Let one policy rank the candidates of a split.

    Returns
    -------
    lists : DataFrame
        customer_id, rank, offer_id, score, source.
    values : dict of str to ndarray of float, shape (n,)
        Per metric, one value per evaluated customer.
    """
    given = Dataset.of({"customers": pd.DataFrame({CUSTOMER_ID: split.customers}, dtype="str")})
    wish = Wish(split.at, n=max(KS), policy=policy, offers=split.candidates, seed=seed)
    lists = recommend_batch(service, given, wish)
    return lists, per_customer(find_hits(lists, split.truth), KS)


def _estimates(
    values: Mapping[str, Mapping[str, np.ndarray]], mask: np.ndarray, seed: int
) -> dict[str, dict[str, Estimate]]:
    found = {}
    for policy, metrics in values.items():
        table = np.column_stack([vector[mask] for vector in metrics.values()])
        found[policy] = dict(zip(metrics, estimate_means(table, seed), strict=True))
    return found


def _differences(
    values: Mapping[str, Mapping[str, np.ndarray]], mask: np.ndarray, seed: int
) -> dict[str, Comparison]:
    if HYBRID not in values:
        return {}
    ours = values[HYBRID][HEADLINE][mask]
    return {
        policy: compare_paired(ours, metrics[HEADLINE][mask], seed)
        for policy, metrics in values.items()
        if policy != HYBRID
    }
