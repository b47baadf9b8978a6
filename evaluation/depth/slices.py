"""Where the hybrid is good and where it is not: customers and offers taken apart, each with doubt.

Slices of customers (history, segment, profile) take their values from the trial. Slices of pairs
(repeat or explore, head or tail, new) judge the same lists by part of what is relevant: the other
relevant offers then count as any other, for every policy alike. Repeat against explore follows
Li et al. 2023, head against tail Cremonesi, Koren & Turrin 2010.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.dataset import Dataset, transaction_numbers
from data.schema import CUSTOMER_ID, EVENT_TYPE, OFFER_ID
from evaluation.depth.correction import holm
from evaluation.depth.groups import UNKNOWN, age_bands, band, genders, history_edges, profiles
from evaluation.harness import HEADLINE, Trial
from evaluation.metrics import find_hits, per_customer
from evaluation.significance import Estimate, estimate_means
from evaluation.splitting import Split
from recommender.base import HYBRID, Source
from recommender.batch import query_customers
from recommender.bundle import Bundle
from recommender.features.history import EVENT_WEIGHT
from recommender.learning.yardstick import Difference, compare

FEWEST = 20  # customers of a slice
HEAD_SHARE = 0.5  # of what was taken before is of the offers of the head
K = int(HEADLINE.partition("@")[2])


@dataclass(frozen=True)
class Slice:
    """One part of the customers, or of what they took.

    Attributes
    ----------
    kind, name : str
        What is told apart, and which part this is.
    n : int
        Customers in it.
    pairs : int
        Relevant pairs of customer and offer in it.
    hybrid, rival : Estimate or None
        NDCG@10; None where fewer than `FEWEST` customers are too few, as what follows.
    difference : Difference or None
        hybrid - rival, paired over customers.
    p_holm : float
        Its p-value corrected for all slices; at least the number of slices in a thousand, since
        that many resamples are made.
    """

    kind: str
    name: str
    n: int
    pairs: int
    hybrid: Estimate | None = None
    rival: Estimate | None = None
    difference: Difference | None = None
    p_holm: float = float("nan")

    @property
    def label(self) -> str:
        """Kind and name in one."""
        return f"{self.kind}: {self.name}"


@dataclass(frozen=True)
class Slices:
    """All slices.

    Attributes
    ----------
    slices : tuple of Slice
        By kind.
    rival : str
        The policy that the hybrid is compared with.
    lowest : str
        Label of the slice where the hybrid's NDCG@10 is lowest; empty where none has enough
        customers, as the next.
    weakest : str
        Label of the slice where the hybrid gains least over the rival, or loses most.
    missing : dict of str to str
        Kinds that are not measured, and why.
    """

    slices: tuple[Slice, ...]
    rival: str
    lowest: str
    weakest: str
    missing: dict[str, str]


def measure_slices(
    split: Split,
    trial: Trial,
    bundle: Bundle,
    seed: int = 0,
    *,
    rival: str = str(Source.POPULARITY),
    lists: Mapping[str, pd.DataFrame] | None = None,
) -> Slices:
    """Take a trial with policy hybrid apart.

    Parameters
    ----------
    bundle : Bundle
        Trained on `split.train`: it tells the segments.
    rival : str
        What to compare the hybrid with.
    lists : mapping of str to DataFrame, optional
        Where the rival's lists are, such as those of `Baselines`; by default those of the trial.
    """
    both = (trial.lists[HYBRID], (trial.lists if lists is None else lists)[rival])
    ours, theirs = (_ndcg(one, split.truth) for one in both)
    sizes = find_hits(both[0], split.truth).relevant
    found: list[Slice] = []
    missing: dict[str, str] = {}
    for kind, parts in _customers(split, trial.customers, bundle).items():
        if isinstance(parts, str):
            missing[kind] = parts
            continue
        for name, mask in parts.items():
            one = Slice(kind, name, int(mask.sum()), int(sizes[mask].sum()))
            found.append(_measured(one, ours[mask], theirs[mask], seed))
    for kind, kinds in _pairs(split).items():
        for name, mask in kinds.items():
            part = split.truth[mask]
            one = Slice(kind, name, part[CUSTOMER_ID].nunique(), len(part))
            values = [_ndcg(made, part) for made in both]
            found.append(_measured(one, values[0], values[1], seed))
    p_values = [np.nan if one.difference is None else one.difference.p_value for one in found]
    corrected = [
        replace(one, p_holm=float(p))
        for one, p in zip(found, holm(np.array(p_values)), strict=True)
    ]
    return Slices(
        tuple(corrected),
        rival=rival,
        lowest=_least(corrected, {i: s.hybrid.value for i, s in enumerate(corrected) if s.hybrid}),
        weakest=_least(
            corrected, {i: s.difference.value for i, s in enumerate(corrected) if s.difference}
        ),
        missing=missing,
    )


def _customers(
    split: Split, customers: np.ndarray, bundle: Bundle
) -> dict[str, dict[str, np.ndarray] | str]:
    """Tell customers apart: masks by kind and name, or why a kind cannot be told."""
    log, bought = split.train.interactions, split.train.transactions
    took = log.loc[log[EVENT_TYPE].map(EVENT_WEIGHT).astype("float64") > 0, CUSTOMER_ID]
    baskets = bought.assign(basket=transaction_numbers(bought)).drop_duplicates(
        [CUSTOMER_ID, "basket"]
    )[CUSTOMER_ID]
    found: dict[str, dict[str, np.ndarray] | str] = {}
    for kind, rows in (("clicks and redemptions", took), ("transactions", baskets)):
        counts = rows.value_counts().reindex(pd.Index(customers, dtype="str"))
        values = counts.fillna(0).to_numpy(dtype=np.float64)
        found[kind] = (
            band(values, history_edges(values))
            if len(rows)
            else f"not measured: there are no {kind} before the cut"
        )
    table = profiles(split.train, customers)
    found["segment"] = _segments(customers, bundle, split.at)
    return found | {"gender": genders(table), "age": age_bands(table)}


def _segments(
    customers: np.ndarray, bundle: Bundle, at: pd.Timestamp
) -> dict[str, np.ndarray] | str:
    if bundle.segments is None:
        return "not measured: there are no segments"
    asked = Dataset.of({"customers": pd.DataFrame({CUSTOMER_ID: customers}, dtype="str")})
    member = query_customers(bundle, asked, at)[1].segment.toarray() > 0
    masks = {name: member[:, row] for row, name in enumerate(bundle.segments.names)}
    masks[UNKNOWN] = ~member.any(axis=1)
    return {name: mask for name, mask in masks.items() if mask.any()}


def _pairs(split: Split) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Tell relevant pairs apart: masks by kind and name, empty ones left out."""
    log = split.train.interactions
    weight = log[EVENT_TYPE].map(EVENT_WEIGHT).astype("float64")
    taken = split.train.events(split.relevant)[[CUSTOMER_ID, OFFER_ID]]
    pairs = pd.MultiIndex.from_frame(split.truth[[CUSTOMER_ID, OFFER_ID]])
    again = np.asarray(pairs.isin(pd.MultiIndex.from_frame(taken)))
    counts = log.assign(weight=weight).groupby(OFFER_ID)["weight"].sum()
    counts = counts[counts > 0].sort_values(ascending=False, kind="stable")
    counts = counts[counts.index.isin(split.candidates)]
    # The head ends with the offer that brings it to its share.
    head = counts.index[counts.cumsum().shift(fill_value=0.0) < HEAD_SHARE * counts.sum()]
    offer = split.truth[OFFER_ID]
    known, popular = offer.isin(counts.index).to_numpy(), offer.isin(head).to_numpy()
    kinds = {
        "relevant": {"taken before": again, "taken for the first time": ~again},
        "offers": {
            "head (half of what was taken before)": popular,
            "tail": known & ~popular,
            "new (nobody took it before)": ~known,
        },
    }
    return {
        kind: {name: mask for name, mask in parts.items() if mask.any()}
        for kind, parts in kinds.items()
    }


def _measured(one: Slice, ours: np.ndarray, theirs: np.ndarray, seed: int) -> Slice:
    if one.n < FEWEST:
        return one
    hybrid, rival = estimate_means(np.column_stack([ours, theirs]), seed)
    return replace(one, hybrid=hybrid, rival=rival, difference=compare(ours, theirs, seed))


def _ndcg(lists: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    return per_customer(find_hits(lists, truth), (K,))[HEADLINE]


def _least(slices: list[Slice], values: dict[int, float]) -> str:
    return slices[min(values, key=values.__getitem__)].label if values else ""
