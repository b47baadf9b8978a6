"""Ids become frozen rows, and a dataset is cut at a moment without a look beyond it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import Dataset, microseconds, valid_at
from data.errors import DataError
from data.idmap import MANY, IdMap
from data.schema import TABLES

NOON = pd.Timestamp("2025-03-01T12:00:00Z")
TICK = pd.Timedelta(microseconds=1)


def moments(*offsets: int) -> pd.Series:
    """Noon, shifted by microseconds."""
    return pd.Series([NOON + offset * TICK for offset in offsets], dtype="datetime64[us, UTC]")


def log(*offsets: int, event_type: str = "click") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": "a",
            "offer_id": [f"o{row}" for row in range(len(offsets))],
            "event_type": event_type,
            "occurred_at": moments(*offsets),
        }
    )


def purchases(*offsets: int) -> pd.DataFrame:
    return pd.DataFrame({"customer_id": "b", "occurred_at": moments(*offsets), "amount": 1.0})


@given(st.lists(st.text(max_size=6)))
def test_rows_are_sorted_unique_and_lead_back(ids: list[str]) -> None:
    idmap = IdMap(ids)
    assert idmap.ids.tolist() == sorted(set(ids))
    assert len(idmap) == len(set(ids))
    assert [idmap.row(external) for external in idmap.ids] == list(range(len(idmap)))
    assert all(external in idmap for external in ids)


def test_the_same_set_gives_the_same_rows_in_any_order() -> None:
    assert IdMap(["b", "a", "c", "a"]).ids.tolist() == IdMap(["c", "b", "a"]).ids.tolist()


def test_a_map_is_frozen() -> None:
    idmap = IdMap(["a", "b"])
    with pytest.raises(ValueError, match="read-only"):
        idmap.ids[0] = "z"


def test_unknown_ids() -> None:
    idmap = IdMap(["a", "b", "10", "9"])
    assert idmap.row("z") is None
    assert "z" not in idmap
    assert 9 not in idmap
    assert idmap.known(pd.Series(["z", "b", None], dtype="str")).tolist() == [False, True, False]
    with pytest.raises(DataError, match="'z'") as caught:
        idmap.rows(pd.Series(["a", "z", "y"]))
    assert caught.value.remedy


def test_rows_of_many_ids() -> None:
    idmap = IdMap(["c", "a", "b"])
    rows = idmap.rows(pd.Series(["b", "a", "b"]))
    assert rows.dtype == np.int64
    assert rows.tolist() == [1, 0, 1]
    assert idmap.rows(["c"]).tolist() == [2]
    assert idmap.rows([]).tolist() == []
    assert IdMap([]).known(pd.Series(["a"])).tolist() == [False]


def test_rows_of_ids_that_come_again_and_again() -> None:
    known = IdMap(f"c{row}" for row in range(50))
    drawn = np.random.default_rng(0).integers(0, 60, MANY)
    wanted = pd.Series([f"c{row}" if row < 59 else None for row in drawn], dtype="str")
    here = known.known(wanted)
    assert here.tolist() == (drawn < 50).tolist()
    assert [known.ids[row] for row in known.rows(wanted[here])] == wanted[here].tolist()
    twice = pd.concat([wanted[here], wanted[here]])
    assert known.rows(twice).tolist() == [known.row(name) for name in twice]
    with pytest.raises(DataError, match=r"c5[0-8]"):
        known.rows(wanted[wanted.notna()])


def test_an_absent_table_has_all_columns_and_no_rows() -> None:
    dataset = Dataset.of({})
    for name, table in TABLES.items():
        frame = getattr(dataset, name)
        assert len(frame) == 0
        assert list(frame.columns) == list(table.names)
    assert dataset.tables() == {}
    assert len(dataset.customer_ids) == len(dataset.offer_ids) == len(dataset.item_ids) == 0


def test_absent_columns_are_missing_and_attributes_kept() -> None:
    dataset = Dataset.of({"customers": pd.DataFrame({"colour": ["red"], "customer_id": ["a"]})})
    assert dataset.customers["age"].isna().all()
    assert dataset.customers["colour"].tolist() == ["red"]
    assert list(dataset.tables()) == ["customers"]


def test_everybody_in_any_table_is_a_customer() -> None:
    answers = pd.DataFrame({"customer_id": ["d"], "question": ["q"], "answer": ["yes"]})
    dataset = Dataset.of(
        {
            "customers": pd.DataFrame({"customer_id": ["c"]}),
            "interactions": log(0),
            "transactions": purchases(0),
            "survey_answers": answers,
        }
    )
    assert dataset.customer_ids.ids.tolist() == ["a", "b", "c", "d"]


def test_items_of_any_table_are_items() -> None:
    dataset = Dataset.of(
        {
            "items": pd.DataFrame({"item_id": ["i3"]}),
            "offer_items": pd.DataFrame({"offer_id": ["o"], "item_id": ["i2"]}),
            "transactions": purchases(0, 1).assign(item_id=["i1", None]),
        }
    )
    assert dataset.item_ids.ids.tolist() == ["i1", "i2", "i3"]


def test_before_leaves_out_the_moment_itself() -> None:
    dataset = Dataset.of({"interactions": log(-1, 0, 1), "transactions": purchases(-2, 0)})
    cut = dataset.before(NOON)
    assert cut.interactions["occurred_at"].tolist() == moments(-1).tolist()
    assert cut.transactions["occurred_at"].tolist() == moments(-2).tolist()
    assert len(dataset.interactions) == 3


def test_a_dataset_that_lies_before_a_moment_is_itself() -> None:
    dataset = Dataset.of({"interactions": log(-1, 0), "transactions": purchases(-2)})
    assert dataset.before(dataset.moment_after()) is dataset


def test_before_keeps_what_has_no_time() -> None:
    dataset = Dataset.of(
        {
            "customers": pd.DataFrame({"customer_id": ["c"]}),
            "offers": pd.DataFrame({"offer_id": ["o"]}),
            "interactions": log(0),
        }
    )
    cut = dataset.before(NOON - pd.Timedelta(days=1))
    assert (len(cut.customers), len(cut.offers), len(cut.interactions)) == (1, 1, 0)
    assert cut.customer_ids.ids.tolist() == ["c"]


def test_the_moment_after_is_just_after_the_last_row_of_either_table() -> None:
    assert Dataset.of({"interactions": log(5, 7)}).moment_after() == NOON + 8 * TICK
    both = Dataset.of({"interactions": log(5), "transactions": purchases(9, 2)})
    assert both.moment_after() == NOON + 10 * TICK
    cut = both.before(both.moment_after())
    assert (len(cut.interactions), len(cut.transactions)) == (1, 2)


def test_the_moment_after_without_events_is_that_of_the_other_times() -> None:
    offers = pd.DataFrame({"offer_id": ["o"], "valid_from": moments(3)})
    dataset = Dataset.of({"offers": offers})
    assert dataset.moment_after() == NOON + 4 * TICK
    assert valid_at(dataset.offers, dataset.moment_after()).all()


def test_the_moment_after_without_any_time_is_always_the_same() -> None:
    tables = {"customers": pd.DataFrame({"customer_id": ["a"]})}
    moment = Dataset.of(tables).moment_after()
    assert moment == Dataset.of({}).moment_after()
    assert str(moment.tz) == "UTC"


@pytest.mark.parametrize(
    ("begin", "end", "valid"),
    [
        (0, 10, True),
        (1, 10, False),
        (-10, 0, False),
        (-10, 1, True),
        (None, 1, True),
        (None, 0, False),
        (0, None, True),
        (1, None, False),
        (None, None, True),
    ],
)
def test_an_offer_is_valid_from_its_begin_until_just_before_its_end(
    begin: int | None, end: int | None, valid: bool
) -> None:
    def moment(offset: int | None) -> pd.Timestamp | None:
        return None if offset is None else NOON + offset * TICK

    offers = pd.DataFrame(
        {"offer_id": ["o"], "valid_from": [moment(begin)], "valid_until": [moment(end)]}
    )
    mask = valid_at(Dataset.of({"offers": offers}).offers, NOON)
    assert mask.dtype == bool
    assert mask.tolist() == [valid]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["impression", "click", "redemption"], "redemption"),
        (["impression", "click"], "click"),
        (["redemption"], "redemption"),
        (["impression"], None),
        ([], None),
    ],
)
def test_the_strongest_event_there_counts_as_positive(
    kinds: list[str], expected: str | None
) -> None:
    dataset = Dataset.of({"interactions": pd.concat([log(0, event_type=kind) for kind in kinds])}
                         if kinds else {})  # fmt: skip
    assert dataset.positive_type() == expected
    assert dataset.has_impressions() == ("impression" in kinds)
    assert [len(dataset.events(kind)) for kind in kinds] == [1] * len(kinds)


def test_what_can_be_redeemed_once_only_is_taken_the_first_time() -> None:
    offers = pd.DataFrame(
        {"offer_id": ["once", "often", "unsaid"], "repeatable": [False, True, None]}
    )
    rows = [("once", 2), ("often", 1), ("once", 1), ("unsaid", 5), ("unsaid", 4), ("often", 3)]
    events = pd.DataFrame(rows, columns=["offer_id", "day"])
    events["occurred_at"] = NOON + pd.to_timedelta(events.pop("day"), unit="D")
    both = pd.concat([events.assign(customer_id=name) for name in ("a", "b")])
    dataset = Dataset.of({"offers": offers, "interactions": both.assign(event_type="redemption")})
    kept = dataset.takings("redemption")
    assert kept.index.tolist() == [1, 2, 4, 5, 7, 8, 10, 11]
    clicks = replace(dataset, interactions=dataset.interactions.assign(event_type="click"))
    assert len(clicks.takings("click")) == len(both)
    assert clicks.takings("redemption").empty


def test_microseconds_lead_back_to_the_moment() -> None:
    times = pd.Series([NOON, pd.NaT, NOON + TICK], dtype="datetime64[us, UTC]")
    whole = microseconds(times)
    assert whole.isna().tolist() == [False, True, False]
    assert pd.Timestamp(int(whole[2]), unit="us", tz="UTC") == NOON + TICK


def test_the_moment_after_a_row_of_the_far_future_is_one_that_can_be_reckoned_with() -> None:
    far = log(0).assign(occurred_at=pd.Series(["9999-01-01"], dtype="datetime64[us, UTC]"))
    assert Dataset.of({"interactions": far}).moment_after().value > NOON.value
    assert Dataset.of({"interactions": log(0, -5)}).moment_after() == NOON + TICK
