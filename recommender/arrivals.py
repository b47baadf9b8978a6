"""Offers that came, or changed, after training: a model that can list them on the next request.

A new offer starts from what training expects of an offer that nobody had a chance to take: its
popularity from what people spend on its items, its traits from those who buy them and who take
offers of its category, its content from its items and attributes. Collaborative filtering cannot
say anything of it. What the model says of other offers stays as it is, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import complete
from data.schema import OFFER_ID, OFFERS, Kind
from recommender.base import Query
from recommender.bundle import Bundle
from recommender.collaborative import CollaborativeScorer
from recommender.content import ContentScorer, offer_attributes
from recommender.keys import ITEM, MERCHANT, STATED, KeySpace
from recommender.model import Recommender
from recommender.placing import Aim, aim_of, cross_of, log_rate_of, wider_keys, with_aims
from recommender.popularity import Expectation, PopularityScorer
from recommender.readiness import Readiness
from recommender.traits import TraitRidge
from recommender.widening import Places, with_lines

TIMES = tuple(column.name for column in OFFERS.columns if column.kind is Kind.TIME)


@dataclass(frozen=True)
class _Wider:
    """Where everything goes.

    Attributes
    ----------
    offers, keys, items : Places
    new : list of Aim
        Of the new offers, in the order of their places.
    categories : list of str or None
        Of the new offers.
    space : KeySpace
        With all keys, and the key rows of all offers.
    """

    offers: Places
    keys: Places
    items: Places
    new: list[Aim]
    categories: list[str | None]
    space: KeySpace


def with_arrivals(bundle: Bundle, offers: Sequence[Mapping[str, Any]]) -> Bundle:
    """Return a model that knows offers as they are now.

    Parameters
    ----------
    bundle : Bundle
        As trained; it is left as it is and shares its large arrays with the result.
    offers : sequence of mappings
        The columns of the offers table, times as Timestamps, ISO 8601 or microseconds since 1970,
        and ``items``: the item ids it applies to. Those that the model has as they are cost little.
        Of offers with the same id the last counts.

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
    table = _table([given[name] for name in sorted(given)])
    differs = _differing(table, bundle.offers, rows)
    keys = model.encoders.keys
    moved = _moved(given, model, bundle.offers)
    fresh = sorted(name for name in given if name not in rows)
    if not fresh and not moved and not len(differs):
        return bundle
    aims = {
        name: aim_of(given[name], given[name].get("items") or (), keys) for name in (*fresh, *moved)
    }
    wider = _widen(keys, model.encoders.offer_ids, aims, fresh, given)
    changed = table[table[OFFER_ID].isin([*fresh, *differs])].reset_index(drop=True)
    at = np.array([wider.offers.rows[name] for name in changed[OFFER_ID]], dtype=np.int64)
    known = bundle.customers.query
    return replace(
        bundle,
        offers=_with_rows(bundle.offers, changed, wider.offers, at),
        recommender=_recommender(model, wider, changed, at),
        customers=replace(
            bundle.customers, query=None if known is None else _wider_query(known, wider)
        ),
    )


def _widen(
    keys: KeySpace,
    ids: np.ndarray,
    aims: Mapping[str, Aim],
    fresh: list[str],
    given: Mapping[str, Mapping[str, Any]],
) -> _Wider:
    places = Places.among(ids, fresh)
    space, key_places, item_places = wider_keys(keys, list(aims.values()))
    at = np.array([places.rows[name] for name in aims], dtype=np.int64)
    offer_keys = with_aims(places.lines(space.offer_keys), at, list(aims.values()), space)
    return _Wider(
        offers=places,
        keys=key_places,
        items=item_places,
        new=[aims[name] for name in fresh],
        categories=[given[name].get("category") for name in fresh],
        space=replace(space, offer_keys=offer_keys),
    )


def _recommender(
    model: Recommender, wider: _Wider, changed: pd.DataFrame, at: np.ndarray
) -> Recommender:
    keys, popularity = model.encoders.keys, model.popularity
    content = _content(model.content, wider, changed, at)
    named = Places.among(
        model.content.attribute_names,
        set(content.attribute_names.tolist()).difference(model.content.attribute_names.tolist()),
    )
    effect = named.spread(popularity.expectation.effect)
    expected = np.array([log_rate_of(aim, keys, popularity.expectation) for aim in wider.new])
    expected += (content.attributes[wider.offers.new] > 0) @ effect
    readiness = popularity.expectation.readiness
    expectation = replace(
        popularity.expectation,
        effect=effect,
        key_money=wider.keys.spread(popularity.expectation.key_money, np.nan),
        item_money=wider.items.spread(popularity.expectation.item_money, np.nan),
        readiness=Readiness(wider.keys.spread(readiness.used), wider.keys.spread(readiness.usual)),
    )
    ready = expectation.readiness.of(wider.space.offer_keys[wider.offers.new])
    return replace(
        model,
        encoders=replace(model.encoders, offer_ids=wider.offers.names, keys=wider.space),
        collaborative=_collaborative(model.collaborative, wider.offers, changed, at),
        content=content,
        segment=_ridge(model.segment, keys, wider, popularity.expectation),
        profile=_ridge(model.profile, keys, wider, popularity.expectation),
        popularity=PopularityScorer(wider.offers.spread(popularity.base, expected), expectation),
        hybrid=replace(
            model.hybrid,
            known=wider.offers.spread(model.hybrid.known),
            trend=wider.offers.spread(model.hybrid.trend),
            ready=wider.offers.spread(model.hybrid.ready, ready),
        ),
    )


