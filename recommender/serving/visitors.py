"""Whoever asks, as queries: a bundle's rows and the facts that came after, many people at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.schema import SPENDING_SCORE
from recommender.base import Query
from recommender.bundle import Bundle
from recommender.encoders import Encoders
from recommender.facts import Facts
from recommender.features.sparse import picked
from segmentation.features import FEATURES, features_of_one


@dataclass(frozen=True)
class Visitor:
    """A person at the door.

    Attributes
    ----------
    customer_id : str
        External id.
    facts : Facts
        Profile and answers as they are now; interactions and purchases that the bundle does not
        hold.
    whole : bool
        The facts are all there are: the bundle's row is not added to them. What the bundle
        concluded, an alarm or a spending score, stays.
    """

    customer_id: str
    facts: Facts
    whole: bool = False


def queries(
    bundle: Bundle, encoders: Encoders, visitors: Sequence[Visitor], at: pd.Timestamp
) -> Query:
    """Build the queries of some people, a row each.

    Parameters
    ----------
    at : Timestamp
        The moment the lists are for.
    """
    people = bundle.customers.query
    base = encoders.nothing_known if people is None else people
    rows = np.array([-1 if people is None else _row(bundle, one) for one in visitors])
    told = np.where([one.whole for one in visitors], -1, rows)
    known = Query(*(picked(part, told) for part in base.parts()))
    return encoders.query_people(
        [one.facts for one in visitors],
        np.array([features_now(bundle, one, at) for one in visitors]),
        replace(known, flagged=picked(base.flagged, rows)),
        bundle.repeatable,
    )


def features_now(bundle: Bundle, visitor: Visitor, at: pd.Timestamp) -> np.ndarray:
    """Return a person's six features: a bundle's, and what came after them."""
    row, people = _row(bundle, visitor), bundle.customers
    profile, purchases = visitor.facts.profile, visitor.facts.purchases
    if row < 0:
        return features_of_one(profile, purchases, at)
    if not visitor.whole:
        known, first = people.features[row], people.first_bought[row]
        return features_of_one(profile, purchases, at, known, first)
    derived = np.full(len(FEATURES), np.nan)
    score = FEATURES.index(SPENDING_SCORE)
    derived[score] = people.features[row, score]
    return features_of_one(profile, purchases, at, derived)


def _row(bundle: Bundle, visitor: Visitor) -> int:
    row = bundle.customer_ids.row(visitor.customer_id)
    return -1 if row is None else row
