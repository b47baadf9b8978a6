"""A model folder has one writer at a time, whichever process or thread; readers never wait."""

from __future__ import annotations

import logging
import os
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


@pytest.mark.slow
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


def test_who_waited_for_a_lock_that_was_removed_waits_for_the_one_in_its_place(
    folder: Path,
) -> None:
    with held(folder) as first, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(make_current, folder, "mine")
        time.sleep(0.2)
        (folder / LOCK).unlink()
        with held(folder):
            first.kill()
            time.sleep(0.3)
            assert not waiting.done()
            assert current_version(folder) != "mine"
        waiting.result()
    assert current_version(folder) == "mine"


def test_a_child_that_was_forked_meanwhile_keeps_nobody_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs a list of what this process has open")
    copies: list[int] = []
    with one_writer(folder):
        # What a forked child has: a second handle of the same open file.
        for place in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                if place.samefile(folder / LOCK):
                    copies.append(os.dup(int(place.name)))
    assert copies
    try:
        monkeypatch.setattr(room, "LONGEST_WAIT", 0.2)
        with one_writer(folder):
            pass
    finally:
        for copy in copies:
            os.close(copy)


def test_whoever_waits_is_told_for_whom(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(room, "LONGEST_WAIT", 0.4)
    monkeypatch.setattr(room, "SILENCE", 0.1)
    with held(folder) as other:
        status = (folder / LOCK).stat()
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        listed = f"1: FLOCK  ADVISORY  WRITE {other.pid} {device}:{status.st_ino} 0 EOF\n"
        for held_by, told in ((listed, f"process {other.pid}"), ("", "another process")):
            caplog.clear()
            (tmp_path / "locks").write_text(held_by)
            monkeypatch.setattr(room, "HELD", tmp_path / "locks")
            with pytest.raises(BusyError):
                make_current(folder, "mine")
            (message,) = caplog.messages  # once, however long it takes
            assert message.startswith(f"Waiting for {told}, which writes to {folder}")
    caplog.clear()
    with one_writer(folder), ThreadPoolExecutor(1) as pool, pytest.raises(BusyError):
        pool.submit(make_current, folder, "mine").result()
    assert "another thread of this process" in caplog.text
    caplog.clear()
    make_current(folder, "mine")
    assert not caplog.messages


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
