"""Readiness: which new offers are on goods that are bought with coupons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from recommender.base import Source
from recommender.bundle import Bundle
from recommender.explanation import Explainer
from recommender.facts import Facts
from recommender.features.key_building import build_keys
from recommender.features.readiness import find_readiness
from recommender.service import Service
from recommender.serving.arrivals import with_arrivals
from recommender.serving.lists import Wish
from recommender.training import train

pytestmark = pytest.mark.usefixtures("spared")
OFFERS = ["on eager", "on lazy", "on nobody"]
TIMES = pd.date_range("2025-01-01", periods=60, freq="h", tz="UTC")


def world(**columns: object) -> Dataset:
    """Thirty lines each of two merchants; the first ten of eager's are bought with a coupon."""
    lines = {
        "customer_id": [f"c{number // 2 % 6}" for number in range(60)],
        "occurred_at": TIMES,
        "amount": 5.0,
        "item_id": ["i eager", "i lazy"] * 30,
    }
    return Dataset.of(
        {
            "offers": pd.DataFrame({"offer_id": OFFERS, "merchant": ["eager", "lazy", "nobody"]}),
            "items": pd.DataFrame(
                {"item_id": ["i eager", "i lazy"], "merchant": ["eager", "lazy"]}
            ),
            # On several items each: else to buy the one would count as to take the offer.
            "offer_items": pd.DataFrame(
                {
                    "offer_id": [*OFFERS[:2], *OFFERS[:2]],
                    "item_id": ["i eager", "i lazy", "i eager more", "i lazy more"],
                }
            ),
            "transactions": pd.DataFrame(lines | columns),
        }
    )


COUPONS = np.where((np.arange(60) % 2 == 0) & (np.arange(60) < 20), 1.0, 0.0)


def ready(dataset: Dataset) -> list[float]:
    keys = build_keys(dataset)
    return [float(value) for value in find_readiness(dataset, keys).of(keys.offer_keys)]


def test_goods_bought_with_coupons_more_often_than_usual_are_ready() -> None:
    # Ten coupons in sixty lines: five are usual in thirty.
    assert ready(world(coupon_discount=COUPONS)) == pytest.approx([np.log(14 / 9), 0.0, 0.0])


def test_transactions_that_name_a_merchant_but_no_item_count_alike() -> None:
    named = {"item_id": None, "merchant": ["eager", "lazy"] * 30}
    found = ready(world(coupon_discount=COUPONS, **named))
    assert found == pytest.approx(ready(world(coupon_discount=COUPONS)))


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"coupon_discount": 0.0},
        {"coupon_discount": np.nan},
        {"coupon_discount": "none"},
        {"coupon_discount": COUPONS, "amount": -5.0},
    ],
    ids=["untold", "unused", "missing", "no number", "refunds"],
)
def test_where_nothing_tells_of_coupons_nobody_is_ready(columns: dict[str, object]) -> None:
    assert ready(world(**columns)) == [0.0, 0.0, 0.0]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return train(world(coupon_discount=COUPONS))


def test_of_two_new_offers_the_ready_one_comes_first(bundle: Bundle) -> None:
    # Everybody buys as much of both.
    model = bundle.recommender
    assert model is not None
    query = bundle.customers.query
    assert query is not None
    score = model.blend(query).score
    assert (score[:, 0] > score[:, 1]).all()
    plain = replace(model, hybrid=replace(model.hybrid, ready=np.zeros(3)))
    np.testing.assert_allclose(np.ptp(plain.blend(query).score[:, :2], axis=1), 0, atol=1e-3)


def test_an_offer_that_comes_later_is_as_ready_as_one_that_was_there(bundle: Bundle) -> None:
    later = {"offer_id": "later", "merchant": "eager", "items": ("i eager",)}
    model = with_arrivals(bundle, [later]).recommender
    assert model is not None
    rows = model.encoders.offer_rows
    assert model.hybrid.ready[rows["later"]] == pytest.approx(model.hybrid.ready[rows["on eager"]])
    assert model.hybrid.ready[rows["on lazy"]] == 0.0


def test_it_adds_up_and_is_said_in_words(bundle: Bundle) -> None:
    service = Service(bundle)
    rows = service.recommender.encoders.offer_rows
    query = service.query("c0", Facts(), bundle.moment)
    listed = service.recommend(query, Wish(at=bundle.moment, n=3))[0].offers
    assert listed[0].row == rows["on eager"]
    for one in listed:
        assert sum(one.contributions.values()) == pytest.approx(one.score, abs=1e-9)
    popular = [replace(one, contributions={Source.POPULARITY: 1.0}) for one in listed]
    told = dict(
        zip(
            [one.row for one in listed],
            Explainer(bundle.offers, service.recommender).reasons(query, popular),
            strict=True,
        )
    )
    assert told[rows["on eager"]] == ["Coupons on goods like these are used often."]
    assert told[rows["on lazy"]] == ["Offers like this are taken often."]
