"""Tables given on the command line: what of them counts, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import DataError
from recommender.bundle import Bundle
from recommender.commands.given import moment_of, say_left_aside, tables


def given_of(rows: list[tuple[str, str, str]]) -> Dataset:
    """Ask for somebody new; the log has rows of a customer, an offer and a moment."""
    log = pd.DataFrame(rows, columns=["customer_id", "offer_id", "occurred_at"])
    log["occurred_at"] = pd.to_datetime(log["occurred_at"], utc=True)
    people = pd.DataFrame({"customer_id": ["new", "c0000001"]})
    return Dataset.of({"customers": people, "interactions": log.assign(event_type="click")})


@pytest.mark.parametrize("whose", ["somebody else", "c0000001"])
def test_rows_that_are_not_used_do_not_move_the_moment(
    small_bundle: Bundle, capsys: pytest.CaptureFixture[str], whose: str
) -> None:
    given = given_of([(whose, "o0001", "2035-01-01")])
    assert moment_of(small_bundle, given, None) == small_bundle.moment
    assert not capsys.readouterr().err
    say_left_aside(small_bundle, given)
    remark = capsys.readouterr().err
    assert remark.startswith("Note: rows of interactions")
    assert remark.strip().endswith(": 1.")


def test_a_moment_that_is_not_the_models_is_said(
    small_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    given = given_of([("new", "o0001", "2035-01-01"), ("new", "o0001", "2020-01-01")])
    later = pd.Timestamp("2035-01-01T00:00:00.000001", tz="UTC")
    assert moment_of(small_bundle, given, None) == later
    assert "lists are for 2035-01-01T00:00:00.000001+00:00" in capsys.readouterr().err
    earlier = small_bundle.moment - pd.Timedelta(days=1)
    assert moment_of(small_bundle, given, earlier.isoformat()) == earlier
    assert "after --at" in capsys.readouterr().err


def test_unknown_offers_are_counted_among_the_rows_that_are_used(
    small_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    when = "2020-01-01"
    say_left_aside(small_bundle, given_of([("new", "gone", when), ("somebody else", "gone", when)]))
    remark = capsys.readouterr().err.strip().splitlines()[-1]
    assert remark.startswith("Note: interactions with offers that the model does not know")
    assert remark.endswith(": 1.")  # reads well whatever the number


def test_answers_are_checked_as_those_of_a_dataset_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told.csv"
    told.write_text(
        "customer_id,question,answer\n"
        "new,category:home,yes\nnew,category:home,no\nnew,category:fuel,perhaps\n"
    )
    read = tables(None, None, None, told, 1.0).survey_answers
    assert read[["question", "answer"]].to_numpy().tolist() == [["category:home", "no"]]
    said = capsys.readouterr().err
    assert "2 of 3 rows of survey_answers are left out" in said
    assert "answer is neither yes nor no: 1" in said
    assert "question is answered again in a later row: 1" in said
    with pytest.raises(DataError, match=r"told\.csv: 2 of 3 rows"):
        tables(None, None, None, told, 0.01)


def test_columns_that_the_model_does_not_read_are_named_with_those_it_reads(
    small_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("customer_id,age,salary,empty\nnew,30,70,\nc0000001,40,80,x\n")
    say_left_aside(small_bundle, tables(people, None, None, None, 0.01))
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("Note: columns of customers that the model does not read: salary; ")
    assert "those it reads are gender, city, age, annual_income, spending_score" in said


@pytest.mark.parametrize("row", ["new,30,Female,,", "c0000001,,,70,x"])
def test_nothing_is_said_of_columns_that_are_read_or_tell_of_nobody_asked_about(
    small_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str], row: str
) -> None:
    """A table that only names customers of the model tells the model nothing."""
    people = tmp_path / "people.csv"
    people.write_text(f"customer_id,age,gender,salary,note\n{row}\n")
    say_left_aside(small_bundle, tables(people, None, None, None, 0.01))
    assert not capsys.readouterr().err


def test_questions_that_the_model_does_not_ask_are_named(
    small_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert small_bundle.recommender is not None
    asked = small_bundle.recommender.encoders.survey.questions[0]
    rows = [("new", asked, "no"), ("new", "offer:gone", "no"), ("somebody else", "plan", "gold")]
    answers = pd.DataFrame(rows, columns=["customer_id", "question", "answer"])
    people = pd.DataFrame({"customer_id": ["new"]})
    say_left_aside(small_bundle, Dataset.of({"customers": people, "survey_answers": answers}))
    note, *others = capsys.readouterr().err.strip().splitlines()
    assert "does not ask, whose answers tell nothing: offer:gone." in note
    assert "plan" not in note
    assert [one[:25] for one in others] == ["Note: rows of survey_answ"]
