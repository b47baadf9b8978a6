"""From customer ids to what is known of the customers, as queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import pandas as pd

from api.house import Model
from data.schema import OFFER_ID
from data.states import CustomerState
from data.store import Store
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
    model: Model, service: Service, store: Store, customer_id: str, at: pd.Timestamp
) -> People:
    """Read one customer's state and build the query.

    Raises
    ------
    SQLAlchemyError
        The database does not answer.
    """
    states = read_states(model, store, [Wished(customer_id, Asked())])
    return people_of(model, service, states, at)


def read_states(
    model: Model, store: Store, wished: Sequence[Wished]
) -> list[tuple[str, CustomerState]]:
    """Read customers' states, all at once.

    What the bundle was trained on is in its own rows; the database adds what was recorded since.

    Raises
    ------
    SQLAlchemyError
        The database does not answer.
    """
    names, known = dict.fromkeys(one.customer_id for one in wished), model.bundle.customer_ids
    states = store.customer_states({name: model.since if name in known else None for name in names})
    return [(one.customer_id, _told(states[one.customer_id], one)) for one in wished]


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
