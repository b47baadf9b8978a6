"""Words of messages: numbers with what they count, and names that may be many."""

from __future__ import annotations

import pytest

from data.words import MOST_NAMED, counted, named


@pytest.mark.parametrize(
    ("number", "words", "told"),
    [
        (0, ("list",), "0 lists"),
        (1, ("list",), "1 list"),
        (1147, ("list",), "1,147 lists"),
        (1, ("try", "tries"), "1 try"),
        (2, ("try", "tries"), "2 tries"),
        (2, ("customer has", "customers have"), "2 customers have"),
    ],
)
def test_a_number_is_said_with_what_it_counts(
    number: int, words: tuple[str, ...], told: str
) -> None:
    assert counted(number, *words) == told


def test_of_very_many_names_the_first_are_told() -> None:
    assert named(["age", "plan"]) == "age, plan"
    told = named([f"n{one}" for one in range(MOST_NAMED + 3)])
    assert told.endswith(f"n{MOST_NAMED - 1} and 3 more")
