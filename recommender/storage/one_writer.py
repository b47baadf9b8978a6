"""One writer of a model folder at a time: what reads a file and writes it anew loses nothing.

Two erasures that read the same manifest would each put back whom the other took out; two releases
would forget each other in the history. Who writes therefore holds the file ``LOCK`` of the folder,
by ``flock``: it is free again when its holder ends, however it ends. Reading never waits, since
every file is replaced as a whole. Where the system or the disk knows no ``flock`` the threads of a
process take turns still, and processes go on as if they were alone.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from data.errors import BusyError

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]

LOCK = "LOCK"
LONGEST_WAIT = 300.0  # seconds: a training that took hours is worth it
PAUSE = 0.02  # seconds between two looks whether another process is done
# What disks without such locks answer; one of NFS refuses them of files opened to read.
WITHOUT = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF)


@dataclass
class _Turns:
    """The threads of this process that write into one folder."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    depth: int = 0


_turns: dict[Path, _Turns] = {}
_adding = threading.Lock()


@contextmanager
def one_writer(folder: Path, wait: float | None = None) -> Iterator[None]:
    """Be the only one who writes into a model folder, which has to be there.

    Who is so already may ask again: a release takes several steps, each of which asks.

    Parameters
    ----------
    wait : float, optional
        Seconds to wait for somebody else; `LONGEST_WAIT` if None.

    Raises
    ------
    BusyError
        Somebody else writes, and has not ended by then.
    """
    wait = LONGEST_WAIT if wait is None else wait
    end = time.monotonic() + wait
    with _adding:
        turns = _turns.setdefault(folder.resolve(), _Turns())
    if not turns.lock.acquire(timeout=wait):
        raise _busy(folder, wait)
    try:
        handle = None if turns.depth or fcntl is None else _lock(folder, wait, end)
        turns.depth += 1
        try:
            yield
        finally:
            turns.depth -= 1
            if handle is not None:
                os.close(handle)
    finally:
        turns.lock.release()


def _lock(folder: Path, wait: float, end: float) -> int | None:
    """Open the lock of a folder and hold it until it is closed."""
    handle = _open(folder / LOCK)
    if handle is None:
        return None
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise _busy(folder, wait) from None
                time.sleep(PAUSE)
            except OSError as error:
                if error.errno not in WITHOUT:
                    raise
                return handle
            else:
                return handle
    except BaseException:
        os.close(handle)
        raise


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
    # Another user's: most disks lock it all the same. Where none can be made nothing can be written
    # either: whoever tries is told by what they write.
    return os.open(path, os.O_RDONLY) if os.access(path, os.R_OK) else None


def _busy(folder: Path, wait: float) -> BusyError:
    return BusyError(
        f"Somebody else has been writing to {folder} for {wait:g} s (a training, a release or an "
        "erasure).",
        "Wait until that is done and do this again; if it hangs, end it.",
    )
