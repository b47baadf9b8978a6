"""Which run this is: code, libraries, machine, cost; so that a figure can be made again."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic
from typing import Any

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, OFFER_ID
from evaluation.benchmark import LIBRARIES
from evaluation.splitting import Split

HOME = Path(__file__).resolve().parents[1]
PATIENCE = 10  # seconds that git may take


def identify(dataset: Dataset, *, name: str, seed: int, began: float) -> dict[str, Any]:
    """Describe a run.

    Parameters
    ----------
    dataset : Dataset
        What was evaluated on.
    name : str
        What to call it.
    seed : int
        The only source of chance.
    began : float
        `time.monotonic()` at the beginning.

    Returns
    -------
    dict
        data, fingerprint, rows by table, seed, commit (`code_identity`), python, machine, cores,
        versions by library, peak_memory_mib, seconds; what cannot be known is None.
    """
    return {
        "data": name,
        "fingerprint": dataset.fingerprint,
        "rows": {table: len(frame) for table, frame in dataset.tables().items()},
        "seed": seed,
        "commit": code_identity(),
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": usable_cores(),
        "versions": {library: _version(library) for library in LIBRARIES},
        "peak_memory_mib": peak_memory(),
        "seconds": round(monotonic() - began, 1),
    }


def code_identity(home: Path = HOME) -> dict[str, Any] | None:
    """Return the commit that is checked out and whether tracked files differ from it.

    Returns
    -------
    dict or None
        ``{"hash": …, "dirty": …}``; None where `home` is not the root of a git checkout, as for an
        installed package, even one that lies within somebody else's checkout.
    """
    top = _git(home, "rev-parse", "--show-toplevel")
    commit = _git(home, "rev-parse", "HEAD")
    if not top or not commit or Path(top).resolve() != home.resolve():
        return None
    changed = _git(home, "status", "--porcelain", "--untracked-files=no")
    return {"hash": commit, "dirty": None if changed is None else bool(changed)}


def split_identity(split: Split) -> dict[str, str]:
    """Return short hashes of who is tested on what and of what could be listed.

    Two reports with equal hashes rank the same candidates for the same customers with the same
    truth; counts alone could agree by chance.
    """
    truth = split.truth[[CUSTOMER_ID, OFFER_ID]]
    pairs = sorted(f"{one}\t{other}" for one, other in truth.itertuples(index=False))
    return {"candidates": _short(sorted(split.candidates)), "truth": _short(pairs)}


def peak_memory() -> float | None:
    """Return the largest memory this process has held, in MiB; None where nobody counts it."""
    try:
        import resource
    except ImportError:  # Windows has no such count
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1024**2 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(most / unit, 1)


def usable_cores() -> int | None:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _git(home: Path, *words: str) -> str | None:
    """Ask git about a folder; None where it is not there or does not answer."""
    # Variables of a hook or another checkout must not speak for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(home), *words],
            capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _short(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
