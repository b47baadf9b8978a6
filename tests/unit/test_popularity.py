"""Rates by group: what groups share, what one answer says alone, and what is not known yet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from recommender.popularity import Chances, RateScorer, estimate_rates
from recommender.survey import Survey, relate_answers

QUESTIONS = ("category:travel", "category:food", "offer:o1")
SURVEY = Survey(QUESTIONS, tuple("?" * len(QUESTIONS)))


def answered(n: int = 400) -> tuple[sp.csr_matrix, Chances, np.ndarray]:
    """Half of the customers like travel, half food; the third and sixth offer nobody has seen."""
    random = np.random.default_rng(0)
    category = np.array(["travel"] * 3 + ["food"] * 3)
    likes_travel = np.arange(n) % 2 == 0
    rate = np.where((category == "travel") == likes_travel[:, None], 0.2, 0.02)
    shown = np.ones((n, 6))
    shown[:, [2, 5]] = 0
    events = (random.random((n, 6)) < rate) * shown
    answers = np.zeros((n, SURVEY.n_columns))
    answers[likes_travel, 0] = answers[~likes_travel, 1] = 1
    answers[~likes_travel, 2] = answers[likes_travel, 3] = 1
    chances = Chances(
        events=sp.csr_matrix(events),
        shown=sp.csr_matrix(shown),
        live=np.ones(6),
        spend=sp.csr_matrix((n, 6)),
        placed=np.ones(6, dtype=bool),
    )
    return sp.csr_matrix(answers), chances, category


def test_an_answer_speaks_of_the_offers_of_its_category() -> None:
    relation = relate_answers(SURVEY, pd.Series(["travel", "food", None]))
    assert relation[:4].tolist() == [[1, 0, 0], [2, 0, 0], [0, 1, 0], [0, 2, 0]]
    assert not relation[4:].any()


def test_an_offer_nobody_has_seen_is_lifted_like_those_of_its_category() -> None:
    answers, chances, category = answered()
    rates = estimate_rates(chances)
    relation = relate_answers(SURVEY, pd.Series(category))
    plain, related = rates.lift(answers), rates.lift(answers, relation)
    assert plain[0, 2] == pytest.approx(0, abs=0.05)  # nothing is known of it
    assert related[0, 2] > 0.3
    assert related[1, 2] < -0.3
    assert related[2, 5] > 0.3
    # What has been seen speaks for itself.
    np.testing.assert_allclose(related[[0, 2]][:, [0, 3]], plain[[0, 2]][:, [0, 3]], atol=0.3)


def test_a_lift_that_stands_alone_counts_whole_and_shared_ones_by_their_root() -> None:
    lift = np.array([[1.0, 0.0], [0.5, 0.8], [0.0, 0.4]])
    alone = np.array([[True, False], [False, False], [False, False]])
    scorer = RateScorer("survey", np.zeros(2), lift, alone)

    class Answers:
        answers = sp.csr_matrix([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])

    score = scorer.score(Answers())  # type: ignore[arg-type]
    assert score[0].tolist() == pytest.approx([1.0 + 0.5 / np.sqrt(3), 1.2 / np.sqrt(3)])
    assert np.isnan(score[1]).all()
