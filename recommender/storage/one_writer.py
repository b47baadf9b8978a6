"""One writer of a model folder at a time: what reads a file and writes it anew loses nothing.

Two erasures that read the same manifest would each put back whom the other took out; two releases
would forget each other in the history. Who writes therefore holds the file ``LOCK`` of the folder,
by ``flock``: it is free again when its holder ends, however it ends. Reading never waits, since
every file is replaced as a whole. The file is nothing to tidy away: who removes it while it is held
lets the next one in beside the holder. Where the system or the disk knows no ``flock`` the threads
of a process take turns still, and processes go on as if they were alone.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from data.errors import BusyError

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]

# A command's reader has it on the terminal, a service's operator in the log.
log = logging.getLogger("recommender.one_writer")

LOCK = "LOCK"
LONGEST_WAIT = 300.0  # seconds: a training that took hours is worth it
PAUSE = 0.02  # seconds between two looks whether another process is done
SILENCE = 1.0  # seconds after which whoever waits is told for whom
HELD = Path("/proc/locks")  # where Linux tells which process holds which file
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
    if not _turn(turns, folder, wait):
        raise _busy(folder, wait)
    try:
        handle = None if turns.depth or fcntl is None else _lock(folder, wait, end)
        turns.depth += 1
        try:
            yield
        finally:
            turns.depth -= 1
            if handle is not None:
                _let_go(handle)
    finally:
        turns.lock.release()


def _turn(turns: _Turns, folder: Path, wait: float) -> bool:
    """Wait for the other threads of this process; return whether it is one's turn."""
    silent = min(SILENCE, wait)
    if turns.lock.acquire(timeout=silent):
        return True
    if wait <= silent:
        return False
    _say_whom("another thread of this process", folder, wait)
    return turns.lock.acquire(timeout=wait - silent)


def _lock(folder: Path, wait: float, end: float) -> int | None:
    """Open the lock of a folder and hold it until it is let go."""
    path = folder / LOCK
    while True:
        handle = _open(path)
        if handle is None:
            return None
        try:
            # Somebody may have removed the file while it was waited for: whoever came after that
            # holds another one, and to hold the removed one is to hold nothing.
            if not _hold(handle, folder, wait, end) or _is_at(path, handle):
                return handle
            if time.monotonic() >= end:
                raise _busy(folder, wait)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _hold(handle: int, folder: Path, wait: float, end: float) -> bool:
    """Wait until a lock is held; return False where the disk knows no locks."""
    silent_until = time.monotonic() + SILENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            if now >= end:
                raise _busy(folder, wait) from None
            if now >= silent_until:
                _say_whom(_holder(handle), folder, wait)
                silent_until = end
            time.sleep(PAUSE)
        except OSError as error:
            if error.errno not in WITHOUT:
                raise
            return False
        else:
            return True


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _let_go(handle: int) -> None:
    # Closing alone does not do it: a process that was forked meanwhile has the file open as well.
    with suppress(OSError):  # a disk without locks
        fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)


def _say_whom(holder: str, folder: Path, wait: float) -> None:
    log.warning(
        "Waiting for %s, which writes to %s (a training, a release or an erasure); at most %.3g s.",
        holder,
        folder,
        wait,
    )


def _holder(handle: int) -> str:
    """Name the process that holds a lock: by its number alone, its command may name a person."""
    status = os.fstat(handle)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    lines: list[str] = []
    with suppress(OSError):  # not Linux
        lines = HELD.read_text("ascii", errors="replace").splitlines()
    for line in lines:
        match line.split():
            # A process of another container has no number here.
            case [_, "FLOCK", _, _, number, place, *_] if (
                place == f"{device}:{status.st_ino}" and number.isdigit() and number != "0"
            ):
                return f"process {number}"
    return "another process"


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
        f"Somebody else has been writing to {folder} for {wait:.3g} s (a training, a release or an "
        "erasure).",
        "Wait until that is done and do this again; if it hangs, end it.",
    )
