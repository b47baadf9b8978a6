"""Public data that suites are given: faulty tables are refused, absent ones are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import DataError
from data.schema import MALL_FILE
from evaluation.benchmark import Row
from evaluation.suites import anomaly, labelled, segmentation

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (np.arange(40) % 10 == 0).astype(int)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"X": X}, "no y"),
        ({"y": Y}, "no X"),
        ({"X": X.astype(object), "y": Y}, "cannot be read"),
        ({"X": np.full((40, 3), "odd"), "y": Y}, "cannot be read"),
        ({"X": np.where(X > 2, np.nan, X), "y": Y}, "missing or infinite"),
        ({"X": X, "y": Y[:39]}, "X has 40 rows and y has 39"),
        ({"X": X[:, 0], "y": Y}, "no table"),
        ({"X": X, "y": 0 * Y}, "anomalies"),
        ({"X": X, "y": 0 * Y + 1}, "anomalies"),
        ({"X": X, "y": np.where(Y, 1, np.nan)}, "anomalies"),
    ],
)
def test_a_faulty_labelled_table_is_refused_by_name(
    arrays: dict[str, Any], told: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=told) as caught:
        labelled.rows(lambda _: None, tmp_path)
    assert "bad.npz" in caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize("kind", ["text", "nothing", "one array", "cut short", "broken"])
def test_what_is_no_npz_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    if kind == "one array":
        with path.open("wb") as file:
            np.save(file, X)
    else:
        np.savez_compressed(path, X=X, y=Y)
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(
            {
                "text": b"X,y",
                "nothing": b"",
                "cut short": whole[:middle],
                "broken": whole[:middle] + b"\xff" * 20 + whole[middle + 20 :],
            }[kind]
        )
    with pytest.raises(DataError, match=r"bad\.npz cannot be read"):
        labelled.read_table(path)


def test_a_labelled_table_is_read_as_it_is_and_a_large_one_in_part(tmp_path: Path) -> None:
    np.savez(tmp_path / "good.npz", X=X, y=Y[:, None])
    x, y = labelled.read_table(tmp_path / "good.npz")
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)
    assert y.dtype == np.int64
    many = labelled.LARGEST + 1
    np.savez(tmp_path / "large.npz", X=np.ones((many, 1), np.uint8), y=np.arange(many) % 2)
    assert len(labelled.read_table(tmp_path / "large.npz")[0]) == labelled.LARGEST


def nothing(*_: object) -> list[Row]:
    return []


def test_a_folder_without_labelled_tables_is_told_and_the_suite_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomaly.leaving, "rows", nothing)
    monkeypatch.setattr(anomaly, "_planted", nothing)
    assert anomaly.run(nothing) == []
    (row,) = anomaly.run(nothing, tmp_path)
    assert row.figure.startswith(f"not measured: neither {tmp_path}")
    monkeypatch.setattr(labelled, "rows", lambda _, folder: [Row(folder.name, "read", 1.0)])
    (tmp_path / anomaly.FOLDER).mkdir()
    (tmp_path / anomaly.FOLDER / "a.npz").touch()
    assert [one.data for one in anomaly.run(nothing, tmp_path)] == [anomaly.FOLDER]


def test_the_mall_table_is_taken_itself_or_in_its_folder_and_told_where_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_planted", "_imbalanced", "_sweep"):
        monkeypatch.setattr(segmentation, name, nothing)
    monkeypatch.setattr(segmentation.structure, "rows", nothing)
    monkeypatch.setattr(segmentation.coupons, "rows", nothing)
    monkeypatch.setattr(segmentation, "_mall", lambda path: (X, [Row(path.name, "read", 1.0)]))
    assert segmentation.run(nothing) == []
    (row,) = segmentation.run(nothing, tmp_path)
    assert row.figure == f"not measured: {tmp_path} holds no {MALL_FILE}"
    table = tmp_path / MALL_FILE
    table.touch()
    for given in (tmp_path, table):
        assert [one.data for one in segmentation.run(nothing, given)] == [MALL_FILE]
