"""A model folder has one writer at a time, whichever process or thread; readers never wait."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from data.errors import BusyError
from recommender.bundle import Bundle
from recommender.storage import one_writer as room
from recommender.storage import versions
from recommender.storage.model_folder import load, save, store
from recommender.storage.one_writer import LOCK, one_writer
from recommender.storage.versions import current_version, history, make_current

# Erases a person; between reading a model and writing it the other process is waited for.
ERASING = """
import sys, time
from pathlib import Path
from recommender.storage import erasure

folder, who, mine, other = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
load = erasure.load

def read(*given):
    bundle = load(*given)
    mine.touch()
    end = time.monotonic() + 2
    while not other.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return bundle

erasure.load = read
assert list(erasure.erase_from_models(folder, who).values()) == [True]
"""
HOLDING = """
import sys
from pathlib import Path
from recommender.storage.one_writer import one_writer

with one_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(small_bundle: Bundle, tmp_path: Path) -> Path:
    save(small_bundle, tmp_path / "model")
    return tmp_path / "model"


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process be the one writer."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        try:
            yield other
        finally:
            other.kill()


def test_two_people_erased_by_two_processes_at_once_are_both_gone(
    folder: Path, small_bundle: Bundle, tmp_path: Path
) -> None:
    people = [str(name) for name in small_bundle.customers.ids[:2]]
    marks = [str(tmp_path / "one"), str(tmp_path / "two")]
    both = [
        subprocess.Popen([sys.executable, "-c", ERASING, str(folder), who, *turned])
        for who, turned in zip(people, (marks, marks[::-1]), strict=True)
    ]
    assert [one.wait(60) for one in both] == [0, 0]
    assert not [who for who in people if who in load(folder).customer_ids]


def test_two_models_made_current_at_once_are_both_remembered(
    folder: Path, small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = current_version(folder)
    others = [store(replace(small_bundle, seed=seed), folder).version for seed in (98, 99)]
    both = threading.Barrier(2)

    def read(place: Path) -> str:
        version = current_version(place)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.3)  # whoever else writes has read by now
        return version

    with monkeypatch.context() as patched, ThreadPoolExecutor(2) as pool:
        patched.setattr(versions, "current_version", read)
        list(pool.map(lambda version: make_current(folder, version), others))
    now = current_version(folder)
    assert [*history(folder), now] in ([first, *others], [first, *others[::-1]])


def test_a_writer_is_waited_for_so_long_only_and_a_reader_not_at_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LONGEST_WAIT", 0.2)
    version = current_version(folder)
    with held(folder):
        begun = time.monotonic()
        with pytest.raises(BusyError, match=r"writing to .*model.*do this again"):
            make_current(folder, version)
        assert 0.2 <= time.monotonic() - begun < 5
        assert load(folder).version == version
    make_current(folder, version)


def test_who_was_killed_holds_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held(folder) as other:
        threading.Timer(0.3, other.kill).start()
        make_current(folder, "another")
    assert current_version(folder) == "another"
    assert (folder / LOCK).read_bytes() == b""
    monkeypatch.setattr(room, "LONGEST_WAIT", 0.0)
    make_current(folder, "a third")


@pytest.mark.parametrize("without", ["module", "disk", "leave"])
def test_where_there_is_no_lock_threads_take_turns_still(
    folder: Path, without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(room.WITHOUT[0], "No locks available")

    def no_place(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    if without == "module":
        monkeypatch.setattr(room, "fcntl", None)
    elif without == "disk":
        monkeypatch.setattr(room.fcntl, "flock", refused)
    else:
        (folder / LOCK).unlink()
        monkeypatch.setattr(room.os, "open", no_place)
    monkeypatch.setattr(room, "LONGEST_WAIT", 0.1)
    with one_writer(folder), ThreadPoolExecutor(1) as pool:
        with one_writer(folder):
            pass
        with pytest.raises(BusyError):
            pool.submit(one_writer(folder).__enter__).result()
    with one_writer(folder):
        pass


def test_a_folder_that_holds_nothing_but_the_lock_takes_a_model(
    small_bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / LOCK).touch()  # whoever was to write the first model was killed
    assert save(small_bundle, tmp_path).version == current_version(tmp_path)
