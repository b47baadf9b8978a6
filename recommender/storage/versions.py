"""Which version of a model folder is the current one, which were before, and the way back.

``CURRENT`` names the current version, ``HISTORY`` those before it, a line each, the last one last,
and ``CANDIDATE`` the last one that was trained and kept back. Each is replaced as a whole.
"""

from __future__ import annotations

import os
from pathlib import Path

from recommender.storage.one_writer import one_writer

CURRENT, HISTORY, CANDIDATE = "CURRENT", "HISTORY", "CANDIDATE"
VERDICT = "verdict.json"  # beside a version's manifest: what was found of it; it names nobody
MOST_REMEMBERED = 100
LONGEST = 100  # bytes of a pointer that are read: whatever it holds, it is no reason to hang


def current_version(folder: Path) -> str:
    """Return what the pointer names, which need not be there; empty without a pointer."""
    return _pointed(folder / CURRENT)


def candidate_version(folder: Path) -> str:
    """Return the version that was kept back last; empty where there is none."""
    return _pointed(folder / CANDIDATE)


def history(folder: Path) -> list[str]:
    """List the versions that were current before this one, the last one last."""
    path = folder / HISTORY
    past = path.read_text("ascii", errors="replace").split() if path.is_file() else []
    # A crash between the two files leaves the current version at the end: it is not before itself.
    while past and past[-1] == current_version(folder):
        past.pop()
    return past


def make_current(folder: Path, version: str) -> None:
    """Make a stored version the current one, and remember the one before for the way back."""
    with one_writer(folder):
        before = current_version(folder)
        if before != version:
            if before.isalnum():  # a garbled pointer is nowhere to go back to
                past = [*history(folder), before][-MOST_REMEMBERED:]
                write_whole(folder / HISTORY, "\n".join(past).encode())
            write_whole(folder / CURRENT, version.encode())
        (folder / CANDIDATE).unlink(missing_ok=True)  # it was weighed against what is past now


def step_back(folder: Path) -> None:
    """Make the version before the current one again; the one left is forgotten.

    The pointer moves first: a crash before the history is shortened is mended by reading it.
    """
    with one_writer(folder):
        past = history(folder)
        write_whole(folder / CURRENT, past[-1].encode())
        write_whole(folder / HISTORY, "\n".join(past[:-1]).encode())


def keep_back(folder: Path, version: str) -> None:
    """Remember a stored version as the candidate."""
    with one_writer(folder):
        write_whole(folder / CANDIDATE, version.encode())


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file so that a reader, or a crash at any point, meets the old one or the new."""
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    write(beside, content)
    beside.replace(path)
    sync_folder(path.parent)


def write(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _pointed(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(LONGEST).decode("ascii", errors="replace").strip()
