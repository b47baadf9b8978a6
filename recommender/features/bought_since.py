"""What one customer bought since a model was trained, and gave back of what it holds as bought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from data.schema import AMOUNT, BOUGHT, OCCURRED_AT
from recommender.base import Query
from recommender.features.keys import KeySpace
from recommender.features.refunds import is_nothing
from recommender.features.sparse import entries, rows_of

Event = tuple[str, str, int | None]  # offer_id, event_type, occurred_at
Line = Mapping[str, Any]


def bought_by(
    lines: Iterable[Line],
    keys: KeySpace,
    offer_ids: np.ndarray,
    things: sp.csr_matrix,
    before: Mapping[int, float],
) -> tuple[list[Event], list[int]]:
    """List what one customer bought.

    Parameters
    ----------
    things : csr_matrix, shape (keys, offers)
        See `recommender.features.bought.things_of`.
    before : mapping
        Money by purchase key that had been spent already.

    Returns
    -------
    bought : list of (offer_id, event_type, occurred_at)
    back : list of int
        Rows of the offers of which all was given back, what was bought before as well.
    """

    def offers_of(some: Iterable[int]) -> Iterator[int]:
        for key in some:
            yield from things.indices[slice(*things.indptr[key : key + 2])].tolist()

    seen: dict[tuple[str, int], int | None] = {}
    spent: dict[int, float] = {}
    back: dict[int, float] = {}
    for key, money in before.items():
        for offer in offers_of([key]):
            spent[offer] = spent.get(offer, 0.0) + money
    for number, line in enumerate(lines):
        visit, amount = line.get("transaction_id") or f"line {number}", float(line[AMOUNT])
        for offer in offers_of(keys.keys_of(line)):
            spent[offer] = spent.get(offer, 0.0) + amount
            if amount < 0:
                back[offer] = back.get(offer, 0.0) - amount
            else:
                seen.setdefault((visit, offer), line.get(OCCURRED_AT))
    gone = {
        offer
        for offer, money in back.items()
        if spent[offer] <= 0 or is_nothing(spent[offer], money)
    }
    bought = [
        (str(offer_ids[offer]), BOUGHT, when)
        for (_, offer), when in seen.items()
        if offer not in gone
    ]
    return bought, sorted(gone)


def without_bought(query: Query, gone: Sequence[Sequence[int]]) -> Query:
    """Take back what customers bought, the offers of which are given: a sequence for each.

    Of the weight in the history of an offer that was redeemed as well, the part of the redemptions
    stays; hardly anything is redeemed or clicked where to buy counts as to take.
    """
    if not any(gone):
        return query
    history, redeemed, bought = (
        [_cells(part, row) for row in range(len(query))]
        for part in (query.history, query.redeemed, query.bought)
    )
    for row, offers in enumerate(gone):
        for offer in offers:
            if offer not in bought[row]:
                continue
            taken = redeemed[row].pop(offer)
            left = taken - bought[row].pop(offer)
            weight = history[row].pop(offer, 0.0)
            if left > 0:
                redeemed[row][offer] = left
                history[row][offer] = weight * left / taken
    width = query.history.shape[1]
    return replace(
        query,
        history=rows_of(history, width),
        redeemed=rows_of(redeemed, width),
        bought=rows_of(bought, width),
    )


def _cells(matrix: sp.csr_matrix, row: int) -> dict[int, float]:
    columns, values = entries(matrix, row)
    return dict(zip(columns.tolist(), values.tolist(), strict=True))
