"""Which question to put next: the one whose answer is expected to improve the list the most.

The ridge that scores profiles and answers says it all. Given what is known of a customer, it gives
the chance of a "yes" to every open question and how far either answer would move every offer. The
value of a list is what it is expected to bring, discounted by position; a question is worth what
the better of two lists, one after "yes" and one after "no", is expected to bring above the list as
it stands (expected value of information; Raiffa & Schlaifer 1961).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from recommender.base import Query, Source
from recommender.model import Recommender
from recommender.scoring.traits import FLOOR, traits_of
from recommender.survey import Survey

LIKELY = 200  # offers that a question is judged by: the best as it stands
LOOKED_AT = 24  # questions whose lists are made: those that move the likely offers most
DEPTH = 20  # length of the lists that are compared
ENOUGH = 0.02  # of what the best first question to a stranger is worth: the list is settled
SURE = 0.02  # no answer is ever more certain than this leaves open


@dataclass(frozen=True)
class _Prospect:
    """What is expected of one customer, for q open questions and l likely offers.

    Attributes
    ----------
    question : ndarray of int, shape (q,)
        Which questions.
    chance : ndarray of float, shape (q,)
        Of a "yes".
    doubt : ndarray of float, shape (q,)
        What is left of the doubt about each answer where some are taken as known: 1 at first.
    shared : ndarray of float, shape (q, q)
        Products of the questions' columns that what is known leaves unexplained.
    penalty : ndarray of float, shape (q,)
        Of each question's column.
    moved : ndarray of float, shape (q, l)
        Products of the questions' columns and the offers', of the same kind.
    own : ndarray of bool, shape (q, l)
        The offer that a question is about, which tells nothing of other offers.
    value : ndarray of float, shape (l,)
        What each offer is expected to bring.
    worth : ndarray of float, shape (l,)
        What a redemption per customer is worth in `value`.
    """

    question: np.ndarray
    chance: np.ndarray
    doubt: np.ndarray
    shared: np.ndarray
    penalty: np.ndarray
    moved: np.ndarray
    own: np.ndarray
    value: np.ndarray
    worth: np.ndarray

    def gains(self) -> tuple[np.ndarray, np.ndarray]:
        """Return places of the questions that move most, and what each is worth."""
        effect = self.moved / (np.diag(self.shared) + self.penalty)[:, None] * self.worth
        effect *= np.sqrt(self.doubt)[:, None]
        effect[self.own] = 0.0
        moves = self.chance * (1.0 - self.chance) * (effect**2).sum(axis=1)
        places = np.argsort(-moves, kind="stable")[:LOOKED_AT]
        chance = self.chance[places, None]
        stands = np.where(self.own[places], 0.0, self.value)
        after_yes = _list_value(stands + effect[places] * (1.0 - chance))
        after_no = _list_value(stands - effect[places] * chance)
        expected = chance[:, 0] * after_yes + (1.0 - chance[:, 0]) * after_no
        return places, expected - _list_value(stands)

    def knowing(self, place: int) -> _Prospect:
        """Return what would be expected if one more answer were known, whichever it is."""
        share = self.shared[place] / (self.shared[place, place] + self.penalty[place])
        shared = self.shared - np.outer(share, self.shared[place])
        before, after = np.diag(self.shared), np.diag(shared)
        left = np.divide(after, before, out=np.zeros(len(after)), where=before > 0)
        rest = np.arange(len(self.question)) != place
        return replace(
            self,
            question=self.question[rest],
            chance=self.chance[rest],
            doubt=(self.doubt * np.clip(left, 0.0, 1.0))[rest],
            shared=shared[np.ix_(rest, rest)],
            penalty=self.penalty[rest],
            moved=(self.moved - np.outer(share, self.moved[place]))[rest],
            own=self.own[rest],
        )


@dataclass(frozen=True)
class Asking:
    """Chooses questions by the matrices of a recommender.

    Attributes
    ----------
    recommender : Recommender
    offers : ndarray of bool, shape (offers,)
        What lists may hold: what a question tells of other offers is worth nothing now.
    """

    recommender: Recommender
    offers: np.ndarray

    def next_questions(self, query: Query, skipped: Collection[int] = (), n: int = 3) -> list[int]:
        """Choose the questions worth asking a customer next, the best first.

        Each further one is chosen as if the answers to those before it were known. What was
        answered or redeemed is not asked again.

        Parameters
        ----------
        query : Query
            Of one customer.
        skipped : collection of int
            Rows of questions that the customer would not answer.
        n : int
            How many at most.

        Returns
        -------
        list of int
            Rows of the survey's questions; empty where the list is settled.
        """
        chosen: list[int] = []
        open_questions = self._open(query, skipped)
        if not len(open_questions) or not self.offers.any():
            return chosen
        prospect = self._prospect(query, open_questions)
        while len(chosen) < min(n, len(open_questions)):
            places, gains = prospect.gains()
            best = int(gains.argmax())
            if gains[best] <= ENOUGH * self.first_gain:
                break
            chosen.append(int(prospect.question[places[best]]))
            prospect = prospect.knowing(int(places[best]))
        return chosen

    @cached_property
    def first_gain(self) -> float:
        """What the best question is worth for a customer of whom nothing is known."""
        everything = np.arange(len(self._survey.questions))
        if not len(everything):
            return 0.0
        nothing = np.zeros(len(self.recommender.profile.mean))
        return float(self._expect(nothing, nothing > 0, everything).gains()[1].max())

    @property
    def _survey(self) -> Survey:
        return self.recommender.encoders.survey

    @cached_property
    def _about(self) -> np.ndarray:
        """Row of the offer that each question is about; -1 where it is about something else."""
        rows = self.recommender.encoders.offer_rows
        found = [self._survey.offer_of(q, rows) for q in range(len(self._survey.questions))]
        return np.array([-1 if row is None else row for row in found], dtype=np.int64)

    def _open(self, query: Query, skipped: Collection[int]) -> np.ndarray:
        open_questions = np.ones(len(self._survey.questions), dtype=bool)
        open_questions[query.answers.indices // 2] = False
        open_questions[list(skipped)] = False
        open_questions &= ~np.isin(self._about, query.redeemed.indices)
        return np.flatnonzero(open_questions)

    def _prospect(self, query: Query, questions: np.ndarray) -> _Prospect:
        encoders = self.recommender.encoders
        traits = traits_of(query, Source.SURVEY, encoders.demographics, encoders.wallet)
        return self._expect(traits.value[0], traits.known[0], questions)

    def _expect(self, value: np.ndarray, known: np.ndarray, questions: np.ndarray) -> _Prospect:
        ridge, base = self.recommender.profile, self.recommender.popularity.base
        here = np.flatnonzero(known)
        columns = len(ridge.mean) - len(self._survey.questions) + questions
        centred = value[here] - ridge.mean[here]
        left = ridge.gram[np.ix_(here, here)] + np.diag(ridge.penalty[here])
        between = ridge.gram[np.ix_(here, columns)]
        solved = np.linalg.solve(left, np.column_stack([between, centred]))
        counts = solved[:, -1]
        low, high = FLOOR * ridge.rate, 1.0 - FLOOR * (1.0 - ridge.rate)
        rate = np.clip(ridge.rate + counts @ ridge.cross[here], low, high)
        worth = np.exp(base - base.max()) / ridge.rate
        candidates = np.flatnonzero(self.offers)
        order = np.argsort(-(worth * rate)[candidates], kind="stable")
        best = candidates[order[:LIKELY]]
        chance = ridge.mean[columns] + counts @ between
        explained = solved[:, :-1].T
        return _Prospect(
            question=questions,
            chance=np.clip(chance, SURE, 1.0 - SURE),
            doubt=np.ones(len(questions)),
            shared=ridge.gram[np.ix_(columns, columns)] - explained @ between,
            penalty=ridge.penalty[columns],
            moved=ridge.cross[np.ix_(columns, best)] - explained @ ridge.cross[np.ix_(here, best)],
            own=self._about[questions][:, None] == best,
            value=(worth * rate)[best],
            worth=worth[best],
        )


def _list_value(values: np.ndarray) -> np.ndarray:
    """Return what the best list out of each row of values brings: shape (n,)."""
    depth = min(DEPTH, values.shape[1])
    best = np.partition(values, values.shape[1] - depth, axis=1)[:, -depth:]
    best.sort(axis=1)
    return np.asarray(np.maximum(best[:, ::-1], 0.0) @ (1.0 / np.log2(np.arange(depth) + 2.0)))
