"""Ranking metrics, one contract: per-customer float64 vectors, plain means, no sampled negatives.

With a list written as a TREC run, precision, recall, hit_rate, ndcg, map and mrr equal
pytrec_eval's P, recall, success, ndcg_cut, map_cut and recip_rank (of the list cut at k); map_min
equals implicit's and divides by min(k, relevant), as recall_min does (Liang et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.idmap import IdMap
from data.schema import CUSTOMER_ID, OFFER_ID

NAMES = (
    "precision",
    "recall",
    "f1",
    "hit_rate",
    "mrr",
    "map",
    "map_min",
    "recall_min",
    "ndcg",
)


@dataclass(frozen=True)
class Hits:
    """Where relevant offers stand in the lists of the evaluated customers.

    Attributes
    ----------
    customers : ndarray of str, shape (n,)
        Customers with at least one relevant offer, sorted.
    hit : ndarray of bool, shape (n, depth)
        Whether the offer at each rank is relevant; False beyond the end of a list.
    relevant : ndarray of int, shape (n,)
        How many offers are relevant, at least one.
    dropped : dict of str to int
        What of the lists was set aside, by reason.
    """

    customers: np.ndarray
    hit: np.ndarray
    relevant: np.ndarray
    dropped: dict[str, int]


def find_hits(lists: pd.DataFrame, truth: pd.DataFrame) -> Hits:
    """Mark relevant offers in lists.

    Parameters
    ----------
    lists : DataFrame
        customer_id, offer_id and rank. A customer without a list scores zero; an offer that stands
        twice in a list counts at its better rank; customers without relevant offers are set aside.
    truth : DataFrame
        customer_id and offer_id of what is relevant.
    """
    relevant = truth[[CUSTOMER_ID, OFFER_ID]].drop_duplicates()
    customers = IdMap(relevant[CUSTOMER_ID])
    counts = np.bincount(customers.rows(relevant[CUSTOMER_ID]), minlength=len(customers))
    known = customers.known(lists[CUSTOMER_ID])
    kept = lists[known].sort_values([CUSTOMER_ID, "rank"], kind="stable")
    twice = kept.duplicated([CUSTOMER_ID, OFFER_ID])
    kept = kept[~twice]
    rows = customers.rows(kept[CUSTOMER_ID])
    rank = kept.groupby(CUSTOMER_ID).cumcount().to_numpy()
    depth = int(rank.max(initial=-1)) + 1
    pairs = pd.MultiIndex.from_frame(relevant)
    good = pd.MultiIndex.from_frame(kept[[CUSTOMER_ID, OFFER_ID]]).isin(pairs)
    hit = np.zeros((len(customers), depth), dtype=bool)
    hit[rows[good], rank[good]] = True
    missing = len(customers) - len(np.unique(rows))
    dropped = {
        "rows of customers without relevant offers": int((~known).sum()),
        "offers that stand twice in a list": int(twice.sum()),
        "customers without a list, who score 0": missing,
    }
    return Hits(customers.ids, hit, counts, {why: n for why, n in dropped.items() if n})


def per_customer(hits: Hits, ks: Iterable[int]) -> dict[str, np.ndarray]:
    """Compute every metric for every customer.

    Parameters
    ----------
    hits : Hits
        Of n customers.
    ks : iterable of int
        Cut-offs, each at least 1.

    Returns
    -------
    dict of str to ndarray of float, shape (n,)
        Keys such as ``ndcg@10``.
    """
    found: dict[str, np.ndarray] = {}
    total = hits.relevant.astype(np.float64)
    for k in ks:
        hit = hits.hit[:, :k].astype(np.float64)
        rank = np.arange(1, hit.shape[1] + 1)
        reachable = np.minimum(total, k)
        hit_count = hit.sum(axis=1)
        precision, recall = hit_count / k, hit_count / total
        with np.errstate(invalid="ignore"):
            f1 = np.nan_to_num(2 * precision * recall / (precision + recall))
        precision_sum = (hit * hit.cumsum(axis=1) / rank).sum(axis=1)
        discount = 1.0 / np.log2(np.arange(2, k + 2))
        ideal = np.cumsum(discount)[reachable.astype(np.int64) - 1]
        first = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, np.inf) if hit.size else np.inf
        found |= {
            f"precision@{k}": precision,
            f"recall@{k}": recall,
            f"f1@{k}": f1,
            f"hit_rate@{k}": (hit_count > 0).astype(np.float64),
            f"mrr@{k}": np.broadcast_to(1.0 / np.asarray(first), total.shape).copy(),
            f"map@{k}": precision_sum / total,
            f"map_min@{k}": precision_sum / reachable,
            f"recall_min@{k}": hit_count / reachable,
            f"ndcg@{k}": (hit * discount[: hit.shape[1]]).sum(axis=1) / ideal,
        }
    return found
