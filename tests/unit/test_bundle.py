"""A bundle survives the way to disk and back, and a damaged one is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import BundleError
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.storage.model_folder import MANIFEST, VERSIONS, load, save
from recommender.storage.versions import CURRENT


@pytest.fixture
def saved(small_bundle: Bundle, tmp_path: Path) -> Path:
    save(small_bundle, tmp_path / "model")
    return tmp_path / "model"


def version_folder(model: Path) -> Path:
    return model / VERSIONS / (model / CURRENT).read_text()


def test_what_is_read_recommends_as_what_was_saved(small_bundle: Bundle, saved: Path) -> None:
    again = load(saved)
    wish = Wish(at=small_bundle.moment)
    assert small_bundle.customers.query is not None
    assert again.customers.query is not None
    before = Service(small_bundle).recommend(small_bundle.customers.query, wish)
    assert Service(again).recommend(again.customers.query, wish) == before
    pd.testing.assert_frame_equal(again.anomalies, small_bundle.anomalies)


def test_the_version_names_the_content(small_bundle: Bundle, tmp_path: Path) -> None:
    first = save(small_bundle, tmp_path / "a")
    assert save(small_bundle, tmp_path / "b").version == first.version
    assert save(small_bundle, tmp_path / "a").version == first.version
    other = replace(small_bundle, seed=small_bundle.seed + 1)
    assert save(other, tmp_path / "a").version != first.version
    assert load(tmp_path / "a").version != first.version


def test_no_pickle_is_written(saved: Path) -> None:
    for path in version_folder(saved).glob("*.npz"):
        with np.load(path, allow_pickle=False) as archive:
            assert all(archive[name].dtype != object for name in archive.files)


@pytest.mark.parametrize(
    "name",
    [
        "core.npz",
        "core.json",
        "customers.npz",
        "customers.json",
        "offers.npz",
        "offers.json",
        "anomalies.npz",
        "anomalies.json",
        "choice.npz",
        "choice.json",
        MANIFEST,
    ],
)
@pytest.mark.parametrize("harm", ["cut", "gone", "garbled"])
def test_a_damaged_bundle_is_refused(saved: Path, name: str, harm: str) -> None:
    path = version_folder(saved) / name
    content = path.read_bytes()
    if harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "gone":
        path.unlink()
    else:
        path.write_bytes(bytes(byte ^ 0x55 for byte in content))
    with pytest.raises(BundleError) as caught:
        load(saved)
    assert "Train again" in caught.value.remedy


def test_a_damaged_bundle_is_replaced_by_training_again(small_bundle: Bundle, saved: Path) -> None:
    (version_folder(saved) / "core.npz").write_bytes(b"")
    save(small_bundle, saved)
    assert load(saved).version


@pytest.mark.parametrize("text", ["", "../../etc", "0123456789ab", "\x00", "a" * 5000, "é"])
def test_a_garbled_pointer_is_refused(saved: Path, text: str) -> None:
    (saved / CURRENT).write_text(text)
    with pytest.raises(BundleError):
        load(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"at": "2027-01-01T00:00:00+00:00"},
        {"files": []},
        {"notes": None},
        {"seed": 5},
        {"at": "x"},
        {"instead": {"customers.npz": []}},
        {"instead": {"customers.npz": ["../elsewhere", "0"]}},
    ],
)
def test_an_edited_manifest_is_refused(saved: Path, change: dict[str, object]) -> None:
    path = version_folder(saved) / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BundleError):
        load(saved)


def test_another_format_is_refused(saved: Path) -> None:
    path = version_folder(saved) / MANIFEST
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "format": 999}))
    with pytest.raises(BundleError, match="format 999"):
        load(saved)


def test_no_model_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        load(tmp_path)
    assert "python -m recommender train" in caught.value.remedy


def test_a_failed_save_leaves_the_old_model(
    small_bundle: Bundle, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(saved).version

    def fail(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="disk full"):
        save(replace(small_bundle, seed=99), saved)
    monkeypatch.undo()
    assert load(saved).version == before
    assert len(list((saved / VERSIONS).iterdir())) == 1
