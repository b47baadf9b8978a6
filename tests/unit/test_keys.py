"""Purchase keys on an example small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset
from recommender.content import ContentScorer, default_weight, offer_attributes
from recommender.demographics import build_demographics
from recommender.facts import Encoders, Facts, features_of
from recommender.keys import build_keys, purchases_of
from recommender.survey import Survey

WHEN = pd.Timestamp("2025-01-01", tz="UTC")


def example() -> Dataset:
    return Dataset.of(
        {
            "offers": pd.DataFrame(
                {"offer_id": ["tea", "all drinks", "shoes"], "category": [None, "drinks", "shoes"]}
            ),
            "items": pd.DataFrame(
                {
                    "item_id": ["green tea", "coffee", "nail"],
                    "category": ["drinks", "drinks", "tools"],
                }
            ),
            "offer_items": pd.DataFrame({"offer_id": ["tea"], "item_id": ["green tea"]}),
            "transactions": pd.DataFrame(
                {
                    "customer_id": ["ann", "ann", "bob", "bob"],
                    "occurred_at": WHEN,
                    "amount": [3.0, 2.0, 50.0, -60.0],
                    "item_id": ["green tea", "coffee", None, None],
                    "category": [None, None, "shoes", "tools"],
                }
            ),
        }
    )


def encoders_of(dataset: Dataset) -> Encoders:
    return Encoders(
        offer_ids=dataset.offer_ids.ids.astype(np.str_),
        keys=build_keys(dataset),
        demographics=build_demographics(dataset.customers),
        survey=Survey((), ()),
        segments=None,
    )


def test_keys_are_those_that_some_offer_has() -> None:
    keys = build_keys(example())
    assert keys.names.tolist() == ["item:green tea", "category:drinks", "category:shoes"]


def test_money_reaches_every_key_of_a_purchase() -> None:
    dataset = example()
    keys = build_keys(dataset)
    spent = purchases_of(dataset, keys, dataset.customer_ids).toarray()
    np.testing.assert_array_equal(spent, [[3.0, 5.0, 0.0], [0.0, 0.0, 50.0]])


def test_one_person_at_the_door_gets_what_the_table_gives() -> None:
    dataset = example()
    encoders = encoders_of(dataset)
    lines = dataset.transactions
    facts = Facts(
        purchases=[
            {"item_id": row.item_id if isinstance(row.item_id, str) else None,
             "category": row.category if isinstance(row.category, str) else None,
             "amount": row.amount}
            for row in lines[lines["customer_id"] == "ann"].itertuples()
        ]
    )  # fmt: skip
    query = encoders.query_facts(facts, features_of(facts, WHEN), None)
    np.testing.assert_array_equal(query.purchases.toarray(), [[3.0, 5.0, 0.0]])


def test_content_ranks_what_the_customer_buys() -> None:
    dataset = example()
    encoders = encoders_of(dataset)
    scorer = ContentScorer(
        encoders.keys,
        offer_attributes(
            dataset.offers.set_index("offer_id").reindex(encoders.offer_ids).reset_index()
        ),
        default_weight(encoders.keys),
    )
    features = pd.DataFrame(
        columns=["age", "annual_income", "spending_score", "number_of_transactions",
                 "average_transaction_value", "transaction_frequency"], dtype="float64",
    )  # fmt: skip
    query = encoders.query_dataset(dataset, features, dataset.customer_ids)
    best = np.nanargmax(scorer.score(query), axis=1)
    assert encoders.offer_ids[best].tolist() == ["tea", "shoes"]
