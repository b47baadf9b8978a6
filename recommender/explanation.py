"""Why an offer is listed, in words, from the very parts its score is the sum of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from data.schema import OFFER_ID
from recommender.base import Query, Source
from recommender.keys import ITEM, LEVELS
from recommender.model import Recommender
from recommender.traits import traits_of

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
        if times := int(query.redeemed[0, row]):
            return f"You took this {times} times before." if times > 1 else "You took this before."
        model = self._recommender.collaborative
        taken = query.history.indices
        taken = taken[(self._titles[taken] != self._titles[row]) & model.trained[taken]]
        if not len(taken) or not model.trained[row]:
            return ""
        code = model.autoencoder
        alike = code.near[taken, :][:, [row]].toarray().ravel()
        if code.left.shape[1]:
            alike = alike + code.left[taken] @ code.right[row]
        best = self._titles[taken[int(alike.argmax())]]
        return f"Customers who took up “{best}” take this too."

    def _content(self, query: Query, row: int) -> str:
        content = self._recommender.content
        keys = content.keys
        start, end = keys.offer_keys.indptr[row : row + 2]
        own = keys.offer_keys.indices[start:end]
        money = query.purchases[:, own].toarray().ravel()
        for level in LEVELS:
            here = keys.level_of[own] == LEVELS.index(level)
            spent = float(money[here].sum())
            if spent > 0:
                top = str(keys.names[own[here][int(money[here].argmax())]]).partition(":")[2]
                what = "the very items of this offer" if level == ITEM else f"{top} ({level})"
                return f"You spent {spent:,.2f} on {what}."
        return "Like offers you chose before." if query.history.nnz else ""

    def _segment(self, query: Query) -> str:
        segments = self._recommender.encoders.segments
        if segments is None or not query.segment.nnz:
            return ""
        name = segments.names[int(query.segment.indices[0])]
        return f"Popular with customers like you: {name[:1].lower()}{name[1:]}."

    def _demographic(self, query: Query, row: int) -> str:
        attribute = self._recommender.encoders.demographics.attribute
        share = self._shares(query, Source.DEMOGRAPHIC, row)[: len(attribute)]
        known = np.unique(attribute[query.demographic.indices].astype(np.str_))
        best = max(known, key=lambda name: share[attribute == name].sum(), default="")
        if not best or share[attribute == best].sum() <= 0:
            return ""
        here = np.flatnonzero(attribute == best)
        told = query.demographic[:, here].toarray().ravel()
        column = here[int(told.argmax())]
        demographics = self._recommender.encoders.demographics
        name, _, value = demographics.names[column].partition("=")
        if not np.isnan(demographics.centre[column]):
            value = f"around {demographics.centre[column]:.0f}"
        return f"Popular with people like you: {name.replace('_', ' ')} {value}."

    def _survey(self, query: Query, row: int) -> str:
        questions = self._recommender.encoders.survey.questions
        if not questions:
            return ""
        share = self._shares(query, Source.SURVEY, row)[-len(questions) :]
        if share.max() <= 0:
            return ""
        best = int(np.argmax(share))
        kind, _, name = questions[best].partition(":")
        what = name if kind == "category" else f"offer {name}"
        said = "yes" if query.answers[0, 2 * best] else "no"
        return f"Because you said {said} to {what}."

    def _shares(self, query: Query, source: Source, row: int) -> np.ndarray:
        """Split what the profile or the answers of a single customer say of an offer."""
        traits = traits_of(query, source, self._recommender.encoders.demographics)
        ridge = self._recommender.profile
        return np.asarray(ridge.coefficients(traits)[0] * ridge.cross[:, row])
