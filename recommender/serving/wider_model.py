"""A model with room for more offers: how the arrays of each source, and of queries, are widened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.schema import OFFER_ID
from recommender.base import Query
from recommender.collaborative import CollaborativeScorer
from recommender.content import ContentScorer
from recommender.encoders import DONE, Encoders
from recommender.features.keys import MERCHANT, KeySpace
from recommender.features.readiness import Readiness
from recommender.model import Recommender
from recommender.popularity import Expectation, PopularityScorer
from recommender.scoring.dependencies import Dependencies
from recommender.scoring.traits import TraitRidge
from recommender.serving.placing import Aim, cross_of, log_rate_of, wider_keys, with_aims
from recommender.serving.widening import Places, with_lines


@dataclass(frozen=True)
class Wider:
    """Where everything goes.

    Attributes
    ----------
    offers, keys, items : Places
    new : list of Aim
        Of the new offers, in the order of their places.
    by_purchases : bool
        Whether to buy counts as to take: then it may be done again.
    category : Series of str
        Of the new offers.
    space : KeySpace
        With all keys, and the key rows of all offers.
    changed : DataFrame
        Rows of the offers table that are new, or are not what they were in training.
    at : ndarray of int, shape (changed,)
        Their places.
    """

    offers: Places
    keys: Places
    items: Places
    new: list[Aim]
    by_purchases: bool
    category: pd.Series[str]
    space: KeySpace
    changed: pd.DataFrame
    at: np.ndarray


def widen(
    encoders: Encoders, aims: Mapping[str, Aim], fresh: list[str], changed: pd.DataFrame
) -> Wider:
    """Find where everything goes.

    Parameters
    ----------
    aims : mapping of str to Aim
        What offers are for, by id: of the new ones, and of those that are for something else now.
    fresh : list of str
        The ids of the new ones, sorted.
    changed : DataFrame
        As in `Wider`.
    """
    keys, places = encoders.keys, Places.among(encoders.offer_ids, fresh)
    space, key_places, item_places = wider_keys(keys, list(aims.values()))
    aimed = np.array([places.rows[name] for name in aims], dtype=np.int64)
    offer_keys = with_aims(places.lines(space.offer_keys), aimed, list(aims.values()), space)
    return Wider(
        offers=places,
        keys=key_places,
        items=item_places,
        new=[aims[name] for name in fresh],
        by_purchases=encoders.by_purchases,
        category=changed.set_index(OFFER_ID)["category"].reindex(fresh),
        space=replace(space, offer_keys=offer_keys),
        changed=changed,
        at=np.array([places.rows[name] for name in changed[OFFER_ID]], dtype=np.int64),
    )


def wider_recommender(model: Recommender, wider: Wider) -> Recommender:
    """Let every source know of the offers as they are now."""
    keys, popularity = model.encoders.keys, model.popularity
    content = _content(model.content, wider)
    expected = np.array([log_rate_of(aim, keys, popularity.expectation) for aim in wider.new])
    attributes = content.attributes[wider.offers.new]
    expected += attributes @ popularity.expectation.effect
    readiness = popularity.expectation.readiness
    expectation = replace(
        popularity.expectation,
        key_money=wider.keys.spread(popularity.expectation.key_money, np.nan),
        item_money=wider.items.spread(popularity.expectation.item_money, np.nan),
        readiness=Readiness(wider.keys.spread(readiness.used), wider.keys.spread(readiness.usual)),
    )
    ready = expectation.readiness.of(wider.space.offer_keys[wider.offers.new])
    later = PopularityScorer(
        wider.offers.spread(popularity.base, expected), expectation, popularity.rated
    )
    return replace(
        model,
        encoders=replace(
            model.encoders,
            offer_ids=wider.offers.names,
            keys=wider.space,
            # What was bought of a new offer is told by the next training.
            counting=wider.offers.spread(model.encoders.counting) > 0,
        ),
        collaborative=_collaborative(model.collaborative, wider, content),
        content=content,
        segment=_ridge(model.segment, keys, wider, attributes, popularity.expectation),
        profile=_ridge(model.profile, keys, wider, attributes, popularity.expectation),
        popularity=later,
        hybrid=replace(
            model.hybrid,
            known=wider.offers.spread(model.hybrid.known),
            trend=wider.offers.spread(model.hybrid.trend),
            ready=wider.offers.spread(model.hybrid.ready, ready),
            unmet=wider.offers.spread(model.hybrid.unmet),
            steep=(later.odds - later.level) / model.hybrid.scale[-1],
        ),
    )


def _collaborative(
    scorer: CollaborativeScorer, wider: Wider, content: ContentScorer
) -> CollaborativeScorer:
    places, space, told = wider.offers, scorer.space, scorer.attributes
    trained = places.spread(scorer.trained)
    points = places.spread(told.points).copy()
    if told.rank:
        rows = wider.at
        changed = rows[~trained[rows]]
        points[changed] = told.place(content.attributes[changed])
    repeatable = places.spread(scorer.repeatable).copy()
    stated = wider.changed["repeatable"].fillna(False).to_numpy(dtype=bool)
    repeatable[wider.at] = stated | wider.by_purchases
    return replace(
        scorer,
        factors=replace(scorer.factors, offers=places.spread(scorer.factors.offers)),
        autoencoder=replace(
            scorer.autoencoder, near=places.columns(places.lines(scorer.autoencoder.near))
        ),
        following=replace(
            scorer.following, near=places.columns(places.lines(scorer.following.near))
        ),
        space=replace(space, left=places.spread(space.left), right=places.spread(space.right)),
        attributes=replace(
            told,
            points=points,
            autoencoder=places.spread(told.autoencoder),
            next=places.spread(told.next),
        ),
        others=Dependencies(
            near=places.columns(places.lines(scorer.others.near)),
            rest=places.spread_columns(scorer.others.rest),
        ),
        # What could be taken once only tells of no habit until it is trained on again.
        habit=places.spread(scorer.habit) * repeatable,
        usual=places.spread(scorer.usual) * repeatable,
        repeatable=repeatable,
        trained=trained,
    )


def _content(scorer: ContentScorer, wider: Wider) -> ContentScorer:
    merchants, own = (
        wider.keys.within(scorer.keys.rows_of(level), wider.space.rows_of(level))
        for level in (MERCHANT, scorer.would.level)
    )
    return replace(
        scorer,
        keys=wider.space,
        attributes=with_lines(
            wider.offers.lines(scorer.attributes),
            wider.at,
            scorer.columns.of(wider.changed, wider.space, wider.at),
        ),
        share=merchants.spread(scorer.share),
        would=replace(scorer.would, near=own.columns(own.lines(scorer.would.near))),
    )


def _ridge(
    ridge: TraitRidge,
    keys: KeySpace,
    wider: Wider,
    attributes: sp.csr_matrix,
    expectation: Expectation,
) -> TraitRidge:
    relatives = ridge.relatives
    like = relatives.kinship.lay_out(attributes, wider.category).toarray()
    cross = [
        cross_of(aim, one, keys, relatives, expectation)
        for aim, one in zip(wider.new, like, strict=True)
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


def wider_query(query: Query, wider: Wider) -> Query:
    """Make room in what is known of customers; of what is new nothing is known."""
    return replace(
        query,
        **{name: wider.offers.columns(getattr(query, name)) for name in DONE},
        **{
            name: wider.keys.columns(getattr(query, name))
            for name in ("purchases", "baskets", "recent")
        },
    )