def _collaborative(
    scorer: CollaborativeScorer, places: Places, changed: pd.DataFrame, at: np.ndarray
) -> CollaborativeScorer:
    code = scorer.autoencoder
    repeatable = places.spread(scorer.repeatable).copy()
    repeatable[at] = changed["repeatable"].fillna(False).to_numpy(dtype=bool)
    return replace(
        scorer,
        factors=replace(scorer.factors, offers=places.spread(scorer.factors.offers)),
        autoencoder=replace(
            code,
            near=places.columns(places.lines(code.near)),
            left=places.spread(code.left),
            right=places.spread(code.right),
        ),
        # What could be taken once only tells of no habit until it is trained on again.
        habit=places.spread(scorer.habit) * repeatable,
        repeatable=repeatable,
        trained=places.spread(scorer.trained),
    )


def _content(
    scorer: ContentScorer, wider: _Wider, changed: pd.DataFrame, at: np.ndarray
) -> ContentScorer:
    told, names = offer_attributes(changed)
    places = Places.among(
        scorer.attribute_names, set(names.tolist()).difference(scorer.attribute_names.tolist())
    )
    column = np.array([places.rows[name] for name in names.tolist()], dtype=told.indices.dtype)
    lines = sp.csr_matrix(
        (told.data, column[told.indices], told.indptr), shape=(len(changed), len(places))
    )
    merchants, own = (
        wider.keys.within(scorer.keys.rows_of(level), wider.space.rows_of(level))
        for level in (MERCHANT, scorer.would.level)
    )
    return replace(
        scorer,
        keys=wider.space,
        attributes=with_lines(wider.offers.lines(places.columns(scorer.attributes)), at, lines),
        attribute_names=places.names,
        share=merchants.spread(scorer.share),
        would=replace(scorer.would, near=own.columns(own.lines(scorer.would.near))),
    )


def _ridge(
    ridge: TraitRidge, keys: KeySpace, wider: _Wider, expectation: Expectation
) -> TraitRidge:
    relatives = ridge.relatives
    cross = [
        cross_of(aim, category, keys, relatives, expectation)
        for aim, category in zip(wider.new, wider.categories, strict=True)
    ]
    return replace(
        ridge,
        cross=wider.offers.spread_columns(ridge.cross, np.array(cross).T),
        rate=wider.offers.spread(ridge.rate, relatives.rate),
        relatives=replace(
            relatives,
            by_key=wider.keys.spread_columns(relatives.by_key),
            interest=wider.keys.spread(relatives.interest),
        ),
    )


def _wider_query(query: Query, wider: _Wider) -> Query:
    return replace(
        query,
        **{name: wider.offers.columns(getattr(query, name)) for name in ("history", "redeemed")},
        **{
            name: wider.keys.columns(getattr(query, name))
            for name in ("purchases", "baskets", "recent")
        },
    )


def _table(offers: list[Mapping[str, Any]]) -> pd.DataFrame:
    """Type offers as the offers table of a dataset is."""
    columns = {
        name: pd.Series([one.get(name) for one in offers], dtype="object") for name in OFFERS.names
    }
    for name in TIMES:
        columns[name] = pd.Series([_time(value) for value in columns[name]])
    return complete(pd.DataFrame(columns), OFFERS)


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
    for name in OFFERS.names:
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


def _with_rows(
    before: pd.DataFrame, changed: pd.DataFrame, places: Places, at: np.ndarray
) -> pd.DataFrame:
    """Put rows among those of the model's table; attributes of its own stay with their offers."""
    order = np.empty(len(places), dtype=np.int64)
    order[places.old] = np.arange(len(before))
    own = before.drop(columns=list(OFFERS.names))
    kept = own.reindex(places.spread(np.arange(len(before)), -1))
    order[at] = len(before) + np.arange(len(changed))
    whole = pd.concat([before[list(OFFERS.names)], changed], ignore_index=True).iloc[order]
    return pd.concat([whole.reset_index(drop=True), kept.reset_index(drop=True)], axis=1)
