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
from data.words import form

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


@dataclass(frozen=True)
class Ordered:
    """Rows of lists as they count: of wanted customers, by rank, each offer once.

    Attributes
    ----------
    rows : ndarray of int, shape (m,)
        Places in the table of lists, list after list, best first.
    owner : ndarray of int, shape (m,)
        Row of the customer.
    place : ndarray of int, shape (m,)
        Place in the customer's list, from 0.
    unusual : dict of str to int
        What was set aside or is unusual, by reason.
    """

    rows: np.ndarray
    owner: np.ndarray
    place: np.ndarray
    unusual: dict[str, int]


def order_lists(lists: pd.DataFrame, customers: IdMap) -> Ordered:
    """Put lists in the order that counts.

    Only the order of ranks counts, not their size. Of equal ranks the smaller offer_id is first,
    whatever the order of the rows; an offer that stands twice counts at its better rank.

    Parameters
    ----------
    lists : DataFrame
        customer_id, offer_id and rank.
    customers : IdMap
        Those who are wanted.

    Raises
    ------
    DataError
        A row has no rank or no offer.
    """
    rank = lists["rank"].to_numpy(dtype=np.float64)
    for name, lacking in (("rank", np.isnan(rank)), (OFFER_ID, lists[OFFER_ID].isna().to_numpy())):
        if n := int(lacking.sum()):
            raise DataError(
                f"{n} of {len(lists)} rows of the lists {form(n, 'has', 'have')} no {name}, the "
                f"first is row {int(lacking.argmax()) + 1}.",
                "What is not ranked cannot be judged: give every row its rank, or leave it out.",
            )
    names: pd.Index[str] = pd.Index(customers.ids, dtype="str")
    code, listed = pd.factorize(lists[CUSTOMER_ID])
    owner = np.append(names.get_indexer(listed), -1)[code]  # a row without a customer is nobody's
    rows = np.flatnonzero(owner >= 0)
    foreign = len(owner) - len(rows)
    owner, rank = owner[rows], rank[rows]
    offer, offers = pd.factorize(lists[OFFER_ID].iloc[rows], sort=True)
    step = np.diff(owner)
    if not ((step > 0) | ((step == 0) & (np.diff(rank) > 0))).all():
        order = np.lexsort((offer, rank, owner))
        rows, owner, rank, offer = rows[order], owner[order], rank[order], offer[order]
    twice = pd.Series(owner * len(offers) + offer).duplicated().to_numpy()
    rows, owner, rank = rows[~twice], owner[~twice], rank[~twice]
    first = np.ones(len(owner), dtype=bool)
    first[1:] = owner[1:] != owner[:-1]
    begin = np.flatnonzero(first)
    length = np.diff(np.append(begin, len(owner)))
    tied = ~first
    tied[1:] &= rank[1:] == rank[:-1]
    longest = int(length.max(initial=0))
    return Ordered(
        rows=rows,
        owner=owner,
        place=np.arange(len(owner)) - np.repeat(begin, length),
        unusual={
            "rows of customers without relevant offers": foreign,
            "offers that stand twice in a list": int(twice.sum()),
            "offers with the rank or score of the one before, ordered by offer_id": int(tied.sum()),
            f"lists shorter than the longest, which has {longest}": int((length < longest).sum()),
            "customers without a list, who score 0": len(customers) - len(begin),
        },
    )


def count_odd_ranks(lists: pd.DataFrame) -> dict[str, int]:
    """Count ranks that are no places in a list; their order counts all the same.

    Parameters
    ----------
    lists : DataFrame
        customer_id and rank, a number.
    """
    rank = lists["rank"].to_numpy(dtype=np.float64)
    whole = rank == np.floor(rank)
    by_list = pd.Series(rank).groupby(pd.factorize(lists[CUSTOMER_ID])[0])
    # A list without the row of its fourth place has a fifth place that counts as the fourth.
    gaps = (by_list.min() != 1) | (by_list.max() != by_list.nunique())
    found = {
        "ranks that are no whole numbers; only their order counts": int((~whole).sum()),
        "lists whose ranks do not run 1, 2, 3 to their end; only the order counts": int(gaps.sum()),
    }
    return {why: n for why, n in found.items() if n}


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
