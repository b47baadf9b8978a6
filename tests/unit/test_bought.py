"""Where nothing but purchases is known, to buy what an offer is for counts as to take it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from data.schema import BOUGHT, EVENT_TYPE
from evaluation.checks.leakage import check_pairs, check_rows
from evaluation.protocol import Protocol
from evaluation.splitting import split_dataset, with_purchases
from recommender.base import Source
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.features.bought import known_before, with_bought
from recommender.past.validation import fold_at
from recommender.release.gate import judge_release
from recommender.service import Service
from recommender.serving.arrivals import with_arrivals
from recommender.serving.lists import Listed, Wish
from recommender.training import train

pytestmark = pytest.mark.usefixtures("spared")
START = pd.Timestamp("2025-01-01", tz="UTC")
PEOPLE, PRODUCTS, DAYS = 120, 24, 120


def shop() -> dict[str, pd.DataFrame]:
    """Make customers who buy two of four families of cheap and dear products again and again."""
    random = np.random.default_rng(0)
    lines = []
    for person in range(PEOPLE):
        families = random.choice(4, 2, replace=False)
        own = [int(item) for item in range(PRODUCTS) if item % 4 in families]
        often = random.dirichlet(np.full(len(own), 0.3))
        for visit in range(random.integers(6, 14)):
            when = START + pd.Timedelta(hours=float(random.integers(0, DAYS * 24)))
            for item in set(random.choice(own, 3, p=often).tolist()):
                price = 1.0 + 200.0 * (item % 5 == 0)
                lines.append((f"c{person:03}", f"i{item:02}", when, price, f"t{person}-{visit}"))
    names = ["customer_id", "item_id", "occurred_at", "amount", "transaction_id"]
    items = [f"i{item:02}" for item in range(PRODUCTS)]
    offers = [f"o{item:02}" for item in range(PRODUCTS)]
    return {
        "offers": pd.DataFrame({"offer_id": offers}),
        "offer_items": pd.DataFrame({"offer_id": offers, "item_id": items}),
        "transactions": pd.DataFrame(lines, columns=names),
    }


def redeemed(n: int) -> pd.DataFrame:
    """Make redemptions of one offer."""
    return pd.DataFrame(
        {
            "customer_id": [f"c{one % PEOPLE:03}" for one in range(n)],
            "offer_id": "o00",
            "event_type": "redemption",
            "occurred_at": START,
        }
    )


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Dataset.of(shop())


@pytest.fixture(scope="module")
def bundle(dataset: Dataset) -> Bundle:
    return train(dataset, at=START + pd.Timedelta(days=DAYS - 30))


def test_each_purchase_counts_once_a_transaction_and_refunds_do_not() -> None:
    tables = shop()
    lines = tables["transactions"].iloc[:2].copy()
    refund = lines.iloc[[0]].assign(amount=-1.0, transaction_id="refund")
    tables["transactions"] = pd.concat([lines, lines.iloc[[0]], refund])
    log = with_bought(Dataset.of(tables)).interactions
    assert log["offer_id"].tolist() == ["o" + item[1:] for item in lines["item_id"]]
    assert (log[EVENT_TYPE] == BOUGHT).all()


def test_where_something_was_redeemed_or_offers_are_no_products_nothing_changes(
    dataset: Dataset,
) -> None:
    assert with_bought(told := Dataset.of({**shop(), "interactions": redeemed(130)})) is told
    assert with_bought(dataset, most=0) is dataset
    dated = shop()["offers"].assign(valid_until=START + pd.Timedelta(days=DAYS))
    assert with_bought(passing := Dataset.of({**shop(), "offers": dated})) is passing
    tables = shop()
    bundles = tables["offer_items"].assign(item_id="i00")
    tables["offer_items"] = pd.concat([tables["offer_items"], bundles]).drop_duplicates()
    assert with_bought(several := Dataset.of(tables)) is several


def test_purchases_at_the_merchant_of_an_offer_without_items_count() -> None:
    tables = shop()
    shops = tables["transactions"]["item_id"].map(lambda item: f"shop {item}")
    tables["transactions"] = tables["transactions"].drop(columns="item_id").assign(merchant=shops)
    stated = tables["offers"].assign(merchant=[f"shop i{n:02}" for n in range(PRODUCTS)])
    tables = {"offers": stated, "transactions": tables["transactions"]}
    assert len(with_bought(Dataset.of(tables)).interactions) == len(tables["transactions"])


def test_a_few_redemptions_do_not_take_the_place_of_all_purchases() -> None:
    few = Dataset.of({**shop(), "interactions": redeemed(40)})
    assert with_bought(few).positive_type() == BOUGHT
    assert with_bought(with_bought(few)).interactions.equals(with_bought(few).interactions)


def test_offers_of_a_merchant_with_many_and_promotions_are_not_taken_by_buying() -> None:
    tables = shop()
    tables["items"] = pd.DataFrame({"item_id": tables["offer_items"]["item_id"], "merchant": "x"})
    more = [f"all {n}" for n in range(8)]
    general = pd.DataFrame({"offer_id": more, "merchant": "x"})
    soon = pd.DataFrame({"offer_id": ["soon"], "valid_from": START + pd.Timedelta(days=DAYS)})
    tables["offers"] = pd.concat([tables["offers"], general, soon])
    promoted = pd.DataFrame({"offer_id": ["soon"], "item_id": ["i01"]})
    tables["offer_items"] = pd.concat([tables["offer_items"], promoted])
    log = with_bought(Dataset.of(tables)).interactions
    assert log["offer_id"].nunique() == PRODUCTS
    end = pd.Series(["9999-12-31"] * PRODUCTS).astype("datetime64[us]").dt.tz_localize("UTC")
    open_end = shop()["offers"].assign(valid_from=START, valid_until=end)
    lasting = Dataset.of({**shop(), "offers": open_end})
    assert len(with_bought(lasting).interactions) == len(log)


def test_what_was_given_back_was_not_bought(bundle: Bundle) -> None:
    tables = shop()
    lines = tables["transactions"]
    back = lines[lines["item_id"] == "i03"].assign(amount=lambda table: -table["amount"])
    tables["transactions"] = pd.concat([lines, back])
    assert "o03" not in set(with_bought(Dataset.of(tables)).interactions["offer_id"])
    pair = [{"amount": amount, "item_id": "i03", "occurred_at": None} for amount in (3.0, -3.0)]
    query = Service(bundle).query("new", Facts(purchases=pair), pd.Timestamp(bundle.at))
    assert not query.redeemed.nnz


@pytest.mark.parametrize(
    ("bought", "redeemed", "words"),
    [
        (1, 2, "You bought this once and took it 2 times before."),
        (2, 1, "You bought this 2 times and took it once before."),
        (2, 0, "You bought this 2 times before."),
        (0, 1, "You took this before."),
    ],
)
def test_what_was_bought_and_what_was_redeemed_are_counted_each(
    bundle: Bundle, bought: int, redeemed: int, words: str
) -> None:
    line = {"amount": 5.0, "item_id": "i03"}
    facts = Facts(purchases=[line] * bought, interactions=[("o03", "redemption", None)] * redeemed)
    service = Service(bundle)
    query = service.query("new", facts, pd.Timestamp(bundle.at))
    row = service.recommender.encoders.offer_rows["o03"]
    listed = [Listed(row, 1.0, Source.COLLABORATIVE, {Source.COLLABORATIVE: 1.0})]
    assert service.explainer.reasons(query, listed) == [[words]]


@pytest.mark.parametrize("amounts", [(1.10, 2.20, -3.30), (0.1, 0.2, -0.3), (3.3, 1.1, -4.4)])
def test_what_was_given_back_in_full_was_not_bought_whatever_rounding_leaves(
    bundle: Bundle, amounts: tuple[float, ...]
) -> None:
    lines = [
        {"amount": amount, "item_id": "i03", "occurred_at": None, "transaction_id": f"t{n}"}
        for n, amount in enumerate(amounts)
    ]
    query = Service(bundle).query("new", Facts(purchases=lines), pd.Timestamp(bundle.at))
    assert not query.redeemed.nnz
    table = pd.DataFrame(lines).assign(customer_id="new", occurred_at=START)
    bought = with_bought(
        Dataset.of({**shop(), "transactions": pd.concat([shop()["transactions"], table])})
    )
    assert "new" not in set(bought.interactions["customer_id"])


def test_what_was_given_back_later_had_been_bought_by_then() -> None:
    tables = shop()
    lines, cut = tables["transactions"], START + pd.Timedelta(days=80)
    sold = lines[(lines["item_id"] == "i03") & (lines["occurred_at"] < cut)]
    back = sold.assign(amount=-sold["amount"], occurred_at=START + pd.Timedelta(days=DAYS - 5))
    tables["transactions"] = pd.concat([lines, back])
    whole = with_purchases(Dataset.of(tables))
    alone = with_purchases(Dataset.of(tables).before(cut))
    same = ["customer_id", "offer_id", "occurred_at"]
    expected = alone.interactions[same].sort_values(same, ignore_index=True)
    assert "o03" in set(expected["offer_id"])
    split = split_dataset(whole, Protocol(at=cut))
    fold = fold_at(whole, cut, whole.moment_after())
    for past in (split.train, known_before(whole, cut), fold.past):
        found = past.interactions[same].sort_values(same, ignore_index=True)
        pd.testing.assert_frame_equal(found, expected)
    assert check_rows(whole, split).passed


@pytest.mark.parametrize("part", [1.0, 0.5])
def test_what_is_given_back_after_training_takes_back_what_the_model_holds(
    dataset: Dataset, bundle: Bundle, part: float
) -> None:
    at = pd.Timestamp(bundle.at)
    known = dataset.before(at).transactions
    mine = known[known["customer_id"] == "c005"]
    item = mine["item_id"].value_counts().index[0]
    spent = float(mine.loc[mine["item_id"] == item, "amount"].sum())
    lines = [
        {"amount": one.amount, "item_id": one.item_id, "transaction_id": one.transaction_id,
         "occurred_at": one.occurred_at.value // 1000}
        for one in mine.itertuples()
    ]  # fmt: skip
    later = [
        {"amount": amount, "item_id": item, "transaction_id": name, "occurred_at": at.value // 1000}
        for name, amount in (
            ("back", -part * spent),
            ("again", 0.25 * spent),
            ("off", -0.25 * spent),
        )
    ]
    service = Service(bundle)
    whole = service.query("c005", Facts(purchases=[*lines, *later]), at, whole=True)
    since = service.query("c005", Facts(purchases=later), at)
    row = service.recommender.encoders.offer_rows[f"o{item[1:]}"]
    assert (whole.bought[0, row] == 0) == (part == 1.0)
    for name in ("history", "redeemed", "bought", "purchases"):
        np.testing.assert_allclose(
            getattr(since, name).toarray(), getattr(whole, name).toarray(), atol=1e-9, err_msg=name
        )


def test_a_new_title_leaves_the_habit_of_an_offer_as_it_is(bundle: Bundle) -> None:
    later = {"offer_id": "o03", "title": "Milk", "items": ("i03",)}
    changed = with_arrivals(bundle, [later]).recommender
    assert changed is not None
    assert bundle.recommender is not None
    habit = bundle.recommender.collaborative.habit
    np.testing.assert_array_equal(changed.collaborative.habit, habit)
    assert changed.encoders.by_purchases


def test_pairs_held_out_at_random_leave_no_purchase() -> None:
    tables = shop()
    tables["transactions"]["occurred_at"] = START
    dataset = with_purchases(Dataset.of(tables))
    split = split_dataset(dataset, Protocol())
    assert not split.by_time
    assert check_pairs(dataset, split).passed
    told = replace(split, train=replace(split.train, transactions=dataset.transactions))
    assert not check_pairs(dataset, told).passed


def test_what_is_bought_often_comes_before_what_cost_much(dataset: Dataset, bundle: Bundle) -> None:
    at = pd.Timestamp(bundle.at)
    assert bundle.recommender is not None
    assert any("counts as that" in note for note in bundle.notes)
    lists = Service(bundle).recommend(bundle.customers.query, Wish(at=at, n=5))  # type: ignore[arg-type]
    lines = dataset.transactions
    later = lines[lines["occurred_at"] >= at].groupby("customer_id")["item_id"].agg(set)
    past = lines[lines["occurred_at"] < at]
    service, hits, spent_hits = Service(bundle), [], []
    for name, listing in zip(bundle.customers.ids, lists, strict=True):
        if name in later.index:
            own = ["i" + service.shown(one.row)[0][1:] for one in listing.offers]
            money = past[past["customer_id"] == name].groupby("item_id")["amount"].sum()
            hits.append(len(later[name].intersection(own)))
            spent_hits.append(len(later[name].intersection(money.nlargest(5).index)))
    assert np.mean(hits) > np.mean(spent_hits)


def test_the_door_says_what_training_says(dataset: Dataset, bundle: Bundle) -> None:
    at = pd.Timestamp(bundle.at)
    service = Service(bundle)
    before = dataset.before(at).transactions
    lines = before[before["customer_id"] == "c007"]
    purchases = [
        {**line, "occurred_at": line["occurred_at"].value // 1000}
        for line in lines.to_dict("records")
    ]
    whole = service.query("c007", Facts(purchases=purchases), at, whole=True)
    row = service.query("c007", Facts(), at)
    for name in ("history", "redeemed", "bought"):
        one, two = (getattr(query, name).toarray() for query in (whole, row))
        np.testing.assert_allclose(one, two, rtol=1e-9)
        assert two.any()


def test_purchases_use_no_offer_up_and_redemptions_do(bundle: Bundle) -> None:
    at = pd.Timestamp(bundle.at)
    service = Service(bundle)
    wish = Wish(at=at, n=PRODUCTS)

    def listed(facts: Facts) -> set[str]:
        listing = service.recommend(service.query("new", facts, at), wish)[0]
        return {service.shown(one.row)[0] for one in listing.offers}

    bought = Facts(purchases=[{"amount": 5.0, "item_id": "i03", "occurred_at": None}])
    assert "o03" in listed(bought)
    query = service.query("new", bought, at)
    first = service.recommend(query, Wish(at=at, n=1))[0].offers
    alone = [replace(first[0], contributions={Source.COLLABORATIVE: 1.0})]
    assert service.explainer.reasons(query, alone) == [["You bought this before."]]
    redeemed = replace(bought, interactions=[("o03", "redemption", None)])
    assert listed(redeemed) == listed(bought) - {"o03"}


def test_the_gate_compares_by_purchases(dataset: Dataset, bundle: Bundle) -> None:
    later = replace(bundle, at=dataset.moment_after().isoformat())
    verdict = judge_release(
        dataset, later, replace(bundle, version="x"), thorough=False, trainer=lambda *_: bundle
    )
    worse, order, *_ = verdict.checks
    assert (worse.passed, order.passed) == (True, True)
    assert worse.figures["n"] > 0
    assert worse.figures["difference"] == 0


@pytest.mark.slow
def test_a_model_of_all_purchases_passes_the_gate(dataset: Dataset, bundle: Bundle) -> None:
    verdict = judge_release(dataset, train(dataset), replace(bundle, version="x"), thorough=False)
    worse, order, *_ = verdict.checks
    assert (worse.passed, order.passed) == (True, True)


def test_evaluation_goes_by_purchases_and_says_so(dataset: Dataset, bundle: Bundle) -> None:
    split = split_dataset(with_purchases(dataset), Protocol(at=pd.Timestamp(bundle.at)))
    assert split.relevant == "purchase"
    assert not split.set_aside
    lines = dataset.transactions
    later = lines.loc[lines["occurred_at"] >= split.at, ["customer_id", "item_id"]]
    assert len(split.truth) == len(later.drop_duplicates())
