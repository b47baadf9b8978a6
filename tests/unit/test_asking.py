"""Which question comes next: worth what its answer changes, given what is known by then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from data.dataset import Dataset
from recommender.base import Query
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.model import Recommender
from recommender.service import Service
from recommender.serving.asking import Asking
from recommender.survey import Survey, build_survey


@pytest.fixture(scope="module")
def recommender(small_service: Service) -> Recommender:
    return small_service.recommender


@pytest.fixture(scope="module")
def asking(recommender: Recommender) -> Asking:
    return Asking(recommender, np.ones(recommender.n_offers, dtype=bool))


@pytest.fixture(scope="module")
def stranger(small_service: Service, small_bundle: Bundle) -> Query:
    return small_service.query("nobody", Facts(), small_bundle.moment)


def answered(stranger: Query, answers: dict[int, bool]) -> Query:
    """Return the query of somebody of whom only answers are known."""
    row = np.zeros(stranger.answers.shape)
    row[0, [2 * question + (not yes) for question, yes in answers.items()]] = 1.0
    return replace(stranger, answers=sp.csr_matrix(row))


def rules(recommender: Recommender, moves: np.ndarray, share: np.ndarray) -> Recommender:
    """Return a recommender of four questions only, each of which moves offers on its own.

    Parameters
    ----------
    moves : ndarray of float, shape (4, offers)
        Products of each question's column and the offers'.
    share : ndarray of float, shape (4,)
        Of customers who say yes.
    """
    first = len(recommender.profile.mean) - len(recommender.encoders.survey.questions)
    n, offers = first + 4, recommender.n_offers
    mean, cross = np.zeros(n), np.zeros((n, offers))
    mean[first:], cross[first:] = share, moves
    survey = Survey(
        tuple(f"category:{i}" for i in range(4)), tuple(f"Question {i}?" for i in "abcd")
    )
    ridge = replace(
        recommender.profile,
        mean=mean,
        gram=100.0 * np.eye(n),
        cross=cross,
        penalty=np.ones(n),
        rate=np.full(offers, 0.3),
    )
    return replace(
        recommender,
        encoders=replace(recommender.encoders, survey=survey),
        profile=ridge,
        popularity=replace(recommender.popularity, base=np.zeros(offers)),
    )


def asked_of(made: Recommender, stranger: Query, **more: object) -> list[int]:
    query = replace(stranger, answers=sp.csr_matrix((1, 8)))
    offers = np.ones(made.n_offers, dtype=bool)
    return Asking(made, offers).next_questions(query, n=4, **more)  # type: ignore[arg-type]


def halves(offers: int) -> np.ndarray:
    """Return a move that parts the offers into two halves."""
    return np.where(np.arange(offers) % 2 == 0, 10.0, -10.0)


def test_the_answer_that_moves_lists_most_is_asked_for_first(
    recommender: Recommender, stranger: Query
) -> None:
    part = halves(recommender.n_offers)
    moves = np.array([0.2 * part, 0.0 * part, part, 0.5 * part])
    made = rules(recommender, moves, np.full(4, 0.5))
    # What moves nothing is never asked for.
    assert asked_of(made, stranger) == [2, 3, 0]


def test_an_answer_that_is_known_beforehand_is_worth_less(
    recommender: Recommender, stranger: Query
) -> None:
    moves = np.tile(halves(recommender.n_offers), (4, 1))
    made = rules(recommender, moves, np.array([0.02, 0.9, 0.5, 0.98]))
    assert asked_of(made, stranger)[0] == 2


def test_what_moves_all_offers_alike_is_not_asked(
    recommender: Recommender, stranger: Query
) -> None:
    moves = np.zeros((4, recommender.n_offers))
    moves[0], moves[1] = 20.0, 0.01 * halves(recommender.n_offers)
    made = rules(recommender, moves, np.full(4, 0.5))
    assert asked_of(made, stranger) == [1]


def test_a_copy_of_a_question_comes_after_what_is_new(
    recommender: Recommender, stranger: Query
) -> None:
    offers = recommender.n_offers
    moves = np.zeros((4, offers))
    moves[0] = moves[1] = 4 * halves(offers)
    moves[2] = np.where(np.arange(offers) < offers // 2, 10.0, -10.0)
    made = rules(recommender, moves, np.full(4, 0.5))
    first = len(made.profile.mean) - 4
    gram = made.profile.gram.copy()
    gram[first, first + 1] = gram[first + 1, first] = 100.0  # always answered alike
    made = replace(made, profile=replace(made.profile, gram=gram))
    assert asked_of(made, stranger)[:2] == [0, 2]


def test_no_survey_or_nothing_to_list_asks_nothing(
    recommender: Recommender, stranger: Query
) -> None:
    columns = len(recommender.profile.mean) - len(recommender.encoders.survey.questions)
    ridge = recommender.profile
    silent = replace(
        recommender,
        encoders=replace(recommender.encoders, survey=Survey((), ())),
        profile=replace(
            ridge,
            mean=ridge.mean[:columns],
            gram=ridge.gram[:columns, :columns],
            cross=ridge.cross[:columns],
            penalty=ridge.penalty[:columns],
        ),
    )
    query = replace(stranger, answers=sp.csr_matrix((1, 0)))
    asking = Asking(silent, np.ones(silent.n_offers, dtype=bool))
    assert asking.next_questions(query) == []
    assert asking.first_gain == 0.0
    nothing = np.zeros(recommender.n_offers, dtype=bool)
    assert Asking(recommender, nothing).next_questions(stranger) == []


@settings(max_examples=25)
@given(data=st.data())
def test_what_is_answered_or_skipped_is_not_asked(
    asking: Asking, stranger: Query, data: st.DataObject
) -> None:
    count = len(asking.recommender.encoders.survey.questions)
    rows = st.integers(0, count - 1)
    answers = data.draw(st.dictionaries(rows, st.booleans()))
    skipped = data.draw(st.sets(rows))
    n = data.draw(st.integers(1, 6))
    chosen = asking.next_questions(answered(stranger, answers), skipped, n)
    assert len(chosen) == len(set(chosen)) <= n
    assert not set(chosen) & (set(answers) | skipped)


def test_one_at_a_time_begins_as_several_do(asking: Asking, stranger: Query) -> None:
    several = asking.next_questions(stranger, n=5)
    assert asking.next_questions(stranger, n=1) == several[:1]
    assert asking.next_questions(stranger, n=5) == several


def test_all_skipped_or_all_answered_is_settled(asking: Asking, stranger: Query) -> None:
    everything = range(len(asking.recommender.encoders.survey.questions))
    assert asking.next_questions(stranger, set(everything)) == []
    assert asking.next_questions(answered(stranger, dict.fromkeys(everything, True))) == []


def test_asking_on_comes_to_an_end(asking: Asking, stranger: Query) -> None:
    answers: dict[int, bool] = {}
    while chosen := asking.next_questions(answered(stranger, answers), n=1):
        answers[chosen[0]] = len(answers) % 2 == 0
    assert 0 < len(answers) <= len(asking.recommender.encoders.survey.questions)


def test_the_next_question_depends_on_the_answers(asking: Asking, stranger: Query) -> None:
    first = asking.next_questions(stranger, n=1)[0]
    ways = set()
    for yes in (True, False):
        answers = {first: yes}
        for _ in range(4):
            answers[asking.next_questions(answered(stranger, answers), n=1)[0]] = yes
        ways.add(tuple(answers))
    assert len(ways) == 2


def test_an_offer_that_was_redeemed_is_not_asked_about(
    asking: Asking, stranger: Query, recommender: Recommender
) -> None:
    survey, rows = recommender.encoders.survey, recommender.encoders.offer_rows
    about = {q: survey.offer_of(q, rows) for q in range(len(survey.questions))}
    others = {q for q, row in about.items() if row is None}
    chosen = asking.next_questions(stranger, others, 1)[0]
    redeemed = np.zeros(stranger.redeemed.shape)
    redeemed[0, about[chosen]] = 1.0
    query = replace(stranger, redeemed=sp.csr_matrix(redeemed))
    assert chosen not in asking.next_questions(query, others, 20)


def test_a_service_ignores_questions_it_does_not_know(
    small_service: Service, stranger: Query, small_bundle: Bundle
) -> None:
    at = small_bundle.moment
    usual = small_service.next_questions(stranger, at)
    assert len(usual) == 3
    assert small_service.next_questions(stranger, at, ["offer:gone", "what?", ""]) == usual
    assert usual[0] not in small_service.next_questions(stranger, at, [usual[0][0]])


def test_nobody_is_asked_what_nobody_can_answer() -> None:
    offers = pd.DataFrame(
        {"offer_id": ["a", "b", "c"], "category": ["travel", "x" * 192, "two\nlines"]}
    )
    assert build_survey(Dataset.of({"offers": offers})).questions == ("category:travel",)
