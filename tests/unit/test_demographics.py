"""Profiles as columns: whatever tells people apart, the owner's own columns as well."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import Dataset
from recommender.features.demographics import TENURE, Demographics
from recommender.features.numbers import number_of, numbers_of, plain
from recommender.features.profile_columns import (
    FEWEST_BANDS,
    MOST_VALUES,
    PEOPLE,
    build_demographics,
)

MOMENT = pd.Timestamp("2026-06-01", tz="UTC")
MICROSECONDS = MOMENT.value // 1000
N = 200


@pytest.fixture(scope="module")
def people() -> Dataset:
    random = np.random.default_rng(0)
    return Dataset.of(
        {
            "customers": pd.DataFrame(
                {
                    "customer_id": [f"c{n:03}" for n in range(N)],
                    "city": random.choice(["Bern", "Basel"], N),
                    "signup_at": MOMENT - pd.to_timedelta(random.integers(0, 900, N), "D"),
                    "balance": random.gamma(2.0, 1000.0, N).round(2).astype(str),
                    "children": random.integers(0, 4, N),
                    "passport": [f"p{n}" for n in range(N)],
                    "left_at": MOMENT,
                }
            )
        }
    )


@pytest.fixture(scope="module")
def told(people: Dataset) -> Demographics:
    return build_demographics(people.customers, MICROSECONDS)


def test_what_tells_people_apart_is_there_and_ids_and_moments_are_not(told: Demographics) -> None:
    assert set(told.attribute) == {"city", "children", "balance", TENURE}
    assert {"children=0", "children=3", "city=bern"} <= set(told.names)


def test_a_number_is_near_the_bands_around_it_and_beyond_them_near_the_last(
    told: Demographics, people: Dataset
) -> None:
    block = told.blocks["balance"]
    member = told.membership(people.customers, people.customer_ids)[:, block].toarray()
    balance = people.customers["balance"].astype(float).to_numpy()
    assert member[balance.argmin()].argmax() == 0
    assert member[balance.argmax()].argmax() == len(block) - 1
    assert member[balance.argmax(), -1] == pytest.approx(1.0), "a rich customer is not unknown"


def test_months_as_a_customer_are_the_same_from_a_table_and_from_a_profile(
    told: Demographics, people: Dataset
) -> None:
    signup = people.customers["signup_at"]
    profiles = [{"signup_at": int(moment.value // 1000)} for moment in signup]
    block = told.blocks[TENURE]
    table = told.membership(people.customers, people.customer_ids)[:, block]
    nothing = table[:, :0].copy()
    nothing.resize(N, len(told.names))
    by_profile = told.updated(nothing, profiles)[:, block]
    np.testing.assert_allclose(by_profile.toarray(), table.toarray(), atol=1e-9)


VALUES = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.sampled_from([0.0, 1.0, 2.5, -7.0]),
    st.booleans(),
    st.sampled_from(["a", " A", "b", "1", "1.0", "?"]),
)


@given(st.lists(VALUES, min_size=1, max_size=60), st.sampled_from(["object", "float64"]))
def test_a_column_of_any_kind_is_the_same_from_a_table_and_from_a_profile(
    stated: list[Any], dtype: str
) -> None:
    values = pd.Series(stated * 5, dtype="object")
    if dtype == "float64":
        values = pd.to_numeric(values.map(str), errors="coerce")
    people = pd.DataFrame({"customer_id": [f"c{n:03}" for n in range(len(values))], "own": values})
    dataset = Dataset.of({"customers": people})
    told = build_demographics(dataset.customers, MICROSECONDS)
    table = told.membership(dataset.customers, dataset.customer_ids)
    profiles = [
        {} if pd.isna(value) else {"own": json.loads(json.dumps(value))} for value in values
    ]
    by_profile = told.updated(sp.csr_matrix(table.shape), profiles)
    np.testing.assert_allclose(by_profile.toarray(), table.toarray(), atol=1e-9)


@pytest.mark.parametrize("city", ["İzmir", "ΠΑΤΡΑΣ", "ΣΑΣ ΠΑΤΡΑΣ", "STRAẞE"])
def test_letters_whose_small_form_is_disputed_are_the_same_from_a_table_and_from_a_profile(
    city: str,
) -> None:
    places = [city, "Bern"] * PEOPLE
    people = pd.DataFrame({"customer_id": [f"c{n:03}" for n in range(len(places))], "city": places})
    dataset = Dataset.of({"customers": people})
    told = build_demographics(dataset.customers, MICROSECONDS)
    table = told.membership(dataset.customers, dataset.customer_ids)
    stated = [{"city": place} for place in dataset.customers["city"]]
    by_profile = told.updated(sp.csr_matrix(table.shape), stated)
    assert len(told.names) == 2
    np.testing.assert_array_equal(by_profile.toarray(), table.toarray())


@pytest.mark.parametrize(
    "written",
    ["1_000", "\uff11\uff12", "\u0661\u0662", "\xa05", " 500 ", "+700", "1e3", "5.", "0x1F",
     "1,5", "inf", "1e400", "-0", "", "9" * 25, "9" * 400, "true", "NaN"],
)  # fmt: skip
def test_one_text_is_the_number_that_it_is_in_a_column(written: str) -> None:
    for column in ([written, "7"], [written, 7]):
        expected = numbers_of(pd.Series(column))[0]
        np.testing.assert_array_equal(number_of(written), expected)


def test_a_whole_number_is_the_same_category_however_it_is_written() -> None:
    for written in ("3", "3.0", 3, 3.0, np.int64(3), np.float64(3), " 3.00 "):
        assert plain(written) == "3"
    assert [plain(one) for one in (2.5, "v3.0", "03", True, -4.0)] == [
        "2.5",
        "v3.0",
        "03",
        "True",
        "-4",
    ]


def test_who_signs_up_later_is_new(told: Demographics, people: Dataset) -> None:
    one = people.customers.head(1)
    later = told.membership(
        one.assign(signup_at=MOMENT + pd.Timedelta(days=9)), people.customer_ids
    )
    today = told.membership(one.assign(signup_at=MOMENT), people.customer_ids)
    np.testing.assert_array_equal(later.toarray(), today.toarray())


def test_a_sign_up_that_makes_no_sense_is_not_known(told: Demographics) -> None:
    block = told.blocks[TENURE]
    nothing = told.membership(
        Dataset.of({"customers": pd.DataFrame({"customer_id": ["x"]})}).customers,
        Dataset.of({"customers": pd.DataFrame({"customer_id": ["x"]})}).customer_ids,
    )
    assert not told.updated(nothing, [{"signup_at": float("nan")}])[:, block].nnz


def test_a_post_code_that_begins_with_a_zero_is_no_number(people: Dataset) -> None:
    codes = pd.Series([f"{n:05}" for n in range(7000, 7000 + 30 * N, 30)])
    for written, name in ((codes, "zip"), (codes.str.lstrip("0"), "metres")):
        told = build_demographics(people.customers.assign(**{name: written}), MICROSECONDS)
        assert (name in told.attribute) == (name == "metres")


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_a_date_is_no_number_whatever_the_unit_of_a_file(
    people: Dataset, told: Demographics, unit: str
) -> None:
    dates = pd.Series(pd.date_range("2024-01-01", periods=N, tz="UTC")).dt.as_unit(unit)
    dated = people.customers.assign(last_login=dates)
    assert build_demographics(dated, MICROSECONDS).names == told.names


def test_a_column_of_the_name_that_months_as_a_customer_have_does_not_double_them(
    people: Dataset, told: Demographics
) -> None:
    named = people.customers.assign(**{TENURE: np.arange(N) / 7})
    assert build_demographics(named, MICROSECONDS).names == told.names


def test_of_a_column_of_very_many_values_the_commonest_count() -> None:
    random = np.random.default_rng(1)
    branch = np.r_[np.repeat(np.arange(80), 5), np.repeat(np.arange(10), 20)]
    table = pd.DataFrame(
        {"customer_id": [f"c{n}" for n in range(len(branch))], "branch": [f"b{n}" for n in branch]}
    )
    found = [
        build_demographics(Dataset.of({"customers": rows}).customers, MICROSECONDS).names
        for rows in (table, table.iloc[random.permutation(len(table))])
    ]
    assert {f"branch=b{n}" for n in range(10)} <= set(found[0])
    assert len(found[0]) == MOST_VALUES
    assert found[0] == found[1], "whatever the order of the rows"


@pytest.mark.parametrize(("n", "bands"), [(200, FEWEST_BANDS), (12 * PEOPLE, 12), (99_999, 30)])
def test_numbers_of_more_customers_are_told_apart_more_finely(n: int, bands: int) -> None:
    random = np.random.default_rng(3)
    people = {"customer_id": [f"c{n}" for n in range(n)], "annual_income": random.gamma(2, 30, n)}
    table = Dataset.of({"customers": pd.DataFrame(people)}).customers
    told = build_demographics(table, MICROSECONDS)
    assert len(told.blocks["annual_income"]) == bands


def test_numbers_alike_in_six_digits_keep_their_columns_apart() -> None:
    people = pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in range(150)],
            "gender": ["Female", "Male"] * 75,
            "registered": 1_700_000_000 + 37 * np.arange(150),
        }
    )
    dataset = Dataset.of({"customers": people})
    found = build_demographics(dataset.customers, 0)
    assert len(set(found.names)) == len(found.names)
    assert found.membership(dataset.customers, dataset.customer_ids).nnz


def test_a_column_whose_name_holds_the_separator_is_told_whole() -> None:
    plans = ["gold", "basic", "a=b"] * 10
    people = Dataset.of(
        {
            "customers": pd.DataFrame(
                {
                    "customer_id": [f"c{n:02}" for n in range(30)],
                    "plan=2026": plans,
                    "debt=k": np.arange(30.0),
                }
            )
        }
    )
    told = build_demographics(people.customers, MICROSECONDS)
    assert told.reads["plan=2026"] == ("a=b", "basic", "gold")
    assert told.reads["debt=k"] is None
    table = told.membership(people.customers, people.customer_ids).toarray()
    assert (table[:, told.blocks["plan=2026"]].sum(axis=1) == 1).all()
    assert table[:, told.blocks["debt=k"]].any(axis=1).all()
    nothing = sp.csr_matrix((30, len(told.names)))
    profiles = people.customers[["plan=2026", "debt=k"]].to_dict("records")
    np.testing.assert_allclose(told.updated(nothing, profiles).toarray(), table)


@pytest.mark.filterwarnings("error")
def test_numbers_beyond_all_measure_are_far_and_no_warning() -> None:
    values = [1e308, -1e308] * 50 + [0.5 * n for n in range(100)]
    ids = [f"c{n:03}" for n in range(N)]
    table = Dataset.of({"customers": pd.DataFrame({"customer_id": ids, "own": values})})
    found = build_demographics(table.customers, 0)
    member = found.membership(table.customers, table.customer_ids)
    assert np.isfinite(found.centre).all()
    assert member[0].toarray().argmax() == len(found.names) - 1
    assert member[1].toarray().argmax() == 0
    told = found.updated(sp.csr_matrix((1, len(found.names))), [{"own": "1e308"}])
    assert (told != member[0]).nnz == 0
