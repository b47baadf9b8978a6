from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.dataset import Dataset
from data.schema import OFFERS
from recommender.base import Source
from recommender.bundle import Bundle
from recommender.facts import Facts
from recommender.service import Service
from recommender.serving.arrivals import with_arrivals
from recommender.serving.lists import Wish
from recommender.storage.model_folder import load, save
from recommender.training import train

pytestmark = pytest.mark.usefixtures("spared")
Offer = dict[str, Any]
LIKE = ("o0003", "o0011", "o0020", "o0031")  # the new offers are like these


def offer(offer_id: str, items: tuple[str, ...] = (), **attributes: Any) -> Offer:
    return {**dict.fromkeys(OFFERS.names), "offer_id": offer_id, "items": items, **attributes}


def stored(dataset: Dataset, offer_id: str, name: str | None = None) -> Offer:
    """Return an offer of the dataset as the store gives it, or another that is like it."""
    row = dataset.offers[dataset.offers["offer_id"] == offer_id].to_dict("records")[0]
    items = dataset.offer_items.loc[dataset.offer_items["offer_id"] == offer_id, "item_id"]
    known = {str(key): None if pd.isna(value) else value for key, value in row.items()}
    return {**known, "offer_id": name or offer_id, "items": tuple(items)}


def scores(bundle: Bundle, source: Source | None = None) -> pd.DataFrame:
    """Score every offer for every customer of a model, by offer id."""
    model, query = bundle.recommender, bundle.customers.query
    assert model is not None
    assert query is not None
    found = (
        model.blend(query).score
        if source is None
        else model.scores(query)[[scorer.source for scorer in model.scorers].index(source)]
    )
    return pd.DataFrame(found, columns=[str(name) for name in model.encoders.offer_ids])


@pytest.fixture(scope="module")
def new(small_dataset: Dataset) -> list[Offer]:
    """New offers on things that people buy, to come between those that are there."""
    return [stored(small_dataset, name, f"{name} again") for name in LIKE]


@pytest.fixture(scope="module")
def arrived(small_bundle: Bundle, new: list[Offer]) -> Bundle:
    return with_arrivals(small_bundle, new)


@pytest.fixture(scope="module")
def trained(small_dataset: Dataset, small_bundle: Bundle, new: list[Offer]) -> Bundle:
    """The model as training makes it when the new offers are in the table already."""
    links = [(one["offer_id"], item) for one in new for item in one["items"]]
    more = pd.DataFrame(links, columns=["offer_id", "item_id"], dtype="str")
    table = pd.DataFrame(new).drop(columns="items").astype(small_dataset.offers.dtypes.to_dict())
    both = Dataset.of(
        {
            **small_dataset.tables(),
            "offers": pd.concat([small_dataset.offers, table], ignore_index=True),
            "offer_items": pd.concat([small_dataset.offer_items, more], ignore_index=True),
        }
    )
    return train(both, at=small_bundle.moment)


