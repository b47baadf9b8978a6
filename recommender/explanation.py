"""Why an offer is listed, in words, from the very parts its score is the sum of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from data.schema import OFFER_ID
from recommender.base import Query, Source
from recommender.keys import ITEM, LEVELS
from recommender.lists import Listed
from recommender.model import Recommender
from recommender.traits import traits_of

MOST_REASONS = 3
NEARLY_NEW = 0.5  # how known an offer is below which readiness speaks for it
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
        self._recommender = recommender
        titles = offers["title"].fillna(offers[OFFER_ID])
        self._titles = titles.to_numpy(dtype=object)

    def reasons(self, query: Query, listed: Sequence[Listed]) -> list[list[str]]:
        """Explain the offers of one customer's list.

        Parameters
        ----------
        query : Query
            Of a single customer.
        listed : sequence of Listed
            With their contributions; the largest positive ones are put into words.
        """
        customer = _Customer(self._recommender, self._titles, query)
        return [customer.reasons(one.row, one.contributions) for one in listed]


class _Customer:
    """What is known of one customer, looked up once for a whole list."""

    def __init__(self, recommender: Recommender, titles: np.ndarray, query: Query) -> None:
        self._recommender, self._titles, self._query = recommender, titles, query

    def reasons(self, row: int, contributions: Mapping[str, float]) -> list[str]:
        """Put the largest positive contributions to one offer into words."""
        speaking = [source for source in Source if contributions.get(source, 0.0) > 0]
        speaking.sort(key=lambda source: -contributions[source])
        words = [reason for source in speaking if (reason := self._reason(source, row))]
        return words[:MOST_REASONS] or [NOTHING_ELSE]

    def _reason(self, source: Source, row: int) -> str:
        match source:
            case Source.COLLABORATIVE:
                return self._collaborative(row)
            case Source.CONTENT:
                return self._content(row)
            case Source.SEGMENT:
                return self._segment
            case Source.DEMOGRAPHIC:
                return self._demographic(row)
            case Source.SURVEY:
                return self._survey(row)
            case Source.POPULARITY:
                return self._popularity(row)

    def _popularity(self, row: int) -> str:
        hybrid = self._recommender.hybrid
        if hybrid.ready[row] > 0 and hybrid.known[row] < NEARLY_NEW:
            return "Coupons on goods like these are used often."
        return "Popular with all customers."

    @cached_property
    def _times(self) -> dict[int, int]:
        """How often each offer was taken."""
        done = self._query.redeemed
        return dict(zip(done.indices.tolist(), done.data.astype(int).tolist(), strict=True))

    def _collaborative(self, row: int) -> str:
        if times := self._times.get(row, 0):
            return f"You took this {times} times before." if times > 1 else "You took this before."
        model = self._recommender.collaborative
        taken = self._query.history.indices
        taken = taken[(self._titles[taken] != self._titles[row]) & model.trained[taken]]
        if not len(taken) or not model.trained[row]:
            return ""
        best = self._titles[taken[int(model.autoencoder.speaks_for(taken, row).argmax())]]
        return f"Customers who took up “{best}” take this too."

    @cached_property
    def _money(self) -> dict[int, float]:
        """Money by purchase key."""
        spend = self._query.purchases
        return dict(zip(spend.indices.tolist(), spend.data.tolist(), strict=True))

    def _content(self, row: int) -> str:
        keys = self._recommender.content.keys
        start, end = keys.offer_keys.indptr[row : row + 2]
        own = keys.offer_keys.indices[start:end]
        # An offer may be on thousands of items, of which a customer has bought few.
        bought = own[np.isin(own, self._query.purchases.indices)]
        for number, level in enumerate(LEVELS):
            spent = {
                key: self._money[key]
                for key in bought[keys.level_of[bought] == number].tolist()
                if self._money[key] > 0
            }
            if spent:
                top = str(keys.names[max(spent, key=lambda key: spent[key])]).partition(":")[2]
                what = "the very items of this offer" if level == ITEM else f"{top} ({level})"
                return f"You spent {sum(spent.values()):,.2f} on {what}."
        return "Like offers you chose before." if self._query.history.nnz else ""

    @cached_property
    def _segment(self) -> str:
        segments = self._recommender.encoders.segments
        if segments is None or not self._query.segment.nnz:
            return ""
        name = segments.names[int(self._query.segment.indices[0])]
        return f"Popular with customers like you: {name[:1].lower()}{name[1:]}."

    @cached_property
    def _attributes(self) -> list[tuple[np.ndarray, str]]:
        """Columns of each known attribute, and the sentence it would give."""
        demographics = self._recommender.encoders.demographics
        member = self._query.demographic
        told = dict(zip(member.indices.tolist(), member.data.tolist(), strict=True))
        found = []
        for best in sorted({str(demographics.attribute[column]) for column in told}):
            here = np.flatnonzero(demographics.attribute == best)
            column = max(here.tolist(), key=lambda place: told.get(place, 0.0))
            name, _, value = demographics.names[column].partition("=")
            if not np.isnan(demographics.centre[column]):
                value = f"around {demographics.centre[column]:.0f}"
            found.append((here, f"Popular with people like you: {name.replace('_', ' ')} {value}."))
        return found

    def _demographic(self, row: int) -> str:
        share = self._by_profile * self._recommender.profile.cross[:, row]
        adds = [(float(share[here].sum()), words) for here, words in self._attributes]
        most, words = max(adds, key=lambda pair: pair[0], default=(0.0, ""))
        return words if most > 0 else ""

    def _survey(self, row: int) -> str:
        questions = self._recommender.encoders.survey.questions
        if not questions:
            return ""
        last = slice(-len(questions), None)
        share = self._by_answers[last] * self._recommender.profile.cross[last, row]
        if share.max() <= 0:
            return ""
        best = int(np.argmax(share))
        encoders = self._recommender.encoders
        about = encoders.survey.offer_of(best, encoders.offer_rows)
        what = questions[best].partition(":")[2] if about is None else f"“{self._titles[about]}”"
        said = "yes" if 2 * best in self._query.answers.indices else "no"
        return f"Because you said {said} to {what}."

    @cached_property
    def _by_profile(self) -> np.ndarray:
        """What each column of the profile counts."""
        return self._counts(Source.DEMOGRAPHIC)

    @cached_property
    def _by_answers(self) -> np.ndarray:
        """What each column counts where the answers do as well."""
        return self._counts(Source.SURVEY)

    def _counts(self, source: Source) -> np.ndarray:
        traits = traits_of(self._query, source, self._recommender.encoders.demographics)
        return np.asarray(self._recommender.profile.coefficients(traits)[0])
