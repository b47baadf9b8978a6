"""Attributes of offers as columns: categories, tags and numbers, the owner's own as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import Dataset, complete
from data.schema import OFFERS
from recommender.features import attributes as module
from recommender.features.attributes import build_attributes
from recommender.features.key_building import build_keys
from recommender.features.numbers import around
from recommender.features.statements import categories_of


def offers(n: int = 4, **columns: Any) -> pd.DataFrame:
    table = pd.DataFrame({"offer_id": [f"o{row}" for row in range(n)]}, dtype="str")
    return complete(table, OFFERS).assign(**columns)


def test_categories_and_tags_have_a_column_each() -> None:
    table = offers(3, category=["a", "a", None], tags=["x|y", " y ", None], kind=[None, "k", None])
    found = build_attributes(table)
    assert found.names.tolist() == ["category:a", "kind:k", "tag:x", "tag:y"]
    assert found.family.tolist() == ["category", "kind", "tag", "tag"]
    np.testing.assert_array_equal(
        found.of(table).toarray(), [[1, 0, 1, 1], [1, 1, 0, 1], [0, 0, 0, 0]]
    )


def test_columns_of_the_owner_are_read_but_not_what_customers_do_not_see() -> None:
    told = {"colour": ["red", "blue", "red", "blue"], "cost": 3.0, "campaign": "c1"}
    found = build_attributes(offers(4, **told))
    assert found.names.tolist() == ["colour:blue", "colour:red"]


def test_columns_of_the_owner_that_tell_nothing_have_no_column() -> None:
    texts = [f"a text of its own {row}" for row in range(4)]
    assert not len(build_attributes(offers(4, text=texts, empty=np.nan, same=[7] * 4)).names)
    numbers = build_attributes(offers(4, size=[1.0, np.inf, 3.0, -np.inf]))
    assert numbers.names.tolist() == ["size:1", "size:3"]
    assert np.isfinite(numbers.of(offers(2, size=[np.inf, 2.0])).toarray()).all()
    moments = build_attributes(offers(4, made=pd.date_range("2024-01-01", periods=4, tz="UTC")))
    assert not len(moments.names)


def test_a_number_is_spread_between_the_knots_around_it() -> None:
    table = offers(4, year=["1990", "2000", "unknown", "1990"], reward=[1.0, 2.0, 4.0, np.nan])
    found = build_attributes(pd.concat([table] * 5, ignore_index=True))
    # Not nine in ten are numbers: the years are names.
    assert "year:unknown" in found.names.tolist()
    assert found.names[found.is_number].tolist() == ["reward:1", "reward:2", "reward:4"]
    assert found.told(len(found.names) - 1) == "around 4 (reward)"
    assert found.told(found.names.tolist().index("year:unknown")) == "unknown (year)"
    values = found.of(offers(4, reward=[1.5, 3.0, 9.0, np.nan], year=["1990"] * 4)).toarray()
    np.testing.assert_allclose(
        values[:, -3:],
        [[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1], [0, 1, 0]],  # what is not stated: the median
    )


def test_nearly_all_numbers_are_numbers() -> None:
    table = offers(20, year=["V", *(str(1980 + row) for row in range(19))])
    found = build_attributes(table)
    assert found.is_number.all()
    assert len(found.names) == module.KNOTS
    assert not found.of(table)[[0]].nnz  # nothing stated that makes sense
    assert found.of(table)[[1]].nnz


@given(st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**6)), min_size=1, max_size=30))
def test_the_columns_of_a_number_add_up_to_one(values: list[int | None]) -> None:
    table = offers(len(values), size=pd.array(values, dtype="Float64"))
    found = build_attributes(table)
    if not len(found.names):
        assert len({value for value in values if value is not None}) < 2
        return
    total = found.of(table).sum(axis=1)
    stated = np.array([value is not None for value in values])
    np.testing.assert_allclose(total[stated], 1.0)
    assert (total[~stated] == 0).all()


def test_of_very_many_categories_the_most_frequent_stay() -> None:
    many = module.MOST + 10
    names = [f"m{row:05d}" for row in range(many)]
    found = build_attributes(offers(2 * many - 10, merchant=names + names[10:]))
    assert len(found.names) == module.MOST
    assert "merchant:m00010" in found.names
    assert "merchant:m00009" not in found.names


def test_what_training_never_saw_says_nothing() -> None:
    found = build_attributes(offers(2, category=["a", "b"]))
    later = found.of(offers(2, category=["c", "a"], tags=["new", None]))
    np.testing.assert_array_equal(later.toarray(), [[0, 0], [1, 0]])


def test_what_an_offer_leaves_unsaid_its_items_tell() -> None:
    items = pd.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(6)],
            "category": ["tea", "tea", "tea", "rice", "rice", "rice"],
            "brand": ["1", "1", "2", "1", "2", "2"],  # codes
        }
    )
    behind = {"o0": ["i0", "i1", "i3"], "o1": ["i1"], "o2": ["i3"], "o3": [], "o4": ["i4"]}
    links = [(offer_id, item_id) for offer_id, own in behind.items() for item_id in own]
    dataset = Dataset.of(
        {
            "offers": offers(5, category=[None, "coffee", None, None, None]),
            "items": items,
            "offer_items": pd.DataFrame(links, columns=["offer_id", "item_id"]),
        }
    )
    keys, rows = build_keys(dataset), np.arange(5)
    found = build_attributes(dataset.offers, keys, rows)
    told = pd.DataFrame(found.of(dataset.offers, keys, rows).toarray(), columns=found.names)
    # The type "rice, 2" is one offer's alone and tells of no other.
    assert told.columns.tolist() == [
        "category:coffee", "category:rice", "category:tea", "type:rice, 1", "type:tea, 1",
        "number_of_items:1", "number_of_items:3",
    ]  # fmt: skip
    np.testing.assert_allclose(told.loc[0], [0, 1 / 3, 2 / 3, 1 / 3, 2 / 3, 0, 1])
    assert told.loc[1, "category:coffee"] == 1  # what it states itself counts
    assert told.loc[1, "category:tea"] == 0
    assert not told.loc[3].any()
    said = pd.DataFrame(found.of(dataset.offers).toarray(), columns=found.names)
    assert said.to_numpy().sum() == said.loc[1, "category:coffee"] == 1
    assert found.told(len(found.names) - 1) == "around 3 (number of items)"


def test_categories_alone_are_of_unit_length() -> None:
    table = offers(2, category=["a", None], tags=["x|y|z", None], reward=[3.0, 5.0])
    rows = categories_of(table).toarray()
    np.testing.assert_allclose((rows**2).sum(axis=1), [1, 0])


def test_a_column_whose_name_holds_the_separator_is_told_whole() -> None:
    table = offers(6, **{"size:cm": np.arange(1.0, 7.0), "form:colour": ["red", "blue"] * 3})
    columns = build_attributes(table)
    assert {"size:cm", "form:colour"} == set(columns.family.tolist())
    assert columns.told(0) == "blue (form:colour)"
    laid_out = columns.of(table).toarray()
    assert (laid_out[:, columns.family == "size:cm"].argmax(axis=1) == np.arange(6)).all()
    np.testing.assert_array_equal(laid_out[:, 1], [1, 0, 1, 0, 1, 0])


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0.025, "0.025"),
        (4.0, "4"),
        (42.37, "42.4"),
        (1994.0, "1994"),
        (1_234_567.0, "1,234,567"),
        (-20_000.4, "-20,000"),
        (999.6, "1000"),
        (9999.7, "10,000"),
        (-0.0, "0"),
        (0.00001234, "0.000012"),
        (0.634, "0.63"),
        (2.37, "2.4"),
        (9.96, "10"),
    ],
)
def test_numbers_are_written_as_people_would(number: float, told: str) -> None:
    assert around(number) == f"around {told}"


def laid_out(table: pd.DataFrame, items: list[str] | None = None) -> tuple[list[str], np.ndarray]:
    """Lay out offers of which the first have an item each: names of words, and their columns."""
    linked = {"offer_id": table["offer_id"][: len(items or [])], "item_id": items or []}
    dataset = Dataset.of({"offers": table, "offer_items": pd.DataFrame(linked)})
    keys, rows = build_keys(dataset), np.arange(len(table))
    found = build_attributes(table, keys, rows)
    words = np.flatnonzero(found.family == "title")
    return found.names[words].tolist(), found.of(table, keys, rows)[:, words].toarray()


def test_words_of_titles_are_attributes_where_they_say_more_than_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    titles = ["Star Wars: a film", "Star Trek II", "WARS of 1914", "The Film", "the wars", None]
    table = offers(6, title=titles, category=["film", None, None, None, None, None])
    monkeypatch.setattr(module, "TITLES", 6)
    monkeypatch.setattr(module, "COMMON", 0.5)
    words, columns = laid_out(table)
    assert words == ["title:star", "title:the", "title:wars"]
    # All words of a title count as much as one attribute; what a category says is not said twice.
    half = 2**-0.5
    np.testing.assert_allclose(columns[:, 0], [half, 3**-0.5, 0, 0, 0, 0])
    np.testing.assert_allclose(columns[:, 2], [half, 0, half, 0, half, 0])
    monkeypatch.setattr(module, "COMMON", 0.4)
    assert laid_out(table)[0] == ["title:star", "title:the"]
    monkeypatch.setattr(module, "TITLES", 7)
    assert not laid_out(table)[0]


def test_an_offer_is_told_by_its_items_rather_than_by_its_title(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TITLES", 4)
    monkeypatch.setattr(module, "COMMON", 1.0)
    table = offers(4, title=["tea", "tea", "tea", "tea"])
    assert laid_out(table, ["i1", "i2", "i3"])[0] == []
    words, columns = laid_out(table, ["i1", "i2"])
    assert words == ["title:tea"]
    np.testing.assert_array_equal(columns[:, 0], [0, 0, 1, 1])
