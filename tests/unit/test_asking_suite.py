"""How suite `ranking` asks people: they say what they will take, and that is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from evaluation.suites.ranking.asking import (
    FLOORS,
    NOT_ASKED,
    Interviewees,
    ask_adaptively,
    ask_chosen,
    ask_most_popular,
    meet,
    rows_of,
    try_surveys,
)
from evaluation.suites.ranking.fixed import choose_fixed
from recommender.service import Service

PEOPLE = 12


@pytest.fixture(scope="module")
def met(small_service: Service, small_dataset: Dataset) -> Interviewees:
    """People who have the profiles of known ones under other names, and random tastes."""
    people = small_dataset.customers.head(PEOPLE).copy()
    people["customer_id"] = [f"new {n:02}" for n in range(PEOPLE)]
    offers = small_service.recommender.encoders.offer_ids
    random = np.random.default_rng(0)
    person, offer = (random.random((PEOPLE, len(offers))) < 0.5).nonzero()
    ids = {"customer_id": people["customer_id"].to_numpy()[person], "offer_id": offers[offer]}
    return meet(small_service, Dataset.of({"customers": people}), pd.DataFrame(ids, dtype="str"))


def test_people_are_met_with_their_profile_only(met: Interviewees) -> None:
    assert met.query.demographic.nnz > 0
    assert met.query.redeemed.nnz == met.query.history.nnz == met.query.answers.nnz == 0
    assert 0 < met.takes.sum() < met.takes.size


def test_people_answer_with_what_they_will_take(met: Interviewees) -> None:
    asked = ask_most_popular(met, 3)
    asked[0, 1:] = NOT_ASKED
    answers, about = met.told(asked).answers.toarray(), met.about(asked)
    assert answers.sum(axis=1).tolist() == about.sum(axis=1).tolist() == [1] + [3] * (PEOPLE - 1)
    yes = answers[:, 0::2].sum(axis=1)
    assert yes.tolist() == (met.takes & about).sum(axis=1).tolist()


def test_the_most_popular_are_the_same_for_everybody(met: Interviewees) -> None:
    asked = ask_most_popular(met, 5)
    assert len(np.unique(asked, axis=0)) == 1
    named = met.popularity[met.about(asked)[0]]
    assert sorted(named) == sorted(met.popularity)[-5:]


def test_what_is_chosen_beforehand_is_the_same_for_everybody(met: Interviewees) -> None:
    asked = ask_chosen(met, 4)
    assert len(np.unique(asked, axis=0)) == 1
    assert len(set(asked[0])) == met.about(asked)[0].sum() == 4


def test_the_question_that_tells_tastes_apart_is_chosen_first() -> None:
    random = np.random.default_rng(0)
    taste = random.random(200) < 0.5
    marks = random.random((200, 30)) < 0.2
    marks[:, 10:20] |= taste[:, None]
    marks[:, 20:30] |= ~taste[:, None]
    candidates, ranked = np.array([3, 5, 12, 7]), np.arange(30) >= 10
    chosen = choose_fixed(np.zeros((200, 0)), marks.astype(float), candidates, ranked, 9, 5)
    assert chosen[0] == 12
    assert sorted(chosen) == sorted(candidates)  # no more than there are


def test_nobody_is_asked_twice_or_about_a_category(met: Interviewees) -> None:
    asked = ask_adaptively(met, 6)
    questions = met.service.recommender.encoders.survey.questions
    for row in asked:
        there = row[row != NOT_ASKED]
        assert len(set(there)) == len(there) > 0
        assert all(questions[question].startswith("offer:") for question in there)
    assert (ask_adaptively(met, 2) == asked[:, :2]).all()


def test_what_is_left_out_is_neither_listed_nor_relevant(met: Interviewees) -> None:
    perfect = ~met.takes
    everything = np.zeros(met.takes.shape, dtype=bool)
    # Lists can hold only what people take.
    assert met.judge(met.query, perfect) == pytest.approx(np.ones(PEOPLE))
    assert (met.judge(met.query, everything) < 1.0).any()


def test_rows_stand_beside_their_floors(met: Interviewees) -> None:
    parts = {name: [values] for name, values in try_surveys(met).items()}
    rows = rows_of("films", parts)
    floors = [row.floor for row in rows if row.floor]
    assert floors == [f">= {floor:g}" for floor in FLOORS.values()]
    halves = {name: [one[0][:6], one[0][6:]] for name, one in parts.items()}
    assert [row.value for row in rows_of("films", halves)] == [row.value for row in rows]


def test_truth_of_others_and_of_unknown_offers_is_no_matter(met: Interviewees) -> None:
    given = Dataset.of({"customers": pd.DataFrame({"customer_id": ["x"]}, dtype="str")})
    ids = {"customer_id": ["x", "y", "x"], "offer_id": ["gone", met.offers[0], met.offers[1]]}
    one = meet(met.service, given, pd.DataFrame(ids, dtype="str"))
    assert one.takes.sum() == 1
    assert one.about(np.full((1, 2), NOT_ASKED)).sum() == 0
