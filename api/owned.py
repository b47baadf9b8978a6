"""What a body states beyond the known columns: those of the owner's that the model reads.

A name that the model does not read is an error rather than silence: it may be a slip of the pen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from api.bodies import Profile
from api.moments import microseconds
from data.schema import ABOUT_CATEGORY, ABOUT_OFFER, CUSTOMERS, OFFERS
from recommender.bundle import Bundle
from recommender.features.numbers import is_number

MOST_NAMED, MOST_ERRORS = 40, 20  # columns in a message, and messages


def profile_columns(bundle: Bundle) -> Mapping[str, tuple[str, ...] | None]:
    """Return what a model reads of profiles: the values of a category, None for a number."""
    model = bundle.recommender
    return {} if model is None else model.encoders.demographics.reads


def profile_of(given: Profile, bundle: Bundle, *where: str) -> dict[str, Any]:
    """Return what a profile states, as the store keeps it: moments in microseconds.

    Parameters
    ----------
    where : str
        Where in the request the profile stands.

    Raises
    ------
    RequestValidationError
        It states something that the model does not read.
    """
    if given.model_extra:
        reads = {name: values is None for name, values in profile_columns(bundle).items()}
        _check(given, reads, where)
    stated = given.model_dump(exclude_none=True)
    if given.signup_at is not None:
        stated["signup_at"] = microseconds(given.signup_at)
    return stated


def answers_of(given: Mapping[str, str], bundle: Bundle, *where: str) -> dict[str, str]:
    """Return the answers, if each is about an offer, a category or a column of the owner's.

    Raises
    ------
    RequestValidationError
        Something else was asked.
    """
    # What every profile may state is stated there: as an answer it would not be read.
    reads = [name for name in profile_columns(bundle) if name not in CUSTOMERS.names]
    own = ", ".join(reads[:MOST_NAMED]) or "nothing"
    errors = [
        {
            "type": "question_unknown",
            "loc": (*where, question),
            "msg": "is no question: ask offer:<offer_id>, category:<name>, or what the model "
            f"reads of your own; that is {own}",
        }
        for question in given
        if not question.startswith((ABOUT_CATEGORY, ABOUT_OFFER)) and question not in reads
    ]
    if errors:
        raise RequestValidationError(errors[:MOST_ERRORS])
    return dict(given)


def check_offer(given: BaseModel, bundle: Bundle, *where: str) -> None:
    """Let an offer state those of the owner's columns that the model's offers have.

    Raises
    ------
    RequestValidationError
        It states another one, or no number where the model reads numbers.
    """
    if given.model_extra:
        table = bundle.offers
        dated = pd.api.types.is_datetime64_any_dtype
        own = [str(name) for name in table.columns if name not in OFFERS.names]
        reads = {
            name: name in given.model_extra and is_number(table[name])
            for name in own
            if not dated(table[name])
        }
        _check(given, reads, where)


def _check(given: BaseModel, reads: Mapping[str, bool], where: tuple[str, ...]) -> None:
    """Refuse names that are not read, and what is none where a number is read."""
    errors: list[dict[str, Any]] = []
    fields = type(given).model_fields
    own = [name for name in reads if name not in fields]
    known = f"; those are {', '.join([*fields, *own][:MOST_NAMED])}"
    for name, value in (given.model_extra or {}).items():
        if name not in own:
            problem = f"is no column that the model reads{known}"
            known = ""  # said once
        elif reads[name] and not _is_number(value):
            problem = "has to be a number"
        else:
            continue
        errors.append({"type": "extra_forbidden", "loc": (*where, name), "msg": problem})
        if len(errors) == MOST_ERRORS:
            break
    if errors:
        raise RequestValidationError(errors)


def _is_number(value: Any) -> bool:
    """Tell a number, or nothing at all, from digits in a text: those may be a code."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
