"""A person at the door and the same person in a table are the same person."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.dataset import Dataset
from data.idmap import IdMap
from recommender.base import Query
from recommender.batch import query_customers
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.features import history
from recommender.features.history import fading
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.serving.visitors import Visitor, queries
from segmentation.features import (
    DAY,
    DAYS_PER_MONTH,
    CustomerFeatures,
    customer_features,
    features_of_one,
)


def assert_same(ours: Query, theirs: Query) -> None:
    for name, a, b in zip(
        [field.name for field in fields(Query)],
        ours.parts(),
        theirs.parts(),
        strict=True,
    ):
        np.testing.assert_allclose(a.toarray(), b.toarray(), err_msg=name, atol=1e-9)


def facts_in(dataset: Dataset, customer: str) -> Facts:
    profile = dataset.customers.set_index("customer_id").loc[customer].dropna().to_dict()
    log = dataset.interactions[dataset.interactions["customer_id"] == customer]
    lines = dataset.transactions[dataset.transactions["customer_id"] == customer].astype("object")
    told = dataset.survey_answers[dataset.survey_answers["customer_id"] == customer]
    return Facts(
        profile={**profile, "signup_at": profile["signup_at"].value // 1000},
        answers=dict(zip(told["question"], told["answer"], strict=True)),
        interactions=[
            (row.offer_id, row.event_type, row.occurred_at.value // 1000)
            for row in log.itertuples()
        ],
        purchases=[
            {**row, "occurred_at": row["occurred_at"].value // 1000}
            for row in lines.where(lines.notna(), None).to_dict("records")
        ],
    )


@pytest.mark.parametrize("row", [0, 7, 23, 101])
def test_one_stranger_by_two_ways(
    small_dataset: Dataset, small_bundle: Bundle, small_service: Service, row: int
) -> None:
    customer = str(small_bundle.customers.ids[row])
    nobody = replace(
        small_bundle.customers,
        ids=np.array(["somebody else"]),
        features=np.full((1, 6), np.nan),
        query=small_bundle.customers.query and small_bundle.customers.query.take(np.array([0])),
    )
    stranger_to = replace(small_bundle, customers=nobody)
    wanted = replace(
        small_dataset,
        customers=small_dataset.customers[small_dataset.customers["customer_id"] == customer],
    )
    _, batch = query_customers(stranger_to, wanted, small_bundle.moment)
    facts = facts_in(small_dataset, customer)
    door = Service(stranger_to).query(customer, facts, small_bundle.moment)
    assert_same(door, batch)


def test_what_was_shown_of_unknown_offers_counts_by_two_ways(
    small_bundle: Bundle, small_service: Service
) -> None:
    """How readily somebody answers shows in whatever they were shown."""
    at = small_bundle.moment
    known = str(small_bundle.offers["offer_id"].iloc[0])
    log = pd.DataFrame(
        {
            "customer_id": "new",
            "offer_id": [*["not in the model"] * 40, known],
            "event_type": [*["impression"] * 39, "redemption", "click"],
            "occurred_at": at - pd.Timedelta(days=1),
        }
    )
    tables = {"customers": pd.DataFrame({"customer_id": ["new"]}), "interactions": log}
    _, batch = query_customers(small_bundle, Dataset.of(tables), at)
    events = [
        (one.offer_id, one.event_type, one.occurred_at.value // 1000) for one in log.itertuples()
    ]
    assert_same(small_service.query("new", Facts(interactions=events), at), batch)
    assert batch.responses.toarray().tolist() == [[39, 1, 1]]
    assert batch.redeemed.nnz == 0


@pytest.mark.parametrize("year", ["1700", "1900", "1930"])
def test_what_happened_so_long_ago_that_it_faded_to_nothing_is_no_history_by_two_ways(
    small_bundle: Bundle, year: str
) -> None:
    when, offer = pd.Timestamp(f"{year}-01-01", tz="UTC"), str(small_bundle.offers["offer_id"][5])
    item = str(small_bundle.recommender.encoders.keys.item_ids[0])  # type: ignore[union-attr]
    past = when.value // 1000
    facts = Facts(
        interactions=[(offer, "click", past)],
        purchases=[{"item_id": item, "amount": 3.0, "occurred_at": past}],
    )
    own = {"customer_id": ["somebody"], "occurred_at": [when]}
    given = Dataset.of(
        {
            "customers": pd.DataFrame({"customer_id": ["somebody"]}),
            "interactions": pd.DataFrame({**own, "offer_id": offer, "event_type": "click"}),
            "transactions": pd.DataFrame({**own, "item_id": item, "amount": 3.0}),
        }
    )
    at = small_bundle.moment
    ours = Service(small_bundle).query("somebody", facts, at)
    theirs = query_customers(small_bundle, given, at)[1]
    assert ours.history.nnz == theirs.history.nnz == 0
    assert ours.recent.nnz == theirs.recent.nnz


def test_very_many_clicks_are_summed_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def count(when: np.ndarray, moment: int) -> np.ndarray:
        calls.append(len(when))
        return fading(when, moment)

    monkeypatch.setattr(history, "fading", count)
    random = np.random.default_rng(0)
    log = pd.DataFrame(
        {
            "customer_id": "a",
            "offer_id": random.choice(["o1", "o2", "gone"], 300),
            "event_type": random.choice(["impression", "click", "redemption"], 300),
            "occurred_at": pd.Timestamp("2025-06-01", tz="UTC")
            - pd.to_timedelta(random.integers(0, 10**9, 300), unit="s"),
        }
    )
    moment, rows = pd.Timestamp("2025-05-01", tz="UTC").value // 1000, {"o1": 0, "o2": 1}
    events = [
        (one.offer_id, one.event_type, one.occurred_at.value // 1000) for one in log.itertuples()
    ]
    ours = history.history_of_one(events, rows, moment, {"o1", "gone"})
    assert len(calls) == 1
    offers = pd.DataFrame({"offer_id": ["gone", "o1", "o2"], "repeatable": [True, True, False]})
    table = Dataset.of({"offers": offers, "interactions": log})
    theirs = history.history_of(table, IdMap(["a"]), IdMap(rows), moment)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(
            [one.get(0, 0.0), one.get(1, 0.0)], other.toarray()[0], rtol=1e-12
        )
    assert ours[-1].keys() == {0}  # showings count of what can be taken again


def test_what_a_profile_does_not_state_is_kept(
    small_bundle: Bundle, small_service: Service
) -> None:
    query = small_bundle.customers.query
    assert query is not None
    row = int(np.diff(query.demographic.indptr).argmax())
    customer = str(small_bundle.customers.ids[row])
    told = small_service.query(customer, Facts(profile={"age": 84.0}), small_bundle.moment)
    names = small_service.recommender.encoders.demographics.names
    before, after = (
        dict(zip((names[row] for row in one.indices), one.data.tolist(), strict=True))
        for one in (query.demographic[[row]], told.demographic)
    )
    assert max((name for name in after if "age=" in name), key=lambda name: after[name]) == "age=70"
    kept = {name: value for name, value in before.items() if not name.startswith("age=")}
    assert kept.items() <= after.items()
    assert kept


Line = tuple[str | None, int, int]  # transaction, days ago, amount
LINES = st.lists(
    st.tuples(st.sampled_from(["t1", "t2", "t3", None]), st.integers(0, 300), st.integers(-20, 20)),
    min_size=1,
    max_size=6,
)


@given(st.lists(st.tuples(LINES, LINES), min_size=10, max_size=10))
@settings(max_examples=2, deadline=None)
def test_features_of_one_are_the_features_of_a_table_refunds_and_all(
    people: list[tuple[list[Line], list[Line]]],
) -> None:
    """Told at once, or some after a model was made; nobody gives a transaction in two parts."""
    at = pd.Timestamp("2025-06-01", tz="UTC")

    def told(lines: list[Line], part: str) -> list[dict[str, Any]]:
        return [
            {
                "transaction_id": name and f"{name} {part}",
                "occurred_at": (at - pd.Timedelta(days=days + 1)).value // 1000,
                "amount": float(amount),
            }
            for name, days, amount in lines
        ]

    def table(told_of: list[list[dict[str, Any]]]) -> CustomerFeatures:
        frame = pd.concat(
            pd.DataFrame(rows).assign(customer_id=str(place)) for place, rows in enumerate(told_of)
        )
        frame["occurred_at"] = pd.to_datetime(frame["occurred_at"], unit="us", utc=True)
        return customer_features(Dataset.of({"transactions": frame}), at)

    before = [told(first, "first") for first, _ in people]
    after = [told(then, "then") for _, then in people]
    known = table(before)
    wanted = table([first + then for first, then in zip(before, after, strict=True)]).values
    for place, (first, then) in enumerate(zip(before, after, strict=True)):
        mine = wanted.loc[str(place)].to_numpy()[3:]
        np.testing.assert_allclose(features_of_one({}, first + then, at)[3:], mine)
        if any(line["amount"] >= 0 for line in then):
            features = known.values.loc[str(place)].to_numpy()
            bought = at.value // 1000 - DAY * known.activity["tenure_days"].loc[str(place)]
            np.testing.assert_allclose(features_of_one({}, then, at, features, bought)[3:], mine)


def test_of_whom_nothing_but_refunds_is_known_no_transaction_is() -> None:
    at = pd.Timestamp("2025-06-01", tz="UTC")
    line = {"amount": -10.0, "occurred_at": at.value // 1000 - DAY}
    assert features_of_one({}, [line], at)[3] == 0
    assert np.isnan(features_of_one({}, [], at)[3])
    known = np.array([np.nan, np.nan, np.nan, 2.0, 10.0, 2.0])
    np.testing.assert_array_equal(features_of_one({}, [line], at, known), known)


def test_a_month_that_is_not_over_is_not_counted_twice() -> None:
    first, later = (pd.Timestamp(f"2025-06-{day:02}", tz="UTC") for day in (1, 29))
    known = np.array([np.nan, np.nan, np.nan, 2.0, 10.0, 2.0])
    line = {"amount": 10.0, "occurred_at": later.value // 1000}
    months = (later - first) / pd.Timedelta(days=DAYS_PER_MONTH)
    assert months < 1
    found = features_of_one({}, [line], later, known, first.value // 1000)
    assert found[3:].tolist() == [3.0, 10.0, 3.0]


def test_many_at_the_door_are_each_of_them(
    small_dataset: Dataset, small_bundle: Bundle, small_service: Service
) -> None:
    at = small_bundle.moment
    known = [str(name) for name in small_bundle.customers.ids[:12]]
    everything = facts_in(small_dataset, known[0])
    visitors = [
        *(Visitor(name, Facts(profile={"age": 30.0 + row})) for row, name in enumerate(known)),
        Visitor("stranger", Facts(profile={"gender": "Female"}, answers={"category:home": "no"})),
        Visitor("nobody", Facts()),
        Visitor(known[1], everything),
        Visitor(known[2], everything, whole=True),
        Visitor(known[3], Facts(purchases=everything.purchases)),
        Visitor(known[4], Facts(interactions=everything.interactions)),
        Visitor(known[5], Facts(profile={"age": float("nan"), "gender": "unheard of"})),
    ]
    encoders = small_service.recommender.encoders
    together = queries(small_bundle, encoders, visitors, at)
    for row, one in enumerate(visitors):
        alone = small_service.query(one.customer_id, one.facts, at, whole=one.whole)
        assert_same(together.take(np.array([row])), alone)
        assert_same(queries(small_bundle, encoders, [one], at), alone)


@pytest.mark.parametrize("again", [True, False])
def test_a_habit_is_the_same_at_the_door_in_a_batch_and_on_top_of_what_a_model_knows(
    small_bundle: Bundle, small_service: Service, again: bool
) -> None:
    at = small_bundle.moment
    query = small_bundle.customers.query
    assert query is not None
    taken = zip(small_bundle.offers["offer_id"], np.ravel(query.redeemed.sum(axis=0)), strict=True)
    name = next(one for one, n in taken if n and (one in small_bundle.repeatable) == again)
    log = pd.DataFrame(
        {
            "customer_id": "stranger",
            "offer_id": name,
            "event_type": ["impression", "redemption", "redemption"],
            "occurred_at": at - pd.Timedelta(hours=1),
        }
    )
    given = Dataset.of(
        {"customers": pd.DataFrame({"customer_id": ["stranger"]}), "interactions": log}
    )
    _, batch = query_customers(small_bundle, given, at)
    events = [(name, kind, at.value // 1000) for kind in log["event_type"]]
    door = small_service.query("stranger", Facts(interactions=events), at)
    expected = [1.0, 0.0, 2.0 if again else 1.0]
    assert batch.responses.toarray().tolist() == [expected]
    assert door.responses.toarray().tolist() == [expected]
    column = small_service.recommender.encoders.offer_rows[name]
    row = int(query.redeemed[:, [column]].nonzero()[0][0])
    known = str(small_bundle.customers.ids[row])
    later = small_service.query(known, Facts(interactions=events), at)
    gained = later.responses - query.responses[[row]]
    assert gained.toarray().tolist() == [[1.0, 0.0, 2.0 if again else 0.0]]


def test_reasons_of_many_lists_are_those_of_each(
    small_bundle: Bundle, small_service: Service
) -> None:
    query = small_bundle.customers.query
    assert query is not None
    lists = [one.offers for one in small_service.recommend(query, Wish(at=small_bundle.moment))]
    explainer = small_service.explainer
    together = explainer.reasons_of_many(query, lists)
    alone = [explainer.reasons(query.one(row), listed) for row, listed in enumerate(lists)]
    assert together == alone
    assert len({reason for one in together for reasons in one for reason in reasons}) > 20
