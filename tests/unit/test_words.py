"""Words of messages: numbers with what they count."""

from __future__ import annotations

import pytest

from data.words import counted


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
