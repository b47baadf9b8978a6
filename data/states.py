"""What is known of customers, put together from a few indexed reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data.reading import (
    ALWAYS,
    ANSWER,
    CORRECTION,
    OF_INTERACTION,
    OF_TRANSACTION,
    OWN,
    PROFILE,
    Fetch,
    spread,
)
from data.rows import Row, value_of


@dataclass(frozen=True)
class CustomerState:
    """What the database holds about one customer; times are microseconds since 1970, UTC.

    `profile` has the owner's own columns as well; `whole` says that interactions and transactions
    are all there are, not those since a moment.
    """

    known: bool
    whole: bool
    profile: Row = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    interactions: tuple[Row, ...] = ()
    transactions: tuple[Row, ...] = ()


def state_of(fetch: Fetch, customer_id: str, since: int | None) -> CustomerState:
    """Read the state of one customer; `since` as in `Store.customer_state`."""
    own = {"customer_id": customer_id}
    profile = fetch("profile", own)
    stated = dict(zip(PROFILE, profile[0], strict=True)) if profile else {}
    told = fetch("told", own)
    whole = _is_whole(since, told)
    wanted = own | {"since": ALWAYS if whole or since is None else since}
    interactions, transactions = fetch("interactions", wanted), fetch("transactions", wanted)
    return _state(whole, stated, told, interactions, transactions)


def states_of(fetch: Fetch, since: Mapping[str, int | None]) -> dict[str, CustomerState]:
    """Read the states of at least one and at most `MANY` customers, by id."""
    many = spread(list(since))
    stated = {row[0]: dict(zip(PROFILE, row[1:], strict=True)) for row in fetch("profiles", many)}
    told = _by_owner(fetch("told of many", many))
    whole = {name: _is_whole(moment, told.get(name, ())) for name, moment in since.items()}
    asked: dict[int, list[str]] = {}
    for name, moment in since.items():
        asked.setdefault(ALWAYS if whole[name] or moment is None else moment, []).append(name)
    history: dict[str, dict[str, list[Any]]] = {"interactions": {}, "transactions": {}}
    for moment, part in asked.items():
        wanted = spread(part) | {"since": moment}
        for table, of in history.items():
            of |= _by_owner(fetch(f"{table} of many", wanted))
    return {
        name: _state(
            whole[name],
            stated.get(name, {}),
            told.get(name, ()),
            history["interactions"].get(name, ()),
            history["transactions"].get(name, ()),
        )
        for name in since
    }


def _state(
    whole: bool,
    stated: Mapping[str, Any],
    told: Iterable[Sequence[Any]],
    interactions: Sequence[Sequence[Any]],
    transactions: Sequence[Sequence[Any]],
) -> CustomerState:
    """Make a state of what was fetched; `stated` is empty where there is no row."""
    answers: dict[str, str] = {}
    own: Row = {}
    for kind, name, value in told:
        if kind == ANSWER:
            answers[name] = value
        elif kind == OWN and (read := value_of(value)) is not None:
            own[name] = read
    profile = {name: stated[name] for name in PROFILE if stated.get(name) is not None}
    return CustomerState(
        known=bool(stated or answers or interactions or transactions),
        whole=whole,
        profile=own | profile,
        answers=answers,
        interactions=tuple(dict(zip(OF_INTERACTION, row, strict=True)) for row in interactions),
        transactions=tuple(dict(zip(OF_TRANSACTION, row, strict=True)) for row in transactions),
    )


def _is_whole(since: int | None, told: Iterable[Sequence[Any]]) -> bool:
    """Tell whether all rows have to be read: something recorded before was corrected since."""
    return since is None or any(
        int(recorded) < since <= int(corrected)
        for kind, recorded, corrected in told
        if kind == CORRECTION
    )


def _by_owner(rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for owner, *rest in rows:
        found.setdefault(owner, []).append(rest)
    return found
