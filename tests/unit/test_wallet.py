"""Shares of wallet: what people buy tells who they are, whatever offers are for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import Dataset
from data.idmap import IdMap
from recommender.base import Source
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.features.purchases import HALF_LIFE
from recommender.features.wallet import FEWEST_PEOPLE, MOST, NO_WALLET, build_wallet
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.training import train

AT = pd.Timestamp("2026-03-01", tz="UTC")
BOUGHT = AT - pd.Timedelta(days=1)
MOMENT = BOUGHT.value // 1000
GOODS = ("books", "tools", "wine")
PEOPLE, OFFERS = 400, 12


def bought(lines: list[tuple[str, str | None, str | None, float]]) -> pd.DataFrame:
    table = pd.DataFrame(lines, columns=["customer_id", "item_id", "category", "amount"])
    return table.assign(occurred_at=BOUGHT)


def shop() -> Dataset:
    """Twenty and more people who buy everything, wine by an item that states what it is."""
    people = [f"c{number}" for number in range(FEWEST_PEOPLE + 5)]
    lines = [
        (name, item, category, 10.0 * (1 + number % 3))
        for number, name in enumerate(people)
        for item, category in ((None, "books"), (None, "tools"), ("bottle", None))
    ]
    rare = [(people[0], None, "yachts", 1e6)]
    items = pd.DataFrame({"item_id": ["bottle", "boat"], "category": ["wine", "yachts"]})
    return Dataset.of({"transactions": bought(lines + rare), "items": items})


def test_groups_are_what_many_buy_and_an_item_says_its_own() -> None:
    dataset = shop()
    wallet = build_wallet(dataset, MOMENT)
    assert (wallet.level, wallet.names.tolist()) == ("category", list(GOODS))
    np.testing.assert_allclose(wallet.share, 1 / 3)
    told = zip(wallet.item_ids.tolist(), wallet.item_group.tolist(), strict=True)
    assert dict(told) == {"boat": -1, "bottle": GOODS.index("wine")}
    money = wallet.money(dataset, dataset.customer_ids).toarray()
    assert money[dataset.customer_ids.row("c1")].tolist() == [20.0, 20.0, 20.0]


def test_merchants_are_the_groups_where_nothing_states_a_category() -> None:
    dataset = shop()
    lines = dataset.transactions.assign(
        merchant=dataset.transactions["category"].fillna("cellar"), category=None, item_id=None
    )
    wallet = build_wallet(replace(dataset, transactions=lines.astype({"category": "str"})), MOMENT)
    assert (wallet.level, wallet.names.tolist()) == ("merchant", ["books", "cellar", "tools"])


def test_one_group_tells_nobody_apart_and_there_are_not_too_many() -> None:
    dataset = shop()
    lines = dataset.transactions
    alike = lines[lines["category"] == "books"].reset_index(drop=True)
    assert build_wallet(replace(dataset, transactions=alike), MOMENT) is NO_WALLET
    assert build_wallet(Dataset.of({}), MOMENT) is NO_WALLET
    parts = [alike.assign(category=f"books {number:02}") for number in range(MOST + 3)]
    many = pd.concat(parts, ignore_index=True)
    assert len(build_wallet(replace(dataset, transactions=many), MOMENT).names) == MOST


LINES = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob"]),
        st.sampled_from([None, "bottle", "boat", "never seen"]),
        st.sampled_from([None, *GOODS, "yachts"]),
        st.sampled_from([0.1, 0.7, 1.1, 2.2, 40.0]),
    ),
    max_size=12,
)


@given(before=LINES, after=LINES)
def test_what_comes_later_is_put_on_top_as_if_it_had_been_there(
    before: list[tuple[str, str | None, str | None, float]],
    after: list[tuple[str, str | None, str | None, float]],
) -> None:
    dataset, ids = shop(), IdMap(np.array(["ann", "bob"], dtype=object))
    wallet = build_wallet(dataset, MOMENT)

    def whole(lines: list[tuple[str, str | None, str | None, float]]) -> np.ndarray:
        given = replace(
            dataset, transactions=Dataset.of({"transactions": bought(lines)}).transactions
        )
        return wallet.money(given, ids)

    people = [
        [
            {"item_id": item, "category": category, "amount": amount}
            for who, item, category, amount in after
            if who == name
        ]
        for name in ("ann", "bob")
    ]
    np.testing.assert_allclose(
        wallet.add(whole(before), people).toarray(), whole(before + after).toarray()
    )


def test_nothing_is_spent_where_all_was_given_back() -> None:
    wallet = build_wallet(shop(), MOMENT)
    nothing = wallet.money(Dataset.of({}), IdMap(np.array(["ann"], dtype=object)))
    lines = [{"category": "books", "amount": amount} for amount in (1.10, 2.20, -3.30)]
    assert wallet.add(nothing, [lines]).nnz == 0
    # What was given back once more than was bought does not count against what is bought next.
    owing = wallet.add(nothing, [[{"category": "books", "amount": -5.0}]])
    assert wallet.add(owing, [[{"category": "books", "amount": 3.0}]]).sum() == 3.0


def test_what_was_spent_long_before_counts_less() -> None:
    dataset = shop()
    wallet = build_wallet(dataset, MOMENT + HALF_LIFE)
    money = wallet.money(dataset, dataset.customer_ids)
    assert money[dataset.customer_ids.row("c1")].toarray().ravel().tolist() == [10.0] * 3
    then = {"category": "books", "amount": 8.0, "occurred_at": MOMENT - HALF_LIFE}
    later = wallet.add(money, [[then, {"category": "books", "amount": 8.0}]] + [[]] * 24)
    assert later.sum() - money.sum() == pytest.approx(8.0 / 4 + 8.0)
    np.testing.assert_allclose(wallet.share, 1 / 3)


def test_lifts_compare_with_everybodys_shares() -> None:
    dataset = shop()
    wallet = build_wallet(dataset, MOMENT)
    ids = IdMap(np.array(["ann", "bob"], dtype=object))
    own = Dataset.of({"transactions": bought([("ann", None, "wine", 1e6)])})
    value, known = wallet.lifts(wallet.money(own, ids))
    assert known.tolist() == [[True] * 3, [False] * 3]
    assert value[0, 2] == pytest.approx(np.log(3), abs=1e-3)
    assert (value[0, :2] < -5).all()
    np.testing.assert_array_equal(value[1], 0.0)


# -- in a model


@pytest.fixture(scope="module")
def world() -> Dataset:
    """Offers that state nothing, each for those who buy one kind of goods; showing is logged."""
    random = np.random.default_rng(7)
    likes = random.integers(0, len(GOODS), PEOPLE)
    people = np.array([f"c{number:03}" for number in range(PEOPLE)])
    shares = np.where(np.arange(len(GOODS)) == likes[:, None], 0.6, 0.2)
    lines = [
        (people[who], None, GOODS[random.choice(len(GOODS), p=shares[who])], 10.0)
        for who in np.repeat(np.arange(PEOPLE), 30)
    ]
    events = []
    for who in range(0, PEOPLE, 2):  # nothing was shown to every other
        for offer in random.choice(OFFERS, 6, replace=False):
            taken = random.random() < (0.5 if offer % len(GOODS) == likes[who] else 0.03)
            day = AT - pd.Timedelta(days=float(random.uniform(1, 90)))
            row = (people[who], f"o{offer:02}")
            events.append((*row, "impression", day))
            events += [(*row, "redemption", day + pd.Timedelta(minutes=5))] * taken
    return Dataset.of(
        {
            "customers": pd.DataFrame({"customer_id": people}),
            "offers": pd.DataFrame({"offer_id": [f"o{number:02}" for number in range(OFFERS)]}),
            "transactions": bought(lines).assign(occurred_at=AT - pd.Timedelta(days=100)),
            "interactions": pd.DataFrame(
                events, columns=["customer_id", "offer_id", "event_type", "occurred_at"]
            ),
        }
    )


@pytest.fixture(scope="module")
def bundle(world: Dataset, spared: None) -> Bundle:
    return train(world, at=AT)


def test_what_people_buy_says_what_they_want_where_offers_state_nothing(bundle: Bundle) -> None:
    service = Service(bundle)
    lines = [{"category": "wine", "amount": 10.0}] * 25 + [{"category": "books", "amount": 10.0}]
    query = service.query("new", Facts(purchases=lines), AT)
    (found,) = service.recommend(query, Wish(AT, n=4))
    ids = bundle.recommender.encoders.offer_ids if bundle.recommender else []
    listed = {str(ids[one.row]) for one in found.offers}
    assert listed == {f"o{number:02}" for number in range(2, OFFERS, len(GOODS))}
    assert found.offers[0].source == Source.DEMOGRAPHIC
    for said in service.explainer.reasons(query, found.offers):
        assert "Popular with people like you: much spent on wine." in said


@pytest.mark.parametrize(("state", "counted"), [(GOODS, False), (("policies",), True)])
def test_where_showing_is_not_logged_shares_count_unless_purchases_are_of_what_offers_are_for(
    state: tuple[str, ...], counted: bool, world: Dataset, spared: None
) -> None:
    log = world.interactions
    taken = log[log["event_type"] == "redemption"].reset_index(drop=True)
    stated = [state[number % len(state)] for number in range(OFFERS)]
    offers = world.offers.assign(category=pd.Series(stated, dtype="str"))
    bundle = train(replace(world, offers=offers, interactions=taken), at=AT)
    assert bundle.recommender is not None
    assert (len(bundle.recommender.encoders.wallet.names) > 0) == counted
