"""Whoever asks, as queries: a bundle's rows and the facts that came after, many people at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recommender.base import Query
from recommender.bundle import Bundle
from recommender.facts import Encoders, Facts, features_of
from recommender.sparse import picked


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
        The facts are all there are: the bundle's row is not added to them.
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
    people, moment = bundle.customers, bundle.moment
    known = [
        None if one.whole or people.query is None else bundle.customer_ids.row(one.customer_id)
        for one in visitors
    ]
    features = np.array(
        [
            features_of(one.facts, at)
            if row is None
            else features_of(one.facts, at, people.features[row], moment)
            for one, row in zip(visitors, known, strict=True)
        ]
    )
    rows = np.array([-1 if row is None else row for row in known])
    base = encoders.nothing_known if people.query is None else people.query
    return encoders.query_people(
        [one.facts for one in visitors],
        features,
        Query(*(picked(part, rows) for part in base.parts())),
    )
