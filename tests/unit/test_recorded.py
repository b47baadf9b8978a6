from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import DataError
from data.ingest import read_folder
from data.recorded import SETTLED, check_recorded, read_database

NOW = pd.Timestamp("2026-02-01T12:00:00Z")
LAST = NOW - pd.Timedelta(days=1)


def event(event_id: str, occurred: pd.Timestamp, recorded: pd.Timestamp) -> dict[str, object]:
    return {
        "customer_id": "c1", "offer_id": "o1", "event_type": "click", "event_id": event_id,
        "occurred_at": occurred, "recorded_at": recorded,
    }  # fmt: skip


def tables(*events: dict[str, object]) -> dict[str, pd.DataFrame]:
    return {
        "customers": pd.DataFrame({"customer_id": ["c1", "c2"]}),
        "offers": pd.DataFrame({"offer_id": ["o1"]}),
        "interactions": pd.DataFrame(list(events)),
    }


def kept(dataset: Dataset) -> list[str]:
    return [str(name) for name in dataset.interactions["event_id"]]


def test_a_model_holds_what_was_recorded_before_its_moment_and_nothing_else() -> None:
    hour = pd.Timedelta(hours=1)
    found, at = check_recorded(
        tables(
            event("on time", LAST - hour, LAST - hour),
            event("late", LAST - 9 * hour, LAST),
            event("later", LAST - 8 * hour, LAST + hour),
        ),
        LAST + hour,
        NOW,
    )
    assert at == LAST + hour
    assert kept(found.dataset) == ["on time", "late"]


def test_the_moment_is_just_after_what_was_recorded_last() -> None:
    found, at = check_recorded(tables(event("late", LAST - pd.Timedelta(days=9), LAST)), None, NOW)
    assert at == LAST + pd.Timedelta(microseconds=1)
    assert kept(found.dataset) == ["late"]
    assert "recorded_at" not in found.dataset.interactions


def test_what_is_being_recorded_right_now_is_left_to_the_next_model() -> None:
    now = NOW - SETTLED / 2
    found, at = check_recorded(tables(event("old", LAST, LAST), event("new", now, now)), None, NOW)
    assert kept(found.dataset) == ["old"]
    assert at is not None
    assert LAST < at < now
    alone, at = check_recorded(tables(event("new", now, now)), None, NOW)
    assert at == now
    assert kept(alone.dataset) == []


def test_a_loaded_dataset_may_lie_in_the_future() -> None:
    ahead = NOW + pd.Timedelta(days=100)
    found, at = check_recorded(tables(event("ahead", ahead, ahead)), None, NOW)
    assert at == ahead + pd.Timedelta(microseconds=1)
    assert kept(found.dataset) == ["ahead"]


def test_nothing_happened_after_it_was_recorded() -> None:
    # Else one clock that is ahead would hide what others record until then.
    ahead = NOW + pd.Timedelta(days=100)
    found, at = check_recorded(tables(event("skewed", ahead, LAST)), None, NOW)
    assert at == LAST + pd.Timedelta(microseconds=1)
    assert found.dataset.interactions["occurred_at"].tolist() == [LAST]


def test_rows_are_checked_as_those_of_a_folder_are(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("same")
    rows = [event(f"e{n}", LAST, LAST) for n in range(300)]
    rows += [event("e7", LAST, LAST), {**event("no", LAST, LAST), "offer_id": "unknown"}]
    given = tables(*rows)
    given["survey_answers"] = pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in range(200)],
            "question": "offer:o1",
            "answer": ["perhaps", *["yes"] * 199],
        }
    )
    for name, frame in given.items():
        frame.drop(columns="recorded_at", errors="ignore").to_parquet(folder / f"{name}.parquet")
    from_folder, (recorded, _) = read_folder(folder), check_recorded(given, None, NOW)
    for name, frame in from_folder.dataset.tables().items():
        pd.testing.assert_frame_equal(recorded.dataset.tables()[name], frame)
    assert recorded.remarks() == from_folder.remarks()
    assert len(recorded.rejected["interactions"]) == 2


def test_too_many_unusable_rows_are_refused() -> None:
    odd = [{**event(f"e{n}", LAST, LAST), "offer_id": "unknown"} for n in range(9)]
    with pytest.raises(DataError, match="interactions: 9 of 10"):
        check_recorded(tables(event("good", LAST, LAST), *odd), None, NOW)
    found, _ = check_recorded(tables(event("good", LAST, LAST), *odd), None, NOW, max_bad=0.9)
    assert kept(found.dataset) == ["good"]


def test_tables_without_rows_count_as_absent() -> None:
    nothing = {"customers": pd.DataFrame({"customer_id": ["c1"]}), **dict.fromkeys(
        ("transactions", "interactions"),
        pd.DataFrame(columns=["customer_id", "occurred_at", "recorded_at"]),
    )}  # fmt: skip
    found, at = check_recorded(nothing, None, NOW)
    assert at is None
    assert found.rows == {"customers": 1}


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no database"):
        read_database(f"sqlite:///{tmp_path}/no.db")
    assert not list(tmp_path.iterdir())
