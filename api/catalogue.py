"""What an offer is before it is put: what is left out of it then stays."""

from __future__ import annotations

from typing import Any

import pandas as pd
from fastapi.exceptions import RequestValidationError

from api.moments import is_ahead, microseconds, moment_of
from data.rows import Row
from data.schema import OFFER_ID, OFFERS
from recommender.bundle import Bundle
from recommender.features.keys import ITEM

NEW: Row = {"repeatable": False}
BEGIN, END = "valid_from", "valid_until"


def of_model(bundle: Bundle, offer_id: str) -> Row | None:
    """Return an offer as a model has it; None where it has none of that name."""
    own = bundle.offers[bundle.offers[OFFER_ID] == offer_id]
    if own.empty:
        return None
    row: dict[Any, Any] = own.to_dict("records")[0]
    return {str(name): None if pd.isna(value) else value for name, value in row.items()}


def to_be_kept(bundle: Bundle, offer_id: str) -> Row:
    """Return what the store says of an offer that it does not hold: what the model knows of it.

    Times are microseconds since 1970; the owner's are left out, as they are of loaded tables.
    """
    row = of_model(bundle, offer_id)
    if row is None:
        return NEW
    kept: Row = {}
    for name, value in row.items():
        if not isinstance(value, pd.Timestamp):
            kept[name] = value
        elif name in OFFERS.names:
            kept[name] = microseconds(value.to_pydatetime())
    return kept | {"items": items_of(bundle, offer_id) or ()}


def check_dates(stated: Row, kept: Row) -> None:
    """Refuse one date where the other is kept and no moment is left between them.

    An end that has come is none of these: it ends an offer, which may not even have begun.

    Raises
    ------
    RequestValidationError
        The offer would never be valid.
    """
    if (BEGIN in stated) == (END in stated):
        return  # nothing is said of them, or all
    begin, end = ((kept | stated).get(name) for name in (BEGIN, END))
    if begin is None or end is None or begin < end:
        return
    if BEGIN in stated:
        given, way, other, stays, without = BEGIN, "before", END, end, "end"
    elif is_ahead(moment_of(end)):
        given, way, other, stays, without = END, "after", BEGIN, begin, "beginning"
    else:
        return
    problem = (
        f"has to lie {way} {other}, which stays at {moment_of(stays).isoformat()}: "
        f"state {other} as well, null for no {without}"
    )
    raise RequestValidationError([{"type": "value_error", "loc": ("body", given), "msg": problem}])


def items_of(bundle: Bundle, offer_id: str) -> list[str] | None:
    """Return the items that a model's offer is on; None of a model that recommends nothing."""
    if bundle.recommender is None:
        return None
    encoders = bundle.recommender.encoders
    keys, row = encoders.keys, encoders.offer_rows[offer_id]
    own = keys.offer_keys.indices[slice(*keys.offer_keys.indptr[row : row + 2])]
    items = keys.rows_of(ITEM)
    named = keys.names[own[(own >= items.start) & (own < items.stop)]].tolist()
    return sorted(name.partition(":")[2] for name in named)
