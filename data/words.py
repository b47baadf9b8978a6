"""Words of messages: numbers with what they count, and names that may be many."""

from __future__ import annotations

from collections.abc import Sequence

MOST_NAMED = 40


def counted(number: int, one: str, many: str = "") -> str:
    """Say how many there are: 1 list, 1,147 lists.

    Parameters
    ----------
    one, many : str
        What is counted; several of them end in s unless it is said otherwise.
    """
    return f"{number:,} {form(number, one, many or f'{one}s')}"


def form(number: int, one: str, many: str) -> str:
    """Choose the word, or its ending, that suits a number: is or are."""
    return one if number == 1 else many


def named(names: Sequence[str]) -> str:
    """List names, with a comma between; of very many only the first ones."""
    left = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {left:,} more" if left > 0 else "")
