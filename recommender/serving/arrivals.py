"""Offers that came, or changed, after training: a model that can list them on the next request.

A new offer starts from what training expects of an offer that nobody had a chance to take: its
popularity from what people spend on its items, its traits from those who buy them and who take
offers of its category, its content from its items and attributes. Collaborative filtering cannot
say anything of it. What the model says of other offers stays as it is, bit for bit; only where an
offer came to be repeatable, or ceased to be, does having taken it several times speak anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from data.dataset import complete
from data.schema import OFFER_ID, OFFERS, Kind
from recommender.bundle import Bundle
from recommender.features.keys import ITEM, STATED
from recommender.features.numbers import plain
from recommender.model import Recommender
from recommender.serving.placing import aim_of
from recommender.serving.wider_model import Wider, widen, wider_query, wider_recommender

TIMES = tuple(column.name for column in OFFERS.columns if column.kind is Kind.TIME)


def with_arrivals(bundle: Bundle, offers: Sequence[Mapping[str, Any]]) -> Bundle:
    """Return a model that knows offers as they are now.

    Parameters
    ----------
    bundle : Bundle
        As trained; it is left as it is and shares its large arrays with the result.
    offers : sequence of mappings
        The columns of the offers table, times as Timestamps, ISO 8601 or microseconds since 1970,
        and ``items``: the item ids it applies to. Of the owner's own columns those count that the
        model's table has; one that is absent says what it said before. Those that the model has as
        they are cost little. Of offers with the same id the last counts.

    Returns
    -------
    Bundle
        The same object where nothing is new, or where the model recommends nothing.
    """
    model = bundle.recommender
    given = {str(one[OFFER_ID]): one for one in offers}
    if model is None or not given:
        return bundle
    rows = model.encoders.offer_rows
    table = _table([given[name] for name in sorted(given)], bundle.offers, rows)
    differs = _differing(table, bundle.offers, rows)
    keys = model.encoders.keys
    moved = _moved(given, model, bundle.offers)
    fresh = sorted(name for name in given if name not in rows)
    if not fresh and not moved and not len(differs):
        return bundle
    aims = {
        name: aim_of(given[name], given[name].get("items") or (), keys) for name in (*fresh, *moved)
    }
    changed = table[table[OFFER_ID].isin([*fresh, *moved, *differs])].reset_index(drop=True)
    wider = widen(model.encoders, aims, fresh, changed)
    known = bundle.customers.query
    return replace(
        bundle,
        offers=_with_rows(bundle.offers, wider),
        recommender=wider_recommender(model, wider),
        customers=replace(
            bundle.customers, query=None if known is None else wider_query(known, wider)
        ),
    )


def _table(
    offers: list[Mapping[str, Any]], before: pd.DataFrame, rows: Mapping[str, int]
) -> pd.DataFrame:
    """Type offers as the model's table is."""
    columns = {
        name: pd.Series([one.get(name) for one in offers], dtype="object") for name in OFFERS.names
    }
    for name in TIMES:
        columns[name] = pd.Series([_time(value) for value in columns[name]])
    table = complete(pd.DataFrame(columns), OFFERS)
    at = [rows.get(str(one[OFFER_ID])) for one in offers]
    for name in before.columns.difference(list(OFFERS.names)):
        was = before[name].tolist()
        stated = [
            one.get(name) if name in one or row is None else was[row]
            for one, row in zip(offers, at, strict=True)
        ]
        table[name] = _own(pd.Series(stated, dtype="object"), before[name])
    return table[before.columns]


def _own(stated: pd.Series[Any], was: pd.Series[Any]) -> pd.Series[Any]:
    """Type a column of the owner's as it was."""
    if pd.api.types.is_datetime64_any_dtype(was):
        times = pd.to_datetime(stated, errors="coerce", utc=True)
        return times if was.dt.tz is not None else times.dt.tz_localize(None)
    if pd.api.types.is_numeric_dtype(was) and not pd.api.types.is_bool_dtype(was):
        return pd.to_numeric(stated, errors="coerce").astype("float64")
    return stated.map(plain, na_action="ignore") if was.dtype == "str" else stated


def _time(value: Any) -> pd.Timestamp | None:
    if value is None or pd.isna(value):
        return None
    if isinstance(value, int | np.integer):
        return pd.Timestamp(int(value), unit="us", tz="UTC")
    return pd.Timestamp(pd.to_datetime(value, utc=True))


def _differing(table: pd.DataFrame, before: pd.DataFrame, rows: Mapping[str, int]) -> list[str]:
    """Return the ids of known offers whose attributes are not those that the model has."""
    known = table[table[OFFER_ID].isin(list(rows))].reset_index(drop=True)
    was = before.iloc[[rows[name] for name in known[OFFER_ID]]].reset_index(drop=True)
    other = np.zeros(len(known), dtype=bool)
    for name in before.columns:
        now, then = known[name], was[name]
        same = ((now == then).fillna(False) | (now.isna() & then.isna())).to_numpy(dtype=bool)
        other |= ~same
    return [str(name) for name in known.loc[other, OFFER_ID]]


def _moved(
    given: Mapping[str, Mapping[str, Any]], model: Recommender, before: pd.DataFrame
) -> list[str]:
    """Return the ids of known offers that are for other items, or state something else, now."""
    keys, rows = model.encoders.keys, model.encoders.offer_rows
    stated = [before[name].astype("object").where(before[name].notna(), None) for name in STATED]
    items_end = keys.rows_of(ITEM).stop
    found = []
    for name in sorted(set(given).intersection(rows)):
        row, offer = rows[name], given[name]
        own = keys.offer_keys.indices[slice(*keys.offer_keys.indptr[row : row + 2])]
        items = {key.partition(":")[2] for key in keys.names[own[own < items_end]].tolist()}
        said = [(offer.get(level) or None) for level in STATED]
        if said != [column[row] for column in stated] or items != set(offer.get("items") or ()):
            found.append(name)
    return found


def _with_rows(before: pd.DataFrame, wider: Wider) -> pd.DataFrame:
    """Put rows among those of the model's table."""
    places, changed = wider.offers, wider.changed
    order = np.empty(len(places), dtype=np.int64)
    order[places.old] = np.arange(len(before))
    order[wider.at] = len(before) + np.arange(len(changed))
    whole = pd.concat([before, changed], ignore_index=True).iloc[order]
    return whole.reset_index(drop=True)
