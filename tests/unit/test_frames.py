"""Tables as arrays: whatever a bundle's tables hold comes back, and serving needs no Arrow."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.bundle import Bundle
from recommender.storage.frames import decode_frame, encode_frame
from recommender.storage.model_folder import FRAMES
from recommender.storage.searching import find_in_files


def again(frame: pd.DataFrame) -> pd.DataFrame:
    arrays, plain = encode_frame(frame)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as archive:
        return decode_frame({name: archive[name] for name in archive.files}, plain)


@pytest.mark.parametrize("name", FRAMES)
def test_a_bundles_tables_come_back(small_bundle: Bundle, name: str) -> None:
    frame = getattr(small_bundle, name)
    pd.testing.assert_frame_equal(again(frame), frame)


def test_missing_values_stay_missing() -> None:
    frame = pd.DataFrame(
        {
            "text": pd.Series(["a", None, ""], dtype="str"),
            "truth": pd.Series([True, pd.NA, False], dtype="boolean"),
            "count": pd.Series([1, pd.NA, 3], dtype="Int64"),
            "number": [1.5, np.nan, np.inf],
            "whole": [1, 2, 3],
            "time": pd.to_datetime(["2025-01-01", None, "1969-12-31"], utc=True),
        }
    )
    pd.testing.assert_frame_equal(again(frame), frame)
    pd.testing.assert_frame_equal(again(frame.head(0)), frame.head(0))
    assert again(pd.DataFrame()).empty


@given(st.lists(st.one_of(st.none(), st.text())))
def test_any_text_comes_back(texts: list[str | None]) -> None:
    frame = pd.DataFrame({"text": pd.Series(texts, dtype="str")})
    pd.testing.assert_frame_equal(again(frame), frame)


def test_texts_of_other_lengths_than_told_are_damage() -> None:
    arrays, plain = encode_frame(pd.DataFrame({"text": ["one", "two"]}))
    with pytest.raises(ValueError, match="lengths"):
        decode_frame({**arrays, "0": arrays["0"][:-1]}, plain)


def test_an_id_in_a_table_is_found_by_its_bytes(tmp_path: Path) -> None:
    arrays, _ = encode_frame(pd.DataFrame({"customer_id": ["c1", "c10", "c2"]}))
    with (tmp_path / "people.npz").open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    assert [bool(find_in_files(tmp_path, name)) for name in ("c1", "c10", "c0", "c")] == [
        True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "entry", ["api.__main__", pytest.param("api.worker", marks=pytest.mark.slow)]
)
def test_whatever_serves_does_without_arrow_and_optimisers(entry: str) -> None:
    """Either would cost a worker 20 MiB or more."""
    wanted = ("pandas", "pyarrow.lib", "scipy.optimize")
    code = f"import {entry}, sys; print(*(name in sys.modules for name in {wanted}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.split() == ["True", "False", "False"]
