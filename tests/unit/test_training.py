"""Training from whatever tables there are, and never from the future."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import DataError
from data.synthetic import WorldParameters, generate
from evaluation.harness import run_trial
from evaluation.protocol import Protocol
from evaluation.splitting import split_dataset
from recommender.base import HYBRID, POLICIES, Source
from recommender.batch import query_customers, recommend_batch
from recommender.bundle import Bundle
from recommender.explanation import Explainer
from recommender.features import profile_columns
from recommender.features.profile_columns import build_demographics
from recommender.past import validation
from recommender.past.thinning import some_customers
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.storage.model_folder import save
from recommender.training import train

pytestmark = pytest.mark.usefixtures("spared")
Change = Callable[[dict[str, pd.DataFrame]], dict[str, pd.DataFrame]]


def without(*names: str) -> Change:
    return lambda tables: {name: frame for name, frame in tables.items() if name not in names}


def only(*names: str) -> Change:
    return lambda tables: {name: tables[name] for name in names}


def one_customer(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    who = tables["interactions"]["customer_id"].value_counts().index[0]
    return {
        name: frame[frame["customer_id"] == who] if "customer_id" in frame else frame
        for name, frame in tables.items()
    }


def one_offer(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    which = tables["interactions"]["offer_id"].value_counts().index[0]
    return {
        name: frame[frame["offer_id"] == which] if "offer_id" in frame else frame
        for name, frame in tables.items()
    }


def alike(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    people = tables["customers"].assign(
        gender="Female", age=40.0, annual_income=50.0, spending_score=50.0
    )
    return {**tables, "customers": people}


def nothing_redeemed(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    log = tables["interactions"]
    return {**tables, "interactions": log[log["event_type"] != "redemption"]}


def one_moment(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    when = pd.Timestamp("2025-03-01", tz="UTC")
    offers = tables["offers"].drop(columns=["valid_from", "valid_until"])
    return {
        **tables,
        "offers": offers,
        "interactions": tables["interactions"].assign(occurred_at=when),
        "transactions": tables["transactions"].assign(occurred_at=when),
    }


def unknown_attributes(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {**tables, "customers": tables["customers"][["customer_id"]]}


def doubled(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    log = tables["interactions"].drop(columns="event_id")
    return {**tables, "interactions": pd.concat([log, log], ignore_index=True)}


WORLDS: dict[str, Change] = {
    "everything": without(),
    "no transactions": without("transactions"),
    "no interactions": without("interactions"),
    "no items": without("items", "offer_items"),
    "no offer items": without("offer_items"),
    "no customers table": without("customers"),
    "no answers": without("survey_answers"),
    "nothing redeemed": nothing_redeemed,
    "one customer": one_customer,
    "one offer": one_offer,
    "customers alike": alike,
    "one moment": one_moment,
    "unknown attributes": unknown_attributes,
    "doubled interactions": doubled,
}


def changed(tables: dict[str, pd.DataFrame], change: Change) -> Dataset:
    facts = {name: frame for name, frame in tables.items() if "/" not in name}
    return Dataset.of(change(facts))


# In which whole parts of a model are missing or have nothing to go by.
QUICK = ("no interactions", "one customer")


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in WORLDS],
)
def test_a_sensible_list_comes_from_what_there_is(
    small_world: dict[str, pd.DataFrame], name: str
) -> None:
    dataset = changed(small_world, WORLDS[name])
    bundle = train(dataset)
    service = Service(bundle)
    query = bundle.customers.query
    assert query is not None
    for policy in POLICIES:
        lists = service.recommend(query, Wish(at=bundle.moment, policy=policy, n=5))
        assert len(lists) == len(bundle.customers.ids)
        for listed in (listing.offers for listing in lists):
            scores = [one.score for one in listed]
            assert np.isfinite(scores).all()
            assert scores == sorted(scores, reverse=True)
            assert len({one.row for one in listed}) == len(listed)
    everybody = service.recommend(query, Wish(at=bundle.moment, n=3, include_seen=True))
    assert all(listing.offers for listing in everybody)


def test_customers_only_give_segments(small_world: dict[str, pd.DataFrame]) -> None:
    bundle = train(changed(small_world, only("customers")))
    assert bundle.segments is not None
    assert bundle.recommender is None
    assert any("Offers are missing" in note for note in bundle.notes)


def test_without_offers_and_segments_nothing_is_said_of_segments_there_are(
    small_world: dict[str, pd.DataFrame],
) -> None:
    bundle = train(changed(small_world, only("interactions")))
    assert bundle.segments is None
    assert "Offers are missing: this model recommends nothing." in bundle.notes


@pytest.mark.parametrize("names", [("offers",), ()])
def test_where_nobody_is_known_no_moment_is_blamed(
    small_world: dict[str, pd.DataFrame], names: tuple[str, ...]
) -> None:
    with pytest.raises(DataError, match="no customer, transaction or interaction at all") as caught:
        train(changed(small_world, only(*names)))
    assert "--at" not in caught.value.remedy


def test_offers_without_anything_done_recommend_nothing(
    small_world: dict[str, pd.DataFrame],
) -> None:
    bundle = train(changed(small_world, only("customers", "offers")))
    assert bundle.recommender is None
    assert any("recommends nothing" in note for note in bundle.notes)


def test_before_all_data_there_is_nobody(small_world: dict[str, pd.DataFrame]) -> None:
    dataset = changed(small_world, without("customers", "survey_answers"))
    with pytest.raises(DataError, match="No customer is known before 1999"):
        train(dataset, at=pd.Timestamp("1999-01-01", tz="UTC"))


def test_the_future_changes_nothing(
    small_dataset: Dataset, earlier_bundle: Bundle, tmp_path: Path
) -> None:
    at = earlier_bundle.moment
    assert at < small_dataset.moment_after()
    # A moment without a zone is one in UTC, as in tables.
    past = train(small_dataset.before(at), at=at.tz_localize(None))
    # The other one was given the whole; so training is deterministic as well.
    versions = [
        save(bundle, tmp_path / name).version
        for name, bundle in (("whole", earlier_bundle), ("past", past))
    ]
    assert versions[0] == versions[1]


@pytest.mark.slow
def test_what_a_profile_counts_is_learnt_of_the_columns_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The more customers, the more bands a number has; past moments know fewer, and a sample."""
    monkeypatch.setattr(profile_columns, "PEOPLE", 20)
    monkeypatch.setattr(validation, "some_customers", partial(some_customers, most=300))
    world = Dataset.of(generate(WorldParameters(customers=600, offers=40, days=120, seed=3)))
    random, people = np.random.default_rng(0), len(world.customers)
    own = {
        "balance": random.normal(size=people),
        "job": random.choice([f"j{n}" for n in range(90)], people),
    }
    dataset = replace(world, customers=world.customers.assign(**own))
    bundle = train(dataset, tries=1)
    model = bundle.recommender
    assert model is not None
    assert model.hybrid.calibrated
    columns = len(model.encoders.demographics.names)
    assert len(build_demographics(dataset.customers.iloc[::2], 0).names) < columns
    assert model.hybrid.start.profile.shape == (columns,)
    query = bundle.customers.query
    assert query is not None
    assert np.isfinite(model.blend(query.take(slice(0, 50))).score).all()


