"""What each source says of a listed offer, in words: the largest of what its part is made of."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.base import Source
from recommender.features.sparse import entries
from recommender.serving.grounds import People
from recommender.serving.trait_words import TraitWords
from recommender.serving.wording import had_before, spent_on

MANY = 100
NEARLY_NEW = 0.5  # how known an offer is below which readiness speaks for it


class Said:
    """What is said of one customer's list; what several offers need is looked up but once."""

    def __init__(self, people: People, person: int, rows: list[int]) -> None:
        self._people, self._person = people, person
        self._ground, self._recommender = people.ground, people.ground.recommender
        self._rows = np.array(rows, dtype=np.int64)
        self._traits = TraitWords(people, person, self._rows)

    def of(self, source: Source, place: int) -> str:
        """Say what a source says of the offer at a place of the list; empty where nothing."""
        row = int(self._rows[place])
        match source:
            case Source.COLLABORATIVE:
                return self._collaborative(place, row)
            case Source.CONTENT:
                return self._content(row)
            case Source.SEGMENT:
                return self._segment(row)
            case Source.DEMOGRAPHIC:
                told = self._traits.profile[place]
                return told and self._popular_with(row, "people", told)
            case Source.SURVEY:
                return self._traits.answers[place]
            case Source.POPULARITY:
                return self._popularity(row)

    def _popularity(self, row: int) -> str:
        hybrid = self._recommender.hybrid
        if hybrid.ready[row] > 0 and hybrid.known[row] < NEARLY_NEW:
            return "Coupons on goods like these are used often."
        if self._taken(row):
            return "Popular with all customers."
        return (
            "Offers like this are taken often."
            if self._alike(row)
            else "New offers are taken often."
        )

    def _taken(self, row: int) -> bool:
        """Tell whether anybody had taken an offer; of others their relatives tell."""
        return bool(self._ground.taken[row])

    def _alike(self, row: int) -> bool:
        """Tell whether it is known what an offer is like, or what it is for."""
        content = self._recommender.content
        return any(
            table.indptr[row] < table.indptr[row + 1]
            for table in (content.attributes, content.keys.offer_keys)
        )

    def _popular_with(self, row: int, whom: str, what: str) -> str:
        """Say with whom an offer is popular, or offers like it; nothing where none is known."""
        if self._taken(row):
            return f"Popular with {whom} like you: {what}."
        return f"Offers like this are popular with {whom} like you: {what}." * self._alike(row)

    @cached_property
    def _times(self) -> dict[int, float]:
        """How often each offer was taken, by buying as well."""
        return self._cells(self._people.query.redeemed)

    @cached_property
    def _bought(self) -> dict[int, float]:
        """How often each offer was taken by buying what it is for."""
        return self._cells(self._people.query.bought)

    def _cells(self, matrix: sp.csr_matrix) -> dict[int, float]:
        """Return the person's row of a matrix, by column."""
        columns, values = entries(matrix, self._person)
        return dict(zip(columns.tolist(), values.tolist(), strict=True))

    def _collaborative(self, place: int, row: int) -> str:
        if times := int(self._times.get(row, 0)):
            return had_before(times, int(self._bought.get(row, 0)))
        model, title = self._recommender.collaborative, self._speaking[place]
        if not title or not model.told[row]:
            return ""
        this = "this too" if model.trained[row] else "offers like this"
        return f"Customers who took up “{title}” take {this}."

    @cached_property
    def _speaking(self) -> list[str]:
        """The title of what speaks most, of the history, for each listed offer."""
        model, number = self._recommender.collaborative, self._ground.title_number
        taken, fresh = entries(model.fresh(self._people.query.one(self._person)), 0)
        trained = model.trained[taken]
        taken, fresh = taken[trained], fresh[trained]
        if not len(taken):
            return [""] * len(self._rows)
        said = model.speak_for(taken, fresh, self._rows)
        said = np.where(number[taken][:, None] != number[self._rows], said, -np.inf)
        titles = self._ground.titles[taken[said.argmax(axis=0)]]
        return [
            str(title) if there else ""
            for title, there in zip(titles, np.isfinite(said).any(axis=0).tolist(), strict=True)
        ]

    @cached_property
    def _money(self) -> dict[int, float]:
        """Money by purchase key."""
        return self._cells(self._people.query.purchases)

    def _content(self, row: int) -> str:
        content, money = self._recommender.content, self._money
        keys = content.keys
        start, end = keys.offer_keys.indptr[row : row + 2]
        own = keys.offer_keys.indices[start:end]
        if len(own) > MANY:  # an offer may be on thousands of items, of which few were bought
            own = own[np.isin(own, entries(self._people.query.purchases, self._person)[0])]
        bought = [key for key in own.tolist() if money.get(key, 0.0) > 0]
        coarse = keys.rows_of(content.would.level).stop  # where keys begin that many things share
        if min(bought, default=coarse) >= coarse and self._people.foreseen[self._person, row]:
            return "Customers who buy as you do buy this too."
        if not bought:
            return self._liked(row)
        level = keys.levels[bisect_right(self._ground.levels, min(bought)) - 1]
        end = keys.rows_of(level).stop
        return spent_on(keys, level, {key: money[key] for key in bought if key < end})

    def _liked(self, row: int) -> str:
        """Say which attribute of an offer the customer chooses most beyond what everybody does."""
        if not len(entries(self._people.query.history, self._person)[0]):
            return ""
        content = self._recommender.content
        own, value = entries(content.attributes, row)
        lift = self._people.liked[self._person, own] * value
        if not lift.max(initial=0.0) > 0:
            return "Like offers you chose before."
        told = content.columns.told(int(own[lift.argmax()]))
        return f"You take such offers more often than others do: {told}."

    def _segment(self, row: int) -> str:
        return self._belongs_to and self._popular_with(row, "customers", self._belongs_to)

    @cached_property
    def _belongs_to(self) -> str:
        """Name the customer's segment."""
        segments = self._recommender.encoders.segments
        inside = entries(self._people.query.segment, self._person)[0]
        if segments is None or not len(inside):
            return ""
        name = segments.names[int(inside[0])]
        return f"{name[:1].lower()}{name[1:]}"
