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

from data.errors import DataError
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, OFFER_ID
from evaluation.ranked_lists import order_lists

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
        What was set aside or is unusual, by reason; what does not occur is not named.
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
        customer_id, offer_id and rank, read as `order_lists` says. A customer without a list scores
        zero; customers without relevant offers are set aside.
    truth : DataFrame
        customer_id and offer_id of what is relevant.

    Raises
    ------
    DataError
        Nothing is relevant, or a row of the lists has no rank or no offer.
    """
    relevant = truth[[CUSTOMER_ID, OFFER_ID]].drop_duplicates()
    if relevant.empty:
        raise DataError("Nothing is relevant.", "Give pairs of customer_id and offer_id as truth.")
    customers = IdMap(relevant[CUSTOMER_ID])
    owner = customers.rows(relevant[CUSTOMER_ID])
    ordered = order_lists(lists, customers)
    offer, names = pd.factorize(lists[OFFER_ID].iloc[ordered.rows])
    wanted = pd.Index(names).get_indexer(relevant[OFFER_ID])
    pairs = (owner * len(names) + wanted)[wanted >= 0]
    good = pd.Series(ordered.owner * len(names) + offer).isin(pairs).to_numpy()
    hit = np.zeros((len(customers), int(ordered.place.max(initial=-1)) + 1), dtype=bool)
    hit[ordered.owner[good], ordered.place[good]] = True
    unusual = {**ordered.unusual, "pairs that stand twice in the truth": len(truth) - len(relevant)}
    return Hits(
        customers=customers.ids,
        hit=hit,
        relevant=np.bincount(owner, minlength=len(customers)),
        dropped={why: n for why, n in unusual.items() if n},
    )


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
