"""Tables given on the command line: of customers the model may not know, and of candidates."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.console import parse_moment, say
from data.dataset import Dataset
from data.ingest import Intake, read_table
from data.schema import (
    CUSTOMER_ID,
    CUSTOMERS,
    INTERACTIONS,
    OFFER_ID,
    OFFERS,
    SURVEY_ANSWERS,
    TABLES,
    TRANSACTIONS,
)
from data.together import check_answers
from data.words import named
from recommender.batch import strangers_of, told_of
from recommender.bundle import Bundle


def tables(
    customers: Path | None,
    history: Path | None,
    purchases: Path | None,
    answers: Path | None,
    max_bad: float,
) -> Dataset:
    """Read what is told of customers the model may not know."""
    paths = {
        CUSTOMERS.name: customers,
        INTERACTIONS.name: history,
        TRANSACTIONS.name: purchases,
        SURVEY_ANSWERS.name: answers,
    }
    return _read({name: path for name, path in paths.items() if path is not None}, max_bad)


def moment_of(bundle: Bundle, given: Dataset | None, at: str | None) -> pd.Timestamp:
    """Return the moment that lists are for, and say where it is not the model's.

    The one stated, else the model's, or just after the last row given if that is later. Rows that
    are not used move nothing.
    """
    stated = parse_moment(at)
    if stated is not None:
        if stated < bundle.moment:
            say(
                f"Warning: the model knows what happened until {bundle.at}, after --at; "
                "train with the same --at for lists that are fair to judge."
            )
        return stated
    if given is None:
        return bundle.moment
    used = told_of(given, strangers_of(bundle, given))
    if used.transactions.empty and used.interactions.empty:
        return bundle.moment
    moment = used.moment_after()
    if moment <= bundle.moment:
        return bundle.moment
    say(
        f"Note: lists are for {moment.isoformat()}, just after the last row given; the model knows "
        f"what happened until {bundle.at}. Give --at for another moment."
    )
    return moment


def say_left_aside(bundle: Bundle, given: Dataset) -> None:
    """Name what of the given tables does not count."""
    _say_unread(bundle, given)
    _say_unasked(bundle, given)
    for name, frame in given.tables().items():
        if name == CUSTOMERS.name:
            continue
        known = frame[CUSTOMER_ID].isin(bundle.customers.ids)
        if known.any():
            count = int(known.sum())
            say(f"Note: rows of {name} not used, as the model knows these customers: {count}.")
        stranger = ~known & ~frame[CUSTOMER_ID].isin(given.customers[CUSTOMER_ID])
        if stranger.any():
            say(f"Note: rows of {name} of customers not asked for: {int(stranger.sum())}.")
    used = told_of(given, strangers_of(bundle, given)).interactions
    unknown = ~used[OFFER_ID].isin(bundle.offers[OFFER_ID])
    if unknown.any():
        say(
            "Note: interactions with offers that the model does not know, which tell how readily "
            f"somebody answers and nothing else: {int(unknown.sum())}."
        )


def _say_unread(bundle: Bundle, given: Dataset) -> None:
    """Name the columns that profiles of strangers fill and the model does not read.

    A table may well carry other columns, so that this is no error; but a name may be misspelt.
    """
    people = told_of(given, strangers_of(bundle, given)).customers.drop(columns=CUSTOMER_ID)
    filled = people.columns[people.notna().any()]
    reads = _reads(bundle)
    unread = [str(name) for name in filled if name not in reads]
    if unread:
        say(
            f"Note: columns of customers that the model does not read: {named(unread)}; "
            f"those it reads are {named(reads) or 'none'}."
        )


def _say_unasked(bundle: Bundle, given: Dataset) -> None:
    """Name the questions that strangers answer and the model does not ask."""
    if bundle.recommender is None:
        return
    encoders = bundle.recommender.encoders
    answered = told_of(given, strangers_of(bundle, given)).survey_answers["question"]
    asked = {*encoders.survey.questions, *encoders.demographics.reads}
    unread = sorted(set(answered) - asked)
    if unread:
        say(
            f"Note: questions that the model does not ask, whose answers tell nothing: "
            f"{named(unread)}. It asks about the offers taken most, and the largest categories."
        )


def _reads(bundle: Bundle) -> list[str]:
    """Return what a model reads of profiles, in the order of a customers table."""
    model, segments = bundle.recommender, bundle.segments
    told = [] if model is None else [*model.encoders.demographics.reads]
    placed = [] if segments is None else segments.features  # profiles place strangers in segments
    known = [name for name in CUSTOMERS.names if name in told or name in placed]
    return [*known, *(name for name in told if name not in known)]


def candidate_ids(path: Path, bundle: Bundle, max_bad: float) -> frozenset[str]:
    """Read the offers that lists may hold; those the model does not know are counted and said."""
    wanted = frozenset(_read({OFFERS.name: path}, max_bad).offers[OFFER_ID])
    unknown = len(wanted.difference(bundle.offers[OFFER_ID]))
    if unknown:
        say(f"Note: offers of {path.name} that are not in the model: {unknown} of {len(wanted)}.")
    return wanted


def _read(paths: dict[str, Path], max_bad: float) -> Dataset:
    """Read and check tables, by name; say what is left out of them."""
    checked = {name: read_table(path, TABLES[name]) for name, path in paths.items()}
    check_answers(checked)
    for name, table in checked.items():
        table.refuse_too_bad(paths[name].name, max_bad)
    intake = Intake.of(checked)
    for remark in intake.remarks():
        say(f"Note: {remark}")
    return intake.dataset
