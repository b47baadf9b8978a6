"""Lists as they count: in the order of their ranks, each offer once, what is unusual counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.errors import DataError
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, OFFER_ID
from data.words import form


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