def test_nothing_changes_for_the_other_offers(small_bundle: Bundle, arrived: Bundle) -> None:
    for source in (None, *Source):
        before, after = scores(small_bundle, source), scores(arrived, source)
        np.testing.assert_allclose(after[before.columns], before, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_an_offer_without_items_changes_nothing_where_purchases_count_by_category(
    small_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.fitting.foreseeing.MOST_KEYS", 20)
    bundle = train(small_dataset)
    assert bundle.recommender is not None
    assert bundle.recommender.content.would.level == "category"
    category = small_dataset.offers["category"].iloc[0]
    later = with_arrivals(bundle, [offer("later", category=category)])
    before = scores(bundle)
    np.testing.assert_allclose(scores(later)[before.columns], before, rtol=0, atol=1e-9)


def test_a_model_with_arrivals_has_the_rows_of_a_trained_one(
    arrived: Bundle, trained: Bundle
) -> None:
    one, two = arrived.recommender, trained.recommender
    assert one is not None
    assert two is not None
    np.testing.assert_array_equal(one.encoders.offer_ids, two.encoders.offer_ids)
    assert one.encoders.offer_ids.tolist() == arrived.offers["offer_id"].tolist()
    keys, other = one.encoders.keys, two.encoders.keys
    np.testing.assert_array_equal(keys.names, other.names)
    np.testing.assert_array_equal(keys.offer_keys.toarray(), other.offer_keys.toarray())
    np.testing.assert_array_equal(
        one.content.attributes.toarray(), two.content.attributes.toarray()
    )
    known = list(OFFERS.names)
    pd.testing.assert_frame_equal(arrived.offers[known], trained.offers[known])


@pytest.mark.parametrize("source", list(Source))
def test_a_new_offer_is_scored_as_if_it_had_been_there_in_training(
    source: Source, arrived: Bundle, trained: Bundle, new: list[Offer]
) -> None:
    names = [one["offer_id"] for one in new]
    # What survey answers and content count is learnt from all offers; each is compared on its own.
    one, two = scores(arrived, source)[names], scores(trained, source)[names]
    np.testing.assert_array_equal(one.isna(), two.isna())
    if source is Source.COLLABORATIVE:
        assert one.isna().all(axis=None)
        return
    if source is Source.POPULARITY:
        np.testing.assert_allclose(one, two, atol=1e-6)
        return
    x, y = one.to_numpy().ravel(), two.to_numpy().ravel()
    there = np.isfinite(x)
    assert np.corrcoef(x[there], y[there])[0, 1] > 0.95


def test_a_new_offer_comes_where_training_would_put_it(
    arrived: Bundle, trained: Bundle, new: list[Offer]
) -> None:
    names = [one["offer_id"] for one in new]
    places = [scores(one).rank(axis=1, ascending=False)[names] for one in (arrived, trained)]
    apart = (places[0] - places[1]).abs().to_numpy()
    assert apart.mean() < 2.5  # of 44 places
    assert np.corrcoef(places[0].to_numpy().ravel(), places[1].to_numpy().ravel())[0, 1] > 0.9


def test_one_by_one_or_together_is_the_same(
    small_bundle: Bundle, arrived: Bundle, new: list[Offer]
) -> None:
    more = [*new, offer("x", ("an item nobody knows",)), offer("y", category="never seen")]
    one_by_one = small_bundle
    for one in reversed(more):
        one_by_one = with_arrivals(one_by_one, [one])
    pd.testing.assert_frame_equal(
        scores(one_by_one), scores(with_arrivals(small_bundle, more)), rtol=0, atol=1e-9
    )
    assert "o0003 again" in set(arrived.offers["offer_id"])


def test_a_model_that_is_up_to_date_is_returned_as_it_is(
    small_bundle: Bundle, small_dataset: Dataset, arrived: Bundle, new: list[Offer]
) -> None:
    every = [stored(small_dataset, str(name)) for name in small_dataset.offers["offer_id"]]
    assert with_arrivals(small_bundle, every) is small_bundle
    assert with_arrivals(small_bundle, []) is small_bundle
    assert with_arrivals(arrived, new) is arrived
    segments_only = replace(small_bundle, recommender=None)
    assert with_arrivals(segments_only, new) is segments_only


def test_a_new_offer_is_listed_first_for_those_who_buy_its_items(
    small_bundle: Bundle, small_dataset: Dataset, new: list[Offer]
) -> None:
    items = new[0]["items"]
    service = Service(with_arrivals(small_bundle, new))
    when = small_bundle.moment
    bought = [{"item_id": item, "amount": 50.0} for item in items]
    other = [{"item_id": item, "amount": 50.0} for item in new[2]["items"]]
    lists = [
        service.recommend(
            service.query("a stranger", Facts(purchases=lines), when),
            Wish(at=when, n=44, offers=[new[0]["offer_id"], new[2]["offer_id"]]),
        )[0].offers
        for lines in (bought, other)
    ]
    assert [service.shown(one[0].row)[0] for one in lists] == [
        new[0]["offer_id"], new[2]["offer_id"],
    ]  # fmt: skip


def test_purchases_of_an_item_that_came_with_the_offer_count(small_bundle: Bundle) -> None:
    model = with_arrivals(small_bundle, [offer("new", ("brand new item",))])
    service = Service(model)
    lines = [{"item_id": "brand new item", "amount": 80.0}]
    buyer = service.query("somebody", Facts(purchases=lines), model.moment)
    content = service.recommender.content.score(buyer)[0]
    assert service.shown(int(np.nanargmax(content)))[0] == "new"


def test_what_is_done_with_a_new_offer_counts(arrived: Bundle) -> None:
    service = Service(arrived)
    done = Facts(interactions=[("o0003 again", "redemption", None)])
    for name in (str(arrived.customers.ids[0]), "a stranger"):
        query = service.query(name, done, arrived.moment)
        assert query.redeemed.sum() >= 1
        listed = service.recommend(query, Wish(at=arrived.moment, n=44))[0].offers
        assert "o0003 again" not in [service.shown(one.row)[0] for one in listed]


def test_changes_of_a_known_offer_are_taken_over(
    small_bundle: Bundle, small_dataset: Dataset
) -> None:
    at = small_bundle.moment
    before = stored(small_dataset, "o0003")
    ended = {**before, "valid_until": at, "title": "Was nice"}
    model = with_arrivals(small_bundle, [ended])
    service = Service(model)
    row = int(np.flatnonzero(model.offers["offer_id"] == "o0003")[0])
    assert service.shown(row)[1] == "Was nice"
    assert not service.candidates.of(Wish(at=at))[row]
    assert service.candidates.of(Wish(at=at - pd.Timedelta(microseconds=1)))[row]
    pd.testing.assert_frame_equal(scores(model), scores(small_bundle))  # nothing it is for changed
    assert small_bundle.offers["title"].iloc[row] != "Was nice"


@pytest.mark.parametrize("repeatable", [False, True])
def test_whether_a_known_offer_can_be_taken_again_is_taken_over(
    repeatable: bool, small_dataset: Dataset, small_bundle: Bundle
) -> None:
    query = small_bundle.customers.query
    assert query is not None
    takers = query.redeemed.toarray() > 0
    other = small_bundle.offers["repeatable"].to_numpy(dtype=bool) != repeatable
    row = int(np.flatnonzero(other & takers.any(axis=0))[0])
    name = str(small_bundle.offers["offer_id"].iloc[row])
    model = with_arrivals(small_bundle, [{**stored(small_dataset, name), "repeatable": repeatable}])
    assert bool(model.offers["repeatable"].iloc[row]) == repeatable
    before, after = (scores(one, Source.COLLABORATIVE)[name] for one in (small_bundle, model))
    more, less = (after, before) if repeatable else (before, after)
    assert (more > less)[takers[:, row]].all()
    untouched = ~takers[:, row] & (query.shown.toarray()[:, row] == 0)
    pd.testing.assert_series_equal(after[untouched], before[untouched])


def test_a_new_offer_that_can_be_taken_again_counts_as_such(
    small_bundle: Bundle, new: list[Offer]
) -> None:
    both = [{**new[0], "repeatable": True}, {**new[1], "repeatable": False}]
    model = with_arrivals(small_bundle, both).recommender
    assert model is not None
    rows = [model.encoders.offer_rows[one["offer_id"]] for one in both]
    assert model.collaborative.repeatable[rows].tolist() == [True, False]


def test_a_known_offer_for_other_items_speaks_to_others(
    small_bundle: Bundle, small_dataset: Dataset
) -> None:
    other = stored(small_dataset, "o0020")
    moved = {**stored(small_dataset, "o0003"), "items": other["items"]}
    after = scores(with_arrivals(small_bundle, [moved]), Source.CONTENT)
    before = scores(small_bundle, Source.CONTENT)
    assert after["o0003"].corr(before["o0020"]) > before["o0003"].corr(before["o0020"])
    rest = before.columns.drop("o0003")
    pd.testing.assert_frame_equal(after[rest], before[rest])


def test_attributes_of_an_owner_stay(small_bundle: Bundle, small_dataset: Dataset) -> None:
    owned = replace(small_bundle, offers=small_bundle.offers.assign(colour="red"))
    changed = {**stored(small_dataset, "o0003"), "title": "New title"}
    table = with_arrivals(owned, [changed, offer("zzz")]).offers.set_index("offer_id")
    assert table.loc["o0003", "colour"] == "red"
    assert table.loc["o0003", "title"] == "New title"
    assert pd.isna(table.loc["zzz", "colour"])


@pytest.mark.parametrize(
    "when",
    [
        1_767_225_600_000_000,
        "2026-01-01T00:00:00Z",
        datetime(2026, 1, 1, tzinfo=UTC),
        pd.Timestamp("2026-01-01", tz="UTC"),
    ],
)
def test_times_come_in_any_form(when: Any, small_bundle: Bundle) -> None:
    model = with_arrivals(small_bundle, [offer("new", valid_from=when)])
    row = model.offers.set_index("offer_id").loc["new"]
    assert row["valid_from"] == pd.Timestamp("2026-01-01", tz="UTC")
    assert pd.isna(row["valid_until"])


@pytest.mark.parametrize(
    "odd",
    [
        [offer("new")],
        [{"offer_id": "new"}],
        [offer("new", ("no such item", "no such item", "nor this"))],
        [offer("new", category="never seen", merchant="never heard of", tags="|a||b|a")],
        [offer("new", ("i00001",), category="")],
        [offer("new", valid_from=2_000_000_000_000_000, valid_until=1_000_000_000_000_000)],
        [offer("!"), offer("ü"), offer("o0003b"), offer("zzz"), offer("💶" * 60)],
        [offer("new", title="first"), offer("new", title="last")],
        [offer(f"n{n}", (f"item {n}",), category=f"category {n % 7}") for n in range(400)],
    ],
    ids=["bare", "id only", "unknown items", "unknown words", "empty", "times", "ids", "twice",
         "hundreds"],
)  # fmt: skip
def test_any_offer_can_arrive(odd: list[Offer], small_bundle: Bundle, tmp_path: Path) -> None:
    model = with_arrivals(small_bundle, odd)
    names = model.offers["offer_id"].tolist()
    assert names == sorted({*small_bundle.offers["offer_id"], *(one["offer_id"] for one in odd)})
    if len(odd) == 2:
        assert model.offers.set_index("offer_id").loc["new", "title"] == "last"
    before = scores(small_bundle)
    after = scores(model)
    assert np.isfinite(after.to_numpy()).all()
    np.testing.assert_allclose(after[before.columns], before, rtol=0, atol=1e-9)
    save(model, tmp_path)
    pd.testing.assert_frame_equal(scores(load(tmp_path)), after)


def test_equal_offers_are_listed_in_the_order_of_their_ids(small_bundle: Bundle) -> None:
    twins = [offer(f"twin {n}", category="never seen") for n in (3, 1, 2)]
    for order in (twins, twins[::-1]):
        service = Service(with_arrivals(small_bundle, order))
        query = service.query("a stranger", Facts(), small_bundle.moment)
        wish = Wish(at=small_bundle.moment, n=43, category="never seen")
        listed = service.recommend(query, wish)[0].offers
        assert [service.shown(one.row)[0] for one in listed] == ["twin 1", "twin 2", "twin 3"]


@settings(max_examples=15)
@given(
    names=st.sets(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)),
    again=st.integers(0, 2),
)
def test_rows_stay_sorted_and_old_ones_keep_their_columns(
    names: set[str], again: int, small_bundle: Bundle
) -> None:
    arriving = [offer(name) for name in sorted(names)]
    model = small_bundle
    for part in (arriving[: len(arriving) // 2], arriving)[again % 2 :]:
        model = with_arrivals(model, part)
    assert model.offers["offer_id"].tolist() == sorted({*small_bundle.offers["offer_id"], *names})
    old, now = small_bundle.customers.query, model.customers.query
    assert old is not None
    assert now is not None
    assert model.recommender is not None
    rows = [model.recommender.encoders.offer_rows[name] for name in small_bundle.offers["offer_id"]]
    np.testing.assert_array_equal(now.history[:, rows].toarray(), old.history.toarray())
    assert now.history.sum() == pytest.approx(old.history.sum())
