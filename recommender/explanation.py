"""Why an offer is listed, in words, from the very parts its score is the sum of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data.schema import OFFER_ID
from recommender.base import Query, Source
from recommender.model import Recommender
from recommender.serving.grounds import Ground, People
from recommender.serving.lists import Listed
from recommender.serving.reasons import Said

MOST_REASONS = 3
SOURCES = tuple(Source)
NOTHING_ELSE = "One of the offers that are open to everybody."


class Explainer:
    """Reasons for listed offers.

    Parameters
    ----------
    offers : DataFrame
        The offers table in the order of the model's rows.
    recommender : Recommender
        The model whose scores are explained.
    """

    def __init__(self, offers: pd.DataFrame, recommender: Recommender) -> None:
        titles = offers["title"].fillna(offers[OFFER_ID]).to_numpy(dtype=object)
        number = np.unique(titles, return_inverse=True)[1]
        categories = offers["category"].fillna("").to_numpy(dtype=object)
        self._ground = Ground(recommender, titles, number, categories)

    def reasons(self, query: Query, listed: Sequence[Listed]) -> list[list[str]]:
        """Explain the offers of one customer's list.

        Parameters
        ----------
        query : Query
            Of a single customer.
        listed : sequence of Listed
            With their contributions; the largest positive ones are put into words.
        """
        return self.reasons_of_many(query, [listed])[0]

    def reasons_of_many(
        self, query: Query, lists: Sequence[Sequence[Listed]]
    ) -> list[list[list[str]]]:
        """Explain the lists of n customers, each as `reasons` does."""
        people = People(self._ground, query)
        found = []
        for person, listed in enumerate(lists):
            said = Said(people, person, [one.row for one in listed])
            found.append([_largest(said, place, one) for place, one in enumerate(listed)])
        return found


def _largest(said: Said, place: int, one: Listed) -> list[str]:
    """Put the largest positive contributions to an offer into words."""
    parts = one.contributions
    speaking = sorted(
        (source for source in SOURCES if parts.get(source, 0.0) > 0),
        key=parts.__getitem__,
        reverse=True,
    )
    words: list[str] = []
    for source in speaking:
        if reason := said.of(source, place):
            words.append(reason)
            if len(words) == MOST_REASONS:
                break
    return words or [NOTHING_ELSE]
