"""The kinds of values that bodies, paths and queries are made of.

White space around a text is no part of it, as it is none in a table that is read in: whoever is
told of under one name there is not another customer here.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from data.schema import (
    ABOUT_CATEGORY,
    ABOUT_OFFER,
    LARGEST,
    LONGEST_ID,
    LONGEST_LABEL,
    LONGEST_TEXT,
    NO,
    YES,
    yes_or_no,
)

# Neither "3" nor true is a number.
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False, strict=True)]
Stripped = Annotated[str, StringConstraints(strip_whitespace=True)]
# No control characters: some databases refuse them, and no id has any.
ID_PATTERN = r"^[^\x00-\x1f]+$"
CustomerId = Annotated[
    Stripped, StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=ID_PATTERN)
]
ShortText = CustomerId


def or_none(text: str) -> str | None:
    """Take an empty text for none, as in a table."""
    return text or None


# PostgreSQL keeps no NUL; whoever writes to SQLite is not to be told otherwise.
_Free = Annotated[Stripped, StringConstraints(max_length=LONGEST_TEXT, pattern=r"^[^\x00]*$")]
_Empty = AfterValidator(or_none)
# Each may turn out to be none.
Text = Annotated[_Free, _Empty]
Place = Annotated[_Free, StringConstraints(max_length=LONGEST_ID), _Empty]
Label = Annotated[_Free, StringConstraints(max_length=LONGEST_LABEL), _Empty]
# The length stands in the pattern, where the document of the API can say it of a name.
Question = Annotated[Stripped, StringConstraints(pattern=r"^(offer|category):[^\x00-\x1f]{1,191}$")]
Answered = Annotated[Stripped, StringConstraints(pattern=r"^[^\x00-\x1f]{1,200}$")]


def as_answered(answers: dict[str, str]) -> dict[str, str]:
    """Let whatever is asked about an offer or a category name it and be answered by yes or no."""
    said = {}
    for question, answer in answers.items():
        if question in (ABOUT_CATEGORY, ABOUT_OFFER):
            raise ValueError(f"{question!r} names none")
        about = question.startswith((ABOUT_CATEGORY, ABOUT_OFFER))
        said[question] = yes_or_no(answer) if about else answer
        if about and said[question] not in (YES, NO):
            raise ValueError(f"the answer to {question!r} has to be {YES} or {NO}")
    return said


Answers = Annotated[
    dict[Answered, ShortText],
    Field(
        max_length=200,
        json_schema_extra={"additionalProperties": False},
        description="offer:<offer_id> and category:<name> are answered yes or no, a question of "
        "your own by a name. One about an offer or a category that the model does not ask about "
        "is kept, and counts once a model asks: a training asks about the categories with the most "
        "offers and the offers taken most.",
    ),
    AfterValidator(as_answered),
]
