"""Erasure: a person leaves every stored model, others stay, a crash does no harm."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import shutil
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import BundleError
from data.store import Store
from recommender.bundle import Bundle
from recommender.release.verdict import Verdict, write_verdict
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.storage import erasure, unpacking
from recommender.storage.erasure import KEPT, REMOVED, erase_from_models, erased
from recommender.storage.model_folder import BESIDE, FORMAT, MANIFEST, VERSIONS, load, save
from recommender.storage.searching import find_in_files


@pytest.fixture
def folder(small_bundle: Bundle, tmp_path: Path) -> Path:
    save(replace(small_bundle, seed=99), tmp_path / "model")
    save(small_bundle, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def somebody(small_bundle: Bundle) -> str:
    """Somebody who is flagged, so that they stand in every table of people."""
    return str(small_bundle.anomalies["customer_id"].iloc[0])


def test_a_person_is_in_no_file_of_any_version(folder: Path, somebody: str) -> None:
    assert len(find_in_files(folder, somebody)) >= 4
    found = erase_from_models(folder, somebody)
    assert len(found) == 2
    assert all(found.values())
    assert find_in_files(folder, somebody) == []
    assert not any(erase_from_models(folder, somebody).values())


def test_versions_keep_their_names_and_everybody_else_their_lists(
    folder: Path, somebody: str
) -> None:
    before = load(folder)
    erase_from_models(folder, somebody)
    after = load(folder)
    assert after.version == before.version
    assert len(after.customers.ids) == len(before.customers.ids) - 1
    assert somebody not in after.customer_ids
    assert somebody not in set(after.anomalies["customer_id"])
    others = np.flatnonzero(before.customers.ids != somebody)
    wish = Wish(at=before.moment, n=5)
    assert before.customers.query is not None
    assert after.customers.query is not None
    was = Service(before).recommend(before.customers.query.take(others), wish)
    assert Service(after).recommend(after.customers.query, wish) == was


def test_an_id_that_is_a_short_number_is_found_where_people_stand_and_not_among_figures(
    small_bundle: Bundle, tmp_path: Path
) -> None:
    people, table = small_bundle.customers, small_bundle.anomalies
    number = {str(name): str(row) for row, name in enumerate(people.ids)}
    ids = np.array([number[str(name)] for name in people.ids])
    odd = table.assign(customer_id=table["customer_id"].map(number).astype("str"))
    bundle = replace(small_bundle, customers=replace(people, ids=ids), anomalies=odd)
    home = tmp_path / VERSIONS / save(bundle, tmp_path).version
    write_verdict(Verdict(home.name, "", ()), tmp_path)
    flagged = str(odd["customer_id"].iloc[0])
    for who in ("7", "42", "100", flagged):
        files = [Path(path).name.partition(".npz")[0] for path in find_in_files(tmp_path, who)]
        held = ["anomalies"] * bool((odd["customer_id"] == who).any()) + ["customers"]
        assert files == held
        erase_from_models(tmp_path, who)
        assert find_in_files(tmp_path, who) == []
    (home / "notes.txt").write_text("Ask 7 again.")
    assert find_in_files(tmp_path, "7") == [str(home / "notes.txt")]


def test_a_second_person_can_be_erased(folder: Path, small_bundle: Bundle) -> None:
    people = [str(name) for name in small_bundle.customers.ids[:3]]
    for name in people:
        erase_from_models(folder, name)
    assert len(load(folder).customers.ids) == len(small_bundle.customers.ids) - 3
    assert not any(find_in_files(folder, name) for name in people)


@pytest.mark.parametrize("step", range(9))
def test_a_crash_at_any_step_leaves_a_whole_model_and_the_next_erasure_finishes(
    folder: Path, somebody: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def crashing(work: object) -> object:
        def step_or_crash(*args: object, **named: object) -> object:
            nonlocal steps
            steps += 1
            if steps > step:
                raise KeyboardInterrupt
            return work(*args, **named)  # type: ignore[operator]

        return step_or_crash

    with monkeypatch.context() as patched:
        for name in ("write", "write_whole", "sync_folder"):
            patched.setattr(erasure, name, crashing(getattr(erasure, name)))
        patched.setattr(Path, "unlink", crashing(Path.unlink))
        with pytest.raises(KeyboardInterrupt):
            erase_from_models(folder, somebody)
    for home in (folder / VERSIONS).iterdir():
        load(folder, home.name)
    erase_from_models(folder, somebody)
    assert find_in_files(folder, somebody) == []
    assert somebody not in load(folder).customer_ids


def test_damage_is_found_after_an_erasure_as_well(folder: Path, somebody: str) -> None:
    erase_from_models(folder, somebody)
    home = folder / VERSIONS / load(folder).version
    name = json.loads((home / MANIFEST).read_text())["instead"]["customers.npz"][0]
    damaged = bytearray((home / name).read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    (home / name).write_bytes(damaged)
    with pytest.raises(BundleError, match="damaged"):
        load(folder)
    assert erase_from_models(folder, somebody)[home.name] is False  # nobody can serve it


@pytest.mark.parametrize("name", ["customers.npz", "manifest.json", "core.npz"])
def test_a_person_leaves_what_cannot_be_read_as_well(
    folder: Path, somebody: str, name: str
) -> None:
    home = folder / VERSIONS / load(folder).version
    (home / name).write_bytes(b"x" + (home / name).read_bytes())
    assert erase_from_models(folder, somebody)[home.name] is True
    assert find_in_files(folder, somebody) == []


def of_another_format(home: Path) -> None:
    told = json.loads((home / MANIFEST).read_text())
    (home / MANIFEST).write_text(json.dumps({**told, "format": FORMAT - 1}))


def test_a_version_of_another_format_goes_as_a_whole_and_the_receipt_says_so(
    folder: Path, somebody: str, tmp_path: Path
) -> None:
    current = load(folder).version
    (other,) = (one for one in (folder / VERSIONS).iterdir() if one.name != current)
    of_another_format(other)
    before = {path: path.read_bytes() for path in other.iterdir()}
    store = Store.open(f"sqlite:///{tmp_path / 'nbo.db'}")
    stranger = erased(store, folder, "no such person at all")
    assert stranger.unread == {other.name: KEPT}
    assert {path: path.read_bytes() for path in other.iterdir()} == before
    receipt = erased(store, folder, somebody)
    store.close()
    assert receipt.unread == {other.name: REMOVED}
    assert receipt.models == {current: True, other.name: True}
    assert not other.exists()
    assert find_in_files(folder, somebody) == []
    assert load(folder).version == current


def test_what_a_killed_training_left_behind_is_cleared_and_one_under_way_is_not(
    folder: Path, somebody: str
) -> None:
    home = folder / VERSIONS / load(folder).version
    for name, age in (("old", 7200.0), ("new", 0.0)):
        beside = folder / VERSIONS / f"{BESIDE}{name}"
        shutil.copytree(home, beside)
        os.utime(beside, (time.time() - age,) * 2)
    erase_from_models(folder, somebody)
    assert not (folder / VERSIONS / f"{BESIDE}old").exists()
    assert (folder / VERSIONS / f"{BESIDE}new").is_dir()


def test_a_copy_that_somebody_made_is_told(folder: Path, somebody: str, tmp_path: Path) -> None:
    home = folder / VERSIONS / load(folder).version
    shutil.copytree(home, folder / VERSIONS / f"{home.name}.bak")
    store = Store.open(f"sqlite:///{tmp_path / 'nbo.db'}")
    receipt = erased(store, folder, somebody)
    store.close()
    assert f"{VERSIONS}/{home.name}.bak/customers.npz" in receipt.left
    assert all(".bak/" in name for name in receipt.left)


def test_a_stranger_changes_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert not any(erase_from_models(folder, "nobody at all").values())
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_receipt_names_nobody(folder: Path, somebody: str, tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'nbo.db'}")
    store.put_customer(somebody, {"age": 30.0}, {"category:home": "yes"})
    receipt = erased(store, folder, somebody)
    store.close()
    assert receipt.rows["customers"] == receipt.rows["survey_answers"] == 1
    assert list(receipt.models.values()) == [True, True]
    assert somebody not in json.dumps(receipt.as_dict())
    assert len(receipt.customer_digest) == 64


@pytest.mark.parametrize("name", ["c1", "Zoë/7", 'quo"te', "a-1", "ünï"])
def test_an_id_is_found_alone_and_not_within_another(tmp_path: Path, name: str) -> None:
    (tmp_path / "other.log").write_text(f"{name}0 x{name} {name}-2 {name}_b")
    assert find_in_files(tmp_path, name) == []
    (tmp_path / "one.log").write_text("x" * (unpacking.BLOCK - 1) + f" {name} and more")
    (tmp_path / "two.json").write_text(json.dumps({"id": name}))
    with gzip.open(tmp_path / "three.csv.gz", "wb") as file:
        file.write(f"id,age\n{name},7\n".encode())
    np.savez(tmp_path / "four.npz", ids=np.array(["aa", name]))
    assert len(find_in_files(tmp_path, name)) == 4


@pytest.mark.parametrize(
    "text", ["customer {}.", "{}\u2019s card", "({}-)", "_{}_\n", "\u201c{}\u201d", "{}\u2026"]
)
def test_marks_of_a_sentence_are_no_part_of_an_id(tmp_path: Path, text: str) -> None:
    (tmp_path / "one.log").write_text(text.format("c0000042"), encoding="utf-8")
    assert len(find_in_files(tmp_path, "c0000042")) == 1
    assert find_in_files(tmp_path, "c000004") == []


def zipped(place: Path, name: str, content: bytes) -> Path:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("other.txt", "nothing")
        archive.writestr(name, content)
    return place


def test_an_id_is_found_in_columns_of_every_kind_of_text(tmp_path: Path) -> None:
    names = ["c0000042", "c0000043"]
    other = pd.Series(["a", "b"])
    tables = {
        "categories": pd.DataFrame({"who": pd.Categorical(names)}),
        "lists": pd.DataFrame({"who": [[], names]}),
        "lists_of_parts": pd.DataFrame({"who": [[{"id": names[0]}], []]}),
        "sentences": pd.DataFrame({"note": [f"Ask {name}, please." for name in names]}),
        "bytes": pd.DataFrame({"who": [name.encode() for name in names]}),
        "none": pd.DataFrame({"who": other, "n": [1, 2]}),
    }
    for name, table in tables.items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    found = {Path(path).stem for path in find_in_files(tmp_path, "c0000042")}
    assert found == set(tables) - {"none"}


def test_customers_whose_ids_are_numbers_are_found_in_their_column_only(tmp_path: Path) -> None:
    table = pd.DataFrame({"customer_id": [41, 42], "visits": [7, 7]})
    table.to_parquet(tmp_path / "t.parquet")
    assert len(find_in_files(tmp_path, "42")) == 1
    assert find_in_files(tmp_path, "7") == []


def test_an_id_is_found_in_archives_within_each_other(tmp_path: Path) -> None:
    text = b"id,age\nc0000042,7\n" * 1000
    zipped(tmp_path / "one.zip", "deep/c.csv", text)
    inner = zipped(tmp_path / "inner.zip", "c.csv.gz", gzip.compress(text)).read_bytes()
    zipped(tmp_path / "two.zip", "inner.zip", inner)
    (tmp_path / "three.xz").write_bytes(lzma.compress(text))
    (tmp_path / "four.bz2").write_bytes(bz2.compress(text))
    unread: list[str] = []
    assert len(find_in_files(tmp_path, "c0000042", unread)) == 5
    assert find_in_files(tmp_path, "c0000099", unread) == []
    assert unread == []


def test_what_cannot_be_looked_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"id,age\nc0000042,7\n" * 1000
    whole = gzip.compress(text)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(os.urandom(5000))[:-2000])
    (tmp_path / "foreign.zst").write_bytes(b"\x28\xb5\x2f\xfd and more")
    (tmp_path / "not.parquet").write_bytes(b"something else")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    deep = whole
    for _ in range(unpacking.DEEPEST):
        deep = gzip.compress(deep)
    (tmp_path / "deep.gz").write_bytes(deep)
    unread: list[str] = []
    assert find_in_files(tmp_path, "c0000042", unread) == []
    told = [Path(one.partition(" (")[0].partition(":")[0]).name for one in unread]
    assert told == ["broken.parquet", "cut.csv.gz", "deep.gz", "foreign.zst", "not.parquet"]
    monkeypatch.setattr(unpacking, "MOST", 100)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"x" * 10_000))
    unread.clear()
    find_in_files(tmp_path / "bomb.gz", "c0000042", unread)
    assert unread == [f"{tmp_path / 'bomb.gz'}: inside (too large once it is unpacked)"]


@pytest.mark.parametrize("before", range(-3, 3))
def test_an_id_over_the_edge_of_a_block_is_told_from_a_longer_one(
    tmp_path: Path, before: int
) -> None:
    filler = " " * (unpacking.BLOCK + before)
    for name, text in (("longer", "c10"), ("later", "zzc1"), ("on", "c1-a"), ("own", "c1.")):
        (tmp_path / name).write_text(filler + text)
    assert find_in_files(tmp_path, "c1") == [str(tmp_path / "own")]
