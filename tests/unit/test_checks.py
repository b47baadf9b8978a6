"""The checks of a table: no row is ever lost, and every refusal names its place and remedy."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from data.checks import Checked, check_columns, check_rows
from data.dataset import Dataset, transaction_numbers
from data.errors import DataError
from data.schema import (
    CUSTOMERS,
    INTERACTIONS,
    ITEMS,
    MALL_COLUMNS,
    OFFERS,
    TABLES,
    TRANSACTIONS,
    Kind,
    Table,
)
from data.tables import FACTS

MOMENT = "2025-03-01T10:00:00Z"
IDS = st.sampled_from(["a", "b", "c", " a ", "", "NA", "42", "42.0"])
NUMBERS = st.one_of(
    st.sampled_from(["", "NA", "null", "abc", "inf", "-inf", "1e400", "nan", "1,5", "0", "120"]),
    st.integers(-1000, 1000).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
TIMES = st.sampled_from(
    ["", "NA", MOMENT, "2025-03-01", "2025-03-01T10:00:00+02:00", "01/03/2025", "soon", "20250301"]
)
FLAGS = st.sampled_from(["", "true", "FALSE", "1", "0", "perhaps"])
TEXTS = st.one_of(st.sampled_from(["", "click", "redemption", "Click", "x"]), st.text(max_size=5))
BY_KIND = {
    Kind.ID: IDS,
    Kind.NUMBER: NUMBERS,
    Kind.TIME: TIMES,
    Kind.FLAG: FLAGS,
    Kind.TEXT: TEXTS,
}


@st.composite
def raw_tables(draw: st.DrawFn) -> tuple[Table, pd.DataFrame]:
    """Any table of the contract with any strings in it, an attribute column beside them."""
    table = draw(st.sampled_from(sorted(TABLES.values(), key=lambda table: table.name)))
    chosen = [c for c in table.columns if c.required or draw(st.booleans())]
    rows = draw(st.integers(0, 8))
    columns: dict[str, list[str]] = {
        column.name: draw(st.lists(BY_KIND[column.kind], min_size=rows, max_size=rows))
        for column in chosen
    }
    columns["mark"] = [f"row {row}" for row in range(1, rows + 1)]
    return table, pd.DataFrame(columns, dtype="str")


def check(table: Table, **columns: object) -> Checked:
    return check_rows(pd.DataFrame(columns), table, "file.csv")


def reasons(checked: Checked) -> list[tuple[int, str, str]]:
    return list(checked.rejected[["row", "column", "reason"]].itertuples(index=False, name=None))


@given(raw_tables())
@settings(max_examples=25, deadline=None)
def test_no_row_is_lost_and_row_numbers_are_true(case: tuple[Table, pd.DataFrame]) -> None:
    table, raw = case
    checked = check_rows(raw, table, "file.csv")
    assert len(checked.frame) + len(checked.rejected) == len(raw)
    marks = set(checked.frame["mark"])
    for row, mark in zip(checked.rejected["row"], checked.rejected.get("mark", ()), strict=True):
        assert mark == f"row {row}"
        marks.add(mark)
    assert marks == set(raw["mark"])
    assert checked.rejected["row"].is_monotonic_increasing
    assert checked.rejected["row"].is_unique
    assert set(checked.rejected["column"]) <= set(table.names)
    assert (checked.rejected["reason"].str.len() > 0).all()


@given(raw_tables())
@settings(max_examples=25, deadline=None)
def test_what_is_accepted_keeps_to_the_schema(case: tuple[Table, pd.DataFrame]) -> None:
    table, raw = case
    frame = check_rows(raw, table, "file.csv").frame
    assert list(frame.columns[: len(table.names)]) == list(table.names)
    for column in table.columns:
        values = frame[column.name]
        if column.required:
            assert values.notna().all()
        if column.kind is Kind.NUMBER:
            there = values.dropna()
            assert np.isfinite(there).all()
            assert (there >= (-math.inf if column.low is None else column.low)).all()
            assert (there <= (math.inf if column.high is None else column.high)).all()
        if column.kind is Kind.TIME:
            assert str(values.dtype) == "datetime64[us, UTC]"
        if column.kind is Kind.ID:
            assert not values.eq("").any()
        if column.allowed:
            assert values.dropna().isin(column.allowed).all()
    if table.key is not None:
        assert frame[table.key].is_unique
    if table is INTERACTIONS:
        assert frame["event_id"].dropna().is_unique


@given(raw_tables())
@settings(max_examples=12, deadline=None)
def test_accepted_rows_are_accepted_again(case: tuple[Table, pd.DataFrame]) -> None:
    table, raw = case
    once = check_rows(raw, table, "file.csv").frame
    twice = check_rows(once, table, "file.csv")
    assert twice.rejected.empty
    pd.testing.assert_frame_equal(twice.frame, once)


@given(raw_tables())
@settings(max_examples=12, deadline=None)
def test_the_rows_given_are_left_as_they_are(case: tuple[Table, pd.DataFrame]) -> None:
    table, raw = case
    before = raw.copy(deep=True)
    check_rows(raw, table, "file.csv")
    pd.testing.assert_frame_equal(raw, before)


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        ("-1", "is below 0"),
        ("120.5", "is above 120"),
        ("1000", "is above 120"),
        ("young", "is not a number"),
        ("inf", "is not a number"),
        ("-Infinity", "is not a number"),
        ("1e400", "is not a number"),
        ("1,000", "is not a number"),
    ],
)
def test_an_impossible_age_is_rejected(age: str, reason: str) -> None:
    checked = check(CUSTOMERS, customer_id=["a", "b"], age=["30", age])
    assert reasons(checked) == [(2, "age", reason)]
    assert checked.frame["customer_id"].tolist() == ["a"]
    assert checked.rejected["age"].tolist() == [age]  # the value as it stood there


@pytest.mark.parametrize("age", ["0", "120", " 35 ", "", "NA", "null"])
def test_a_possible_or_absent_age_is_accepted(age: str) -> None:
    assert check(CUSTOMERS, customer_id=["a", "b"], age=["30", age]).rejected.empty


def test_infinite_and_absent_floats() -> None:
    checked = check(CUSTOMERS, customer_id=["a", "b", "c"], age=[np.inf, np.nan, 30.0])
    assert reasons(checked) == [(1, "age", "is not a number")]
    assert checked.frame["age"].isna().tolist() == [True, False]


@pytest.mark.parametrize("time", ["01/03/2025", "soon", "2025-02-30", "1740823200", "2025-13-01"])
def test_a_time_that_is_not_iso_is_rejected(time: str) -> None:
    checked = check(
        TRANSACTIONS, customer_id=["a", "b"], occurred_at=[MOMENT, time], amount=["1", "2"]
    )
    assert reasons(checked) == [(2, "occurred_at", "is not an ISO time such as 2025-01-31")]


@pytest.mark.parametrize("time", ["now", "today"])
def test_the_clock_is_never_read_as_data(time: str) -> None:
    checked = check(TRANSACTIONS, customer_id=["a"], occurred_at=[time], amount=["1"])
    assert reasons(checked) == [(1, "occurred_at", "is not an ISO time such as 2025-01-31")]


def test_numbers_are_no_times() -> None:
    checked = check(TRANSACTIONS, customer_id=["a"], occurred_at=[1740823200], amount=[1.0])
    assert reasons(checked) == [(1, "occurred_at", "is not an ISO time such as 2025-01-31")]


def test_naive_times_are_read_as_utc_and_said_so() -> None:
    checked = check(
        TRANSACTIONS,
        customer_id=["a", "b", "c"],
        occurred_at=["2025-03-01 10:00:00", "2025-03-01T12:00:00+02:00", "2025-03-01T10:00:00Z"],
        amount=["1", "2", "3"],
    )
    assert checked.frame["occurred_at"].tolist() == [pd.Timestamp(MOMENT)] * 3
    (note,) = checked.notes
    assert "occurred_at" in note
    assert "file.csv" in note
    assert "UTC" in note


@pytest.mark.parametrize(
    "time",
    [MOMENT, "2025-03-01T12:00:00+02:00", "2025-03-01T12:00+0200", "2025-03-01 12:00:00+02:00"],
)
def test_times_with_a_zone_need_no_note(time: str) -> None:
    checked = check(TRANSACTIONS, customer_id=["a"], occurred_at=[time], amount=["1"])
    assert checked.frame["occurred_at"].tolist() == [pd.Timestamp(MOMENT)]
    assert checked.notes == []


def test_bytes_are_left_out_and_said_so() -> None:
    checked = check(CUSTOMERS, customer_id=["a", "b"], photo=[None, b"\x00\xff"])
    assert "photo" not in checked.frame
    assert any("'photo' holds binary data" in note for note in checked.notes)


@pytest.mark.parametrize("value", [["de", "en"], np.array(["de"]), {"first": "de"}])
def test_a_column_of_lists_is_left_out_and_said_so(value: object) -> None:
    checked = check(CUSTOMERS, customer_id=["a", "b"], languages=[None, value])
    assert "languages" not in checked.frame
    assert any("'languages' holds several values in one" in note for note in checked.notes)
    assert Dataset.of({"customers": checked.frame}).fingerprint


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris"])
def test_typed_times_are_taken_as_they_are(zone: str | None) -> None:
    times = pd.Series(pd.to_datetime(["2025-03-01T10:00:00"])).dt.tz_localize(zone)
    checked = check(TRANSACTIONS, customer_id=["a"], occurred_at=times, amount=[1.0])
    expected = times.dt.tz_localize("UTC") if zone is None else times.dt.tz_convert("UTC")
    assert checked.frame["occurred_at"].tolist() == expected.tolist()
    assert bool(checked.notes) == (zone is None)


@pytest.mark.parametrize(
    ("table", "key"), [(CUSTOMERS, "customer_id"), (OFFERS, "offer_id"), (ITEMS, "item_id")]
)
def test_an_id_that_is_already_there_is_rejected(table: Table, key: str) -> None:
    checked = check_rows(pd.DataFrame({key: ["a", "b", " a", "a"]}), table, "file.csv")
    assert reasons(checked) == [
        (3, key, "is already in an earlier row"),
        (4, key, "is already in an earlier row"),
    ]
    assert checked.frame[key].tolist() == ["a", "b"]


def test_a_bad_row_does_not_claim_its_id() -> None:
    checked = check(CUSTOMERS, customer_id=["a", "a"], age=["999", "40"])
    assert reasons(checked) == [(1, "age", "is above 120")]
    assert checked.frame["age"].tolist() == [40.0]


def test_event_ids_are_unique_where_there_is_one() -> None:
    checked = check(
        INTERACTIONS,
        customer_id=list("abcd"),
        offer_id=["o"] * 4,
        event_type=["click"] * 4,
        occurred_at=[MOMENT] * 4,
        event_id=["e1", "", "", "e1"],
    )
    assert reasons(checked) == [(4, "event_id", "is already in an earlier row")]
    assert len(checked.frame) == 3


def test_an_own_column_called_event_id_may_repeat_itself() -> None:
    offers = check(OFFERS, offer_id=["a", "b"], event_id=["xmas", "xmas"])
    lines = check(
        TRANSACTIONS,
        customer_id=["a", "a"],
        occurred_at=[MOMENT, MOMENT],
        amount=["1", "2"],
        event_id=["xmas", "xmas"],
    )
    assert offers.rejected.empty
    assert lines.rejected.empty


@pytest.mark.parametrize("event", ["purchase", "re-demption", "impressions"])
def test_an_unknown_event_type_is_rejected_and_the_known_ones_named(event: str) -> None:
    checked = check(
        INTERACTIONS, customer_id=["a"], offer_id=["o"], event_type=[event], occurred_at=[MOMENT]
    )
    ((row, column, reason),) = reasons(checked)
    assert (row, column) == (1, "event_type")
    assert all(known in reason for known in ("impression", "click", "redemption"))


def test_event_types_are_read_in_any_spelling() -> None:
    spelt = ["Redemption", " click", "IMPRESSION ", "click"]
    checked = check(
        INTERACTIONS,
        customer_id=["a"] * 4,
        offer_id=["o"] * 4,
        event_type=spelt,
        occurred_at=[MOMENT] * 4,
    )
    assert checked.rejected.empty
    assert checked.frame["event_type"].tolist() == ["redemption", "click", "impression", "click"]


@pytest.mark.parametrize("column", ["customer_id", "offer_id", "event_type", "occurred_at"])
def test_a_missing_required_value_is_rejected(column: str) -> None:
    row = {"customer_id": "a", "offer_id": "o", "event_type": "click", "occurred_at": MOMENT}
    raw = pd.DataFrame([row, {**row, column: ""}, {**row, column: None}], dtype="str")
    checked = check_rows(raw, INTERACTIONS, "file.csv")
    assert reasons(checked) == [(2, column, "is missing"), (3, column, "is missing")]


@pytest.mark.parametrize("mark", ["NA", "NULL", "nan"])
def test_where_an_id_may_be_left_out_a_missing_mark_is_none(mark: str) -> None:
    events = check(
        INTERACTIONS,
        customer_id=["NA", "b"],
        offer_id=["o", "o"],
        event_type=["click", "click"],
        occurred_at=[MOMENT, MOMENT],
        event_id=[mark, mark],
    )
    assert events.rejected.empty
    assert events.frame["event_id"].isna().all()
    lines = check(
        TRANSACTIONS,
        customer_id=["a", "a"],
        occurred_at=[MOMENT, MOMENT],
        amount=["1", "2"],
        transaction_id=[mark, mark],
    )
    assert len(np.unique(transaction_numbers(lines.frame))) == 2


def test_na_is_an_id_but_no_text() -> None:
    checked = check(CUSTOMERS, customer_id=["NA"], city=["NA"])
    assert checked.frame["customer_id"].tolist() == ["NA"]
    assert checked.frame["city"].isna().all()


def test_whole_floats_are_ids_without_a_point() -> None:
    checked = check(CUSTOMERS, customer_id=[42.0, np.nan, 7.0])
    assert checked.frame["customer_id"].tolist() == ["42", "7"]
    assert reasons(checked) == [(2, "customer_id", "is missing")]


def test_integer_ids_become_text() -> None:
    assert check(CUSTOMERS, customer_id=[42, 7]).frame["customer_id"].tolist() == ["42", "7"]


@pytest.mark.parametrize("huge", [np.inf, 1e20])
def test_a_float_that_is_no_whole_number_does_not_stop_the_checks(huge: float) -> None:
    checked = check(CUSTOMERS, customer_id=[1.0, huge])
    assert len(checked.frame) + len(checked.rejected) == 2


def test_categorical_columns_are_read_like_text() -> None:
    checked = check(
        CUSTOMERS,
        customer_id=pd.Categorical(["a", "b", "c"]),
        age=pd.Categorical(["12", "old", None]),
    )
    assert reasons(checked) == [(2, "age", "is not a number")]
    assert checked.frame["customer_id"].tolist() == ["a", "c"]


def test_categorical_columns_of_the_owners_are_what_they_hold() -> None:
    checked = check(
        ITEMS,
        item_id=["a", "b"],
        brand=pd.Categorical([" own", "NA"]),
        shelf=pd.Categorical(["s1", "NA"]),
        level=pd.Categorical([3, 5]),
    )
    told = checked.frame[["brand", "shelf", "level"]]
    assert [str(kind) for kind in told.dtypes] == ["str", "str", "int64"]
    assert told.iloc[0].tolist() == ["own", "s1", 3]
    assert told.isna().iloc[1].tolist() == [True, True, False]


def test_flags_are_read_in_any_spelling() -> None:
    checked = check(
        OFFERS,
        offer_id=list("abcdefgh"),
        repeatable=["TRUE", "no", "", "perhaps", "1.0", "0", "Y", " n"],
    )
    assert reasons(checked) == [(4, "repeatable", "is not true or false")]
    values = [None if pd.isna(value) else bool(value) for value in checked.frame["repeatable"]]
    assert values == [True, False, None, True, False, True, False]


def test_one_row_with_two_faults_is_rejected_once() -> None:
    checked = check(CUSTOMERS, customer_id=["a"], age=["old"], annual_income=["-1"])
    assert len(checked.rejected) == 1


def test_ages_that_cannot_be_years_are_remarked() -> None:
    checked = check(CUSTOMERS, customer_id=["a", "b"], age=["0.3", "0.9"])
    assert any("age" in note and "years" in note for note in checked.notes)


def test_attributes_are_kept_even_when_named_like_our_own_columns() -> None:
    checked = check(
        CUSTOMERS, customer_id=["a", ""], row=["x", "y"], reason=["p", "q"], colour=["red", "NA"]
    )
    assert checked.frame[["row", "reason", "colour"]].to_numpy().tolist() == [["x", "p", "red"]]
    assert reasons(checked) == [(2, "customer_id", "is missing")]


@pytest.mark.parametrize("wrong", ["custmer_id", "Customer_Id", "customerid", "CUSTOMER_ID"])
def test_a_misspelt_required_column_is_named_with_its_remedy(wrong: str) -> None:
    with pytest.raises(DataError) as caught:
        check_columns([wrong, "age"], CUSTOMERS, "customers.csv")
    assert "customers.csv" in caught.value.problem
    assert "'customer_id' is missing" in caught.value.problem
    assert caught.value.remedy == f"Rename '{wrong}' to 'customer_id'."


def test_a_missing_column_without_a_likeness_asks_to_be_added() -> None:
    with pytest.raises(DataError, match="'amount' is missing") as caught:
        check_columns(["customer_id", "occurred_at", "x"], TRANSACTIONS, "transactions.csv")
    assert "Add it to transactions.csv" in caught.value.remedy


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(mark: str, word: str) -> None:
    header = mark.join(["customer_id", "occurred_at", "amount"])
    with pytest.raises(DataError, match=f"t.csv: the columns are separated by {word}") as caught:
        check_columns([header], TRANSACTIONS, "t.csv")
    assert caught.value.remedy == "Separate columns by commas."


@pytest.mark.parametrize("quote", ["", '"'])
def test_another_separator_is_named_of_the_malls_headings_as_well(quote: str) -> None:
    header = ";".join(f"{quote}{name}{quote}" for name in MALL_COLUMNS)
    with pytest.raises(DataError, match=r"m\.csv: the columns are separated by semicolons"):
        check_columns([header], CUSTOMERS, "m.csv")
    with pytest.raises(DataError, match="'customer_id' is missing"):
        check_columns([header], TRANSACTIONS, "m.csv")  # whose customers have no other name


@pytest.mark.parametrize(("wrong", "right"), [("agee", "age"), ("Annual_Incme", "annual_income")])
def test_a_misspelt_optional_column_is_remarked(wrong: str, right: str) -> None:
    (note,) = check_columns(["customer_id", wrong], CUSTOMERS, "customers.csv")
    assert "customers.csv" in note
    assert repr(wrong) in note
    assert repr(right) in note


def test_a_column_beside_its_likeness_needs_no_remark() -> None:
    assert check_columns(["customer_id", "age", "ages", "colour"], CUSTOMERS, "c.csv") == []


def test_a_column_twice_is_refused() -> None:
    with pytest.raises(DataError, match="'age' stands there twice") as caught:
        check_columns(["customer_id", "age", "age"], CUSTOMERS, "c.csv")
    assert caught.value.remedy


@pytest.mark.parametrize(("bad", "limit", "refused"), [(1, 0.1, False), (2, 0.1, True)])
def test_only_more_bad_rows_than_tolerated_are_refused(
    bad: int, limit: float, refused: bool
) -> None:
    ages = ["old"] * bad + ["40"] * (10 - bad)
    checked = check(CUSTOMERS, customer_id=[f"c{row}" for row in range(10)], age=ages)
    if not refused:
        checked.refuse_too_bad("customers.csv", limit)
        return
    with pytest.raises(DataError) as caught:
        checked.refuse_too_bad("customers.csv", limit)
    for part in ("customers.csv", f"{bad} of 10", "row 1", "age", "is not a number"):
        assert part in caught.value.problem
    assert "--max-bad" in caught.value.remedy


def test_a_table_without_rows_is_never_too_bad() -> None:
    raw = pd.DataFrame({"customer_id": pd.Series(dtype="str")})
    check_rows(raw, CUSTOMERS, "customers.csv").refuse_too_bad("customers.csv", 0.0)


@pytest.mark.parametrize("table", [CUSTOMERS, OFFERS])
@pytest.mark.parametrize("dtype", ["timedelta64[us]", "category"])
def test_spans_of_time_are_numbers_of_days(table: Table, dtype: str) -> None:
    spans = pd.Series(pd.to_timedelta([36, None, -24], "h")).astype(dtype)
    rows = pd.DataFrame({str(table.key): ["a", "b", "c"], "late by": spans})
    checked = check_rows(rows, table, "t.parquet")
    days = checked.frame["late by"]
    np.testing.assert_array_equal(days.to_numpy(dtype=np.float64), [1.5, np.nan, -1.0])
    assert "t.parquet: column 'late by' holds spans of time and is read in days." in checked.notes
    # A table that no file held is read alike.
    given = Dataset.of({table.name: rows.astype({"late by": "timedelta64[us]"})})
    pd.testing.assert_series_equal(getattr(given, table.name)["late by"], days)


def test_a_column_of_dates_alone_holds_times() -> None:
    dates = [date(2020, 1, 1), None, date(2021, 5, 6)]
    table = pd.DataFrame({"customer_id": ["a", "b", "c"], "since": dates})
    typed = check_rows(table, CUSTOMERS, "customers").frame["since"]
    assert pd.api.types.is_datetime64_any_dtype(typed)
    assert typed.isna().tolist() == [False, True, False]


def test_a_text_longer_than_a_database_keeps_is_set_aside() -> None:
    """The same everywhere: whoever writes to SQLite is told what PostgreSQL would say."""
    ids, answers = (
        ["a" * 128, "b" * 129, "c", "d", "e"],
        ["x" * 128, "x", "x" * 129, "é" * 128, "\0"],
    )
    checked = check(
        TABLES["survey_answers"], customer_id=ids, question=["hobby"] * 5, answer=answers
    )
    assert reasons(checked) == [
        (2, "customer_id", "has more than 128 characters"),
        (3, "answer", "has more than 128 characters"),
        (5, "answer", "holds a NUL, which no database keeps"),
    ]


def test_every_text_that_the_checks_let_pass_has_a_place_in_the_database() -> None:
    for name, stored in FACTS.items():
        for column in TABLES[name].columns:
            place = stored.c[column.name].type
            if isinstance(place, sa.String) and place.length is not None and not column.allowed:
                assert column.longest == place.length, (name, column.name)


def test_a_column_with_an_endless_name_is_left_out() -> None:
    checked = check(CUSTOMERS, customer_id=["a"], **{"n" * 129: [1], "m" * 128: [2]})
    assert [name for name in checked.frame.columns if name[0] in "mn"] == ["m" * 128]
    assert "has more than 128 characters; it is left out" in checked.notes[-1]


@pytest.mark.parametrize(
    ("time", "usable"),
    [
        ("0001-01-01T00:00:00Z", False),
        ("1900-01-01T00:00:00+14:00", False),
        ("1900-01-01", True),
        ("2200-12-31T23:59:59Z", True),
        ("9999-12-31", False),
    ],
)
def test_what_happened_at_no_time_of_ours_is_set_aside(time: str, usable: bool) -> None:
    checked = check(TRANSACTIONS, customer_id=["a"], amount=[1.0], occurred_at=[time])
    why = (1, "occurred_at", "is not between the years 1900 and 2200")
    assert reasons(checked) == ([] if usable else [why])
    assert len(checked.frame) == usable


def test_an_offer_may_begin_and_end_however_far_away() -> None:
    checked = check(
        OFFERS, offer_id=["a"], valid_from=["0001-01-01"], valid_until=["9999-12-31T23:59:59Z"]
    )
    assert checked.frame["valid_until"].dt.year.tolist() == [9999]
    assert checked.rejected.empty


def test_numbers_with_which_nothing_can_be_reckoned_are_set_aside() -> None:
    rich = check(CUSTOMERS, customer_id=["a", "b"], annual_income=[1e9, 1e308])
    assert reasons(rich) == [(2, "annual_income", "is above 1e+09")]
    dear = check(
        TRANSACTIONS, customer_id=["a"] * 3, occurred_at=[MOMENT] * 3, amount=[-1e12, 1e308, -1e13]
    )
    assert reasons(dear) == [(2, "amount", "is above 1e+12"), (3, "amount", "is below -1e+12")]
