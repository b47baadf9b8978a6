"""Why an offer is listed, in words, from the very parts its score is the sum of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pandas as pd

from data.schema import OFFER_ID
from recommender.base import Query, Source
from recommender.keys import ITEM
from recommender.model import Recommender

MOST_REASONS = 3


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
        self._recommender = recommender
        titles = offers["title"].fillna(offers[OFFER_ID])
        self._titles = titles.to_numpy(dtype=object)

    @cached_property
    def _unit_factors(self) -> np.ndarray:
        factors = self._recommender.collaborative.factors
        length = np.linalg.norm(factors, axis=1, keepdims=True)
        return np.asarray(factors / np.maximum(length, 1e-12))

    def reasons(self, query: Query, row: int, contributions: Mapping[str, float]) -> list[str]:
        """Explain one offer to one customer.

        Parameters
        ----------
        query : Query
            Of a single customer.
        row : int
            Row of the offer.
        contributions : mapping of str to float
            What each source added; the largest positive ones are put into words.
        """
        order = sorted(Source, key=lambda source: -contributions.get(source, 0.0))
        words: list[str] = []
        for source in order:
            if contributions.get(source, 0.0) <= 0:
                break
            if reason := self._reason(source, query, row):
                words.append(reason)
        return words[:MOST_REASONS] or ["One of the offers that are open to everybody."]

    def _reason(self, source: Source, query: Query, row: int) -> str:
        match source:
            case Source.COLLABORATIVE:
                return self._collaborative(query, row)
            case Source.CONTENT:
                return self._content(query, row)
            case Source.SEGMENT:
                return self._segment(query)
            case Source.DEMOGRAPHIC:
                return self._demographic(query, row)
            case Source.SURVEY:
                return self._survey(query, row)
            case Source.POPULARITY:
                return "Popular with all customers."

    def _collaborative(self, query: Query, row: int) -> str:
        model = self._recommender.collaborative
        taken = query.history.indices[query.history.data > 0]
        other = self._titles[taken] != self._titles[row]
        taken = taken[other & model.trained[taken]]
        if not len(taken) or not model.trained[row]:
            return ""
        alike = self._unit_factors[taken] @ self._unit_factors[row]
        return f"Customers who took up “{self._titles[taken[int(alike.argmax())]]}” take this too."

    def _content(self, query: Query, row: int) -> str:
        keys, weight = self._recommender.content.keys, self._recommender.content.weight
        start, end = keys.offer_keys.indptr[row : row + 2]
        own = keys.offer_keys.indices[start:end]
        money = np.asarray(query.purchases[:, own].todense()).ravel()
        best, text = 0.0, ""
        for level, name in enumerate(keys.levels):
            here = keys.level_of[own] == level
            spent = float(money[here].sum())
            worth = float(weight[level] * np.log1p(spent / keys.unit))
            if worth > best:
                top = str(keys.names[own[here][int(money[here].argmax())]]).partition(":")[2]
                what = "the very items of this offer" if name == ITEM else f"{top} ({name})"
                best, text = worth, f"You spent {spent:,.2f} on {what}."
        if text or not query.history.nnz:
            return text
        return "Like offers you chose before."

    def _segment(self, query: Query) -> str:
        segments = self._recommender.encoders.segments
        if segments is None or not query.segment.nnz:
            return ""
        name = segments.names[int(query.segment.indices[0])]
        return f"Popular with customers like you: {name[:1].lower()}{name[1:]}."

    def _demographic(self, query: Query, row: int) -> str:
        lift = self._recommender.demographic.lift[query.demographic.indices, row]
        if not len(lift) or lift.max() <= 0:
            return ""
        group = int(query.demographic.indices[int(lift.argmax())])
        return f"Popular with your group: {self._recommender.encoders.demographics.names[group]}."

    def _survey(self, query: Query, row: int) -> str:
        lift = self._recommender.survey.lift[query.answers.indices, row]
        if not len(lift) or lift.max() <= 0:
            return ""
        column = int(query.answers.indices[int(lift.argmax())])
        question = self._recommender.encoders.survey.questions[column // 2]
        kind, _, name = question.partition(":")
        what = name if kind == "category" else f"offer {name}"
        return f"Because you said {'no' if column % 2 else 'yes'} to {what}."
