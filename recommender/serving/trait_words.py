"""What somebody's profile, purchases and answers say of listed offers, in words."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from data.schema import ABOUT_CATEGORY
from recommender.features.numbers import around
from recommender.features.sparse import entries
from recommender.serving.grounds import People


class TraitWords:
    """Which trait of one customer speaks most for each offer of a list.

    Parameters
    ----------
    people : People
    person : int
    rows : ndarray of int, shape (k,)
        The listed offers.
    """

    def __init__(self, people: People, person: int, rows: np.ndarray) -> None:
        self._people, self._person, self._rows = people, person, rows
        self._ground, self._recommender = people.ground, people.ground.recommender

    @cached_property
    def profile(self) -> list[str]:
        """What speaks most for each offer: ``city turin``, or ``much spent on travel``."""
        known = self._stated | self._bought
        if not known:
            return [""] * len(self._rows)
        share = self._people.by_profile[self._person][:, None] * self._cross()
        adds = np.stack([share[columns].sum(axis=0) for columns in known.values()])
        more = share.sum(axis=0) > 0  # than usual: what most people have counts without that
        words = list(known)
        return [
            words[best] if more[place] and adds[best, place] > 0 else ""
            for place, best in enumerate(adds.argmax(axis=0).tolist())
        ]

    @property
    def _stated(self) -> dict[str, np.ndarray]:
        """What the profile states, in words, with the columns of each attribute."""
        demographics = self._recommender.encoders.demographics
        columns, values = entries(self._people.query.demographic, self._person)
        told = dict(zip(columns.tolist(), values.tolist(), strict=True))
        found = {}
        for attribute, here in self._ground.attributes:
            column = max(here.tolist(), key=lambda place: told.get(place, 0.0))
            if column in told:
                value = demographics.value(column)
                if not np.isnan(centre := demographics.centre[column]):
                    value = around(centre)
                found[f"{attribute.replace('_', ' ')} {value}"] = here
        return found

    @property
    def _bought(self) -> dict[str, np.ndarray]:
        """What more is spent on than others do, in words, with the columns of all goods."""
        encoders = self._recommender.encoders
        demographics, wallet = encoders.demographics, encoders.wallet
        (lift,), _ = wallet.lifts(self._people.query.wallet[[self._person]])
        if not lift.max(initial=0.0) > 0:
            return {}
        first = len(demographics.names) + len(demographics.crosses)
        told = f"much spent on {wallet.names[lift.argmax()]}"
        return {told: np.arange(first, first + len(lift))}

    @cached_property
    def answers(self) -> list[str]:
        """Which answer speaks most for each offer, in words."""
        survey = self._recommender.encoders.survey
        if not survey.questions:
            return [""] * len(self._rows)
        last = slice(-len(survey.questions), None)
        share = self._people.by_answers[self._person][last, None] * self._cross()[last]
        given = set(entries(self._people.query.answers, self._person)[0].tolist())
        # Who says no to something is listed it for other reasons, if at all.
        refused = [column // 2 for column in given if column % 2]
        if refused:
            share[refused] = np.where(self._asks_about(refused), -np.inf, share[refused])
        return [
            self._because(best, given) if share[best, place] > 0 else ""
            for place, best in enumerate(share.argmax(axis=0).tolist())
        ]

    def _asks_about(self, questions: list[int]) -> np.ndarray:
        """Tell which questions ask about a listed offer, or its category: shape (questions, k)."""
        encoders = self._recommender.encoders
        names = np.array([encoders.survey.questions[one] for one in questions], dtype=object)
        about = [encoders.survey.offer_of(one, encoders.offer_rows) for one in questions]
        own = np.array([-1 if row is None else row for row in about], dtype=np.int64)
        category = ABOUT_CATEGORY + self._ground.categories[self._rows]
        return np.asarray((own[:, None] == self._rows) | (names[:, None] == category))

    def _because(self, question: int, given: set[int]) -> str:
        encoders = self._recommender.encoders
        about = encoders.survey.offer_of(question, encoders.offer_rows)
        name = encoders.survey.questions[question].partition(":")[2]
        what = name if about is None else f"“{self._ground.titles[about]}”"
        return f"Because you said {'yes' if 2 * question in given else 'no'} to {what}."

    def _cross(self) -> np.ndarray:
        """Return what the columns say of the listed offers: shape (columns, k)."""
        return np.asarray(self._recommender.profile.cross[:, self._rows])
