"""Customers of a past moment as they were, and as if less, or survey answers, had been known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from recommender.base import Query
from recommender.fitting.fitted import Fitted
from recommender.model import information
from recommender.past.layout import Layout

MASKED_WEIGHT = 0.3  # a list with knowledge masked counts less than the real one
ASKED, ANSWERED = 12, 6  # a masked customer answered 6 of the 12 most informative questions


@dataclass(frozen=True)
class Variant:
    """What is known of the customers of some lists.

    Attributes
    ----------
    query : Query
        As it was, or as if it were.
    candidate : ndarray of bool, shape (n, c)
        The candidates; an offer that a question was about is none.
    weight : float
        How much a list counts.
    """

    query: Query
    candidate: np.ndarray
    weight: float

    def take(self, rows: np.ndarray) -> Variant:
        """Return some of the customers."""
        return replace(self, query=self.query.take(rows), candidate=self.candidate[rows])


def make_variants(fitted: Fitted, part: Layout, seed: int, answered: bool = True) -> list[Variant]:
    """Return the customers as they were first, then as if less had been known.

    Where there is nothing to leave out nothing new is said: such variants are one that counts more.

    Parameters
    ----------
    answered : bool
        Whether they are also as if a survey had been answered.
    """
    query = fitted.query.take(part.rows)
    no_purchases = replace(query.without_purchases(), segment=fitted.profile_segment[part.rows])
    silent = no_purchases.without_history().without_answers()
    variants = [Variant(query, part.candidate, 1.0)]
    less = [query.without_history(), no_purchases, silent]
    told = [(known, part.candidate) for known in less]
    if answered:
        answers, candidate = _some_answers(fitted, part, seed)
        told.append((replace(silent, answers=answers), candidate))
    for known, open_then in told:
        for place, other in enumerate(variants):
            if other.query.equals(known) and np.array_equal(other.candidate, open_then):
                variants[place] = replace(other, weight=other.weight + MASKED_WEIGHT)
                break
        else:
            variants.append(Variant(known, open_then, MASKED_WEIGHT))
    return variants


def _some_answers(fitted: Fitted, part: Layout, seed: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """Let customers answer a few questions, drawn at random from what a survey would ask.

    Of a category their past tells; of an offer also what they took later, which is why an offer
    that was asked about is no candidate then.

    Returns
    -------
    answers : csr_matrix, shape (n, 2 · questions)
    candidate : ndarray of bool, shape (n, c)
    """
    survey = fitted.recommender.encoders.survey
    asked = np.argsort(-information(fitted.recommender), kind="stable")[:ASKED]
    order = np.random.default_rng(seed).random((len(part.rows), len(asked))).argsort(axis=1)
    behaved = fitted.behaved[part.rows].toarray() > 0
    answers = np.zeros(behaved.shape, dtype=bool)
    candidate = part.candidate.copy()
    for number, question in enumerate(asked.tolist()):
        told = order[:, number] < ANSWERED
        yes, no = behaved[:, 2 * question], behaved[:, 2 * question + 1]
        offer = survey.offer_of(question, fitted.recommender.encoders.offer_rows)
        if offer is not None:
            here = part.columns == offer
            later = (here & part.taken).any(axis=1)
            yes, no = yes | later, ~(yes | later)
            candidate &= ~(here & told[:, None])
        answers[:, 2 * question], answers[:, 2 * question + 1] = told & yes, told & no
    return sp.csr_matrix(answers, dtype=np.float64), candidate
