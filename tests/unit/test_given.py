"""Tables given on the command line: what of them counts, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import DataError
from recommender.commands.given import tables


def test_answers_are_checked_as_those_of_a_dataset_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told.csv"
    told.write_text(
        "customer_id,question,answer\n"
        "new,category:home,yes\nnew,category:home,no\nnew,category:fuel,Yes\n"
    )
    read = tables(None, None, None, told, 1.0).survey_answers
    assert read[["question", "answer"]].to_numpy().tolist() == [["category:home", "no"]]
    said = capsys.readouterr().err
    assert "2 of 3 rows of survey_answers are left out" in said
    assert "answer is neither yes nor no: 1" in said
    assert "question is answered again in a later row: 1" in said
    with pytest.raises(DataError, match=r"told\.csv: 2 of 3 rows"):
        tables(None, None, None, told, 0.01)