@pytest.mark.slow
def test_shuffled_redemptions_teach_nothing(small_dataset: Dataset) -> None:
    split = split_dataset(small_dataset, Protocol())
    service = Service(train(split.train, at=split.at))
    real = run_trial(service, split, policies=("hybrid", "random"))
    ours = real.ranking["all"]["hybrid"]["ndcg@10"].value
    assert ours > real.ranking["all"]["random"]["ndcg@10"].value


@pytest.fixture(scope="module")
def towns() -> Service:
    """A service where fewer of some people have what most have."""
    random = np.random.default_rng(0)
    n = 1500
    rural = random.random(n) < 0.25
    has = {"account": np.where(rural, 0.65, 0.95), "loan": np.where(rural, 0.4, 0.05)}
    has |= {f"other {number}": np.full(n, 0.1) for number in range(4)}
    people = pd.Series([f"c{number}" for number in range(n)], dtype="str")
    dataset = Dataset.of(
        {
            "customers": pd.DataFrame(
                {"customer_id": people, "region": np.where(rural, "rural", "town")}
            ),
            "offers": pd.DataFrame({"offer_id": list(has)}),
            "interactions": pd.concat(
                [
                    pd.DataFrame({"customer_id": people[random.random(n) < chance]}).assign(
                        offer_id=offer,
                        event_type="redemption",
                        occurred_at=pd.Timestamp("2026-01-01", tz="UTC"),
                    )
                    for offer, chance in has.items()
                ]
            ),
        }
    )
    return Service(train(dataset))


@pytest.mark.parametrize("policy", [HYBRID, Source.DEMOGRAPHIC])
def test_what_most_people_have_stays_ahead_for_those_of_whom_fewer_have_it(
    towns: Service, policy: str
) -> None:
    stranger = Dataset.of(
        {"customers": pd.DataFrame({"customer_id": ["new"], "region": ["rural"]})}
    )
    wish = Wish(towns.bundle.moment, n=2, policy=policy)
    lists = recommend_batch(towns, stranger, wish)
    assert lists["offer_id"].tolist() == ["account", "loan"]
    # What fewer of them have than of others is not said to be popular with people like them.
    _, query = query_customers(towns.bundle, stranger, wish.at)
    listed = towns.recommend(query, replace(wish, policy=HYBRID))[0].offers
    account, loan = Explainer(towns.bundle.offers, towns.recommender).reasons(query, listed)
    assert account == ["Popular with all customers."]
    assert "Popular with people like you: region rural." in loan
