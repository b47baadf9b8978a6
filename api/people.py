"""From customer ids to what is known of the customers, as queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import pandas as pd

from api.house import House
from api.served import Model
from data.rows import Row
from data.schema import OFFER_ID
from data.states import CustomerState
from recommender.base import Query
from recommender.facts import Facts
from recommender.service import Service
from recommender.serving.visitors import Visitor, queries


class Asked(NamedTuple):
    """What a request wishes of a list."""

    n: int = 10
    category: str | None = None
    exclude: tuple[str, ...] = ()
    explain: bool = True


@dataclass(frozen=True)
class Wished:
    """A list that is wished for.

    Attributes
    ----------
    customer_id : str
    asked : Asked
    told : CustomerState, optional
        Profile and answers that stand above the recorded ones, for this list only.
    """

    customer_id: str
    asked: Asked
    told: CustomerState | None = None


@dataclass(frozen=True)
class People:
    """Customers as requests find them, a row of the query each."""

    customer_ids: tuple[str, ...]
    known: tuple[bool, ...]
    query: Query


def find_person(
    house: House, model: Model, service: Service, customer_id: str, at: pd.Timestamp
) -> People:
    """Read one customer's state and build the query.

    Raises
    ------
    SQLAlchemyError
        The database does not answer.
    """
    states = read_states(house, model, [Wished(customer_id, Asked())])
    return people_of(model, service, states, at)


def read_states(
    house: House, model: Model, wished: Sequence[Wished]
) -> list[tuple[str, CustomerState]]:
    """Read customers' states, all at once.

    What the bundle was trained on is in its own rows; the database adds what was recorded since.

    Raises
    ------
    SQLAlchemyError
        The database does not answer.
    """
    names, known = dict.fromkeys(one.customer_id for one in wished), model.bundle.customer_ids
    states = states_at(house, {name: model.since if name in known else None for name in names})
    return [(one.customer_id, _told(states[one.customer_id], one)) for one in wished]


def states_at(house: House, since: Mapping[str, int | None]) -> dict[str, CustomerState]:
    """Read customers' states as they are at the moment lists are for; `since` as for the store.

    Raises
    ------
    SQLAlchemyError
        The database does not answer.
    """
    states = house.store.customer_states(since)
    if house.at is None:
        return states
    at = house.at.value // 1000

    def there(rows: Sequence[Row]) -> tuple[Row, ...]:
        # What comes in while the service runs counts, whenever it happened.
        return tuple(
            row for row in rows if row["occurred_at"] < at or row["recorded_at"] >= house.began
        )

    return {
        name: replace(
            state, interactions=there(state.interactions), transactions=there(state.transactions)
        )
        for name, state in states.items()
    }


def people_of(
    model: Model, service: Service, states: Sequence[tuple[str, CustomerState]], at: pd.Timestamp
) -> People:
    """Build the queries of customers whose states are at hand."""
    known = model.bundle.customer_ids
    # A customer whose trained-on history was corrected is read afresh.
    visitors = [
        Visitor(name, facts_of(state), whole=state.whole and state.known) for name, state in states
    ]
    return People(
        customer_ids=tuple(name for name, _ in states),
        known=tuple(name in known or state.known for name, state in states),
        query=queries(model.bundle, service.recommender.encoders, visitors, at),
    )


def _told(state: CustomerState, wished: Wished) -> CustomerState:
    told = wished.told
    if told is None:
        return state
    return replace(
        state, profile=state.profile | told.profile, answers=state.answers | told.answers
    )


def facts_of(state: CustomerState) -> Facts:
    """Turn what the database holds into facts for scoring."""
    return Facts(
        profile=state.profile,
        answers=state.answers,
        interactions=[
            (row[OFFER_ID], row["event_type"], row["occurred_at"]) for row in state.interactions
        ],
        purchases=state.transactions,
    )
