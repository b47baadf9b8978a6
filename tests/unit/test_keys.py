"""Purchase keys on an example small enough to check by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from recommender.content import PRIOR, ContentScorer
from recommender.encoders import Encoders
from recommender.facts import Facts
from recommender.features.attributes import build_attributes
from recommender.features.key_building import build_keys
from recommender.features.likeness import fit_likeness
from recommender.features.profile_columns import build_demographics
from recommender.features.purchases import (
    HALF_LIFE,
    add_purchases,
    purchases_of,
    purchases_of_people,
)
from recommender.features.spending import Spending
from recommender.features.wallet import NO_WALLET
from recommender.fitting.foreseeing import fit_would
from recommender.survey import Survey
from segmentation.features import features_of_one

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
        demographics=build_demographics(dataset.customers, 0),
        survey=Survey((), ()),
        segments=None,
        moment=WHEN.value // 1000,
        counting=np.zeros(len(dataset.offer_ids), dtype=bool),
        wallet=NO_WALLET,
    )


def test_keys_are_those_that_some_offer_has() -> None:
    keys = build_keys(example())
    assert keys.names.tolist() == [
        "item:green tea", "category:drinks", "category:shoes",
    ]  # fmt: skip


def test_the_type_is_the_finest_grouping_by_brand() -> None:
    dataset = example()
    items = dataset.items.assign(
        kind=["tea", "coffee", "nail"], brand=["own", "own", "other"], price=[1.0, 2.0, 3.0]
    )
    many = pd.concat([items, items.assign(item_id=items["item_id"] + " 2")], ignore_index=True)
    keys = build_keys(replace(dataset, items=many))
    assert "type:tea, own" in keys.names.tolist()
    unbranded = many.assign(brand=many["brand"].where(many["kind"] != "tea"))
    assert "type:tea" in build_keys(replace(dataset, items=unbranded)).names.tolist()


def test_levels_above_the_item_are_shares_of_the_offers_items() -> None:
    dataset = example()
    links = pd.DataFrame(
        {"offer_id": "tea", "item_id": ["green tea", "coffee", "nail"]}, dtype="str"
    )
    keys = build_keys(replace(dataset, offer_items=links))
    row = keys.offer_keys[dataset.offer_ids.row("tea")].toarray().ravel()
    told = dict(zip(keys.names.tolist(), row.tolist(), strict=True))
    assert told["item:nail"] == told["item:coffee"] == 1.0
    assert told["category:drinks"] == pytest.approx(2 / 3)
    assert told["category:tools"] == pytest.approx(1 / 3)


def test_money_reaches_every_key_of_a_purchase() -> None:
    dataset = example()
    keys = build_keys(dataset)
    found = purchases_of(dataset, keys, dataset.customer_ids, WHEN.value // 1000)
    np.testing.assert_array_equal(found.spend.toarray(), [[3.0, 5.0, 0.0], [0.0, 0.0, 50.0]])
    np.testing.assert_array_equal(found.recent.toarray(), [[1, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(found.spent.toarray(), [[5.0], [0.0]])


def test_transactions_are_counted_by_type_and_refunds_are_none() -> None:
    dataset = example()
    items = pd.concat([dataset.items, dataset.items.assign(item_id=["black tea", "cocoa", "nut"])])
    lines = dataset.transactions.assign(
        transaction_id=["t1", "t1", "t2", "t3"], item_id=["green tea", "coffee", "cocoa", "cocoa"]
    )
    dataset = replace(dataset, items=items, transactions=lines)
    keys = build_keys(dataset)
    found = purchases_of(dataset, keys, dataset.customer_ids, WHEN.value // 1000)
    column = keys.key_rows["type:drinks"]
    assert found.baskets[:, [column]].toarray().ravel().tolist() == [1.0, 1.0]


def test_a_purchase_is_half_as_recent_after_its_half_life() -> None:
    dataset = example()
    keys = build_keys(dataset)
    found = purchases_of(dataset, keys, dataset.customer_ids, WHEN.value // 1000 + HALF_LIFE)
    assert found.recent[0, 0] == pytest.approx(0.5)


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
    query = encoders.query_people(
        [facts], features_of_one({}, facts.purchases, WHEN)[None], encoders.nothing_known, set()
    )
    np.testing.assert_array_equal(query.purchases.toarray(), [[3.0, 5.0, 0.0]])


ALL_BACK = [[1.10, 2.20, -3.30], [0.1, 0.7, -0.8], [19.99, 5.49, -25.48], [5.0, -5.0]]


@pytest.mark.parametrize("amounts", ALL_BACK)
def test_nothing_is_spent_where_all_was_given_back_whatever_rounding_leaves(
    amounts: list[float],
) -> None:
    dataset = example()
    lines = [{"item_id": "green tea", "amount": amount} for amount in amounts]
    table = pd.DataFrame(lines).assign(customer_id="ann", occurred_at=WHEN)
    keys = build_keys(dataset)
    given = Dataset.of({**dataset.tables(), "transactions": table})
    whole = purchases_of(given, keys, given.customer_ids, WHEN.value // 1000)
    first, rest, at_once = (
        purchases_of_people([some], keys, WHEN.value // 1000)
        for some in (lines[:-1], lines[-1:], lines)
    )
    assert first.spend.nnz
    nothing = purchases_of_people([[]], keys, WHEN.value // 1000)
    for found in (whole, add_purchases(first, rest), add_purchases(nothing, at_once)):
        assert (found.spend.nnz, found.spent.nnz) == (0, 0)


def of_merchants(transactions: pd.DataFrame) -> Dataset:
    """Offers of merchants and categories, and purchases that name no item."""
    offers = pd.DataFrame(
        {
            "offer_id": ["cafe", "diner", "shop"],
            "category": ["food", "food", "clothes"],
            "merchant": ["Cafe", "Diner", "Shop"],
        }
    )
    return Dataset.of({"offers": offers, "transactions": transactions})


def visits(merchants: list[str], amounts: list[float], days: list[int]) -> pd.DataFrame:
    category = {"Cafe": "food", "Diner": "food", "Shop": "clothes"}
    return pd.DataFrame(
        {
            "customer_id": "ann",
            "occurred_at": [WHEN - pd.Timedelta(days=day) for day in days],
            "amount": amounts,
            "merchant": merchants,
            "category": [category[name] for name in merchants],
        }
    )


def test_without_items_visits_and_how_lately_count_by_the_finest_that_offers_state() -> None:
    lines = visits(["Cafe", "Cafe", "Diner", "Cafe"], [3, 4, 90, -2], [60, 90, 0, 0])
    dataset = of_merchants(lines)
    keys, moment = build_keys(dataset), WHEN.value // 1000
    assert keys.levels == ("item", "type", "merchant", "category")
    found = purchases_of(dataset, keys, dataset.customer_ids, moment)
    rows = [keys.key_rows[f"merchant:{name}"] for name in ("Cafe", "Diner", "Shop")]
    assert found.baskets[:, rows].toarray().ravel().tolist() == [2.0, 1.0, 0.0]
    np.testing.assert_allclose(found.recent[:, rows].toarray().ravel(), [0.5, 1.0, 0.0])
    assert found.baskets.nnz == found.recent.nnz == 2  # nothing by category
    told = [
        {"merchant": row.merchant, "category": row.category, "amount": row.amount,
         "occurred_at": row.occurred_at.value // 1000}
        for row in lines.itertuples()
    ]  # fmt: skip
    alone = purchases_of_people([told], keys, moment)
    for name in ("spend", "baskets", "recent"):
        np.testing.assert_allclose(getattr(alone, name).toarray(), getattr(found, name).toarray())
    spend = Spending.of(found.spend, keys).rows(np.array([0])).toarray()[0]
    np.testing.assert_allclose(spend * keys.unit, [5.0, 90.0, 0.0])


def test_where_all_offers_are_of_one_merchant_the_category_is_finer() -> None:
    dataset = of_merchants(visits(["Cafe"], [3], [0]))
    keys = build_keys(replace(dataset, offers=dataset.offers.assign(merchant="Us")))
    assert keys.levels == ("item", "type", "category", "merchant")


def test_content_ranks_what_the_customer_buys() -> None:
    dataset = example()
    encoders = encoders_of(dataset)
    features = pd.DataFrame(
        columns=["age", "annual_income", "spending_score", "number_of_transactions",
                 "average_transaction_value", "transaction_frequency"], dtype="float64",
    )  # fmt: skip
    query = encoders.query_dataset(dataset, features, dataset.customer_ids)
    table = dataset.offers.set_index("offer_id").reindex(encoders.offer_ids).reset_index()
    columns = build_attributes(table)
    attributes = columns.of(table)
    scorer = ContentScorer(
        encoders.keys,
        columns,
        attributes,
        fit_likeness(attributes, np.ones(len(table))),
        None,
        np.zeros(0),
        fit_would(query, encoders.keys),
        np.array(list(PRIOR.values())),
    )
    best = np.nanargmax(scorer.score(query), axis=1)
    assert encoders.offer_ids[best].tolist() == ["tea", "shoes"]
