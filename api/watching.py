"""A model folder that is watched: which state it is in, and the thread that looks at it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from api.settling import settle
from recommender.storage.model_folder import MANIFEST, VERSIONS
from recommender.storage.versions import current_version

log = logging.getLogger("api.watching")

LOOK_SECONDS = 1.0  # how often a model folder is looked at
LONGEST_WAIT = 60.0  # seconds between looks that fail


def watch(look: Callable[[], bool], closing: threading.Event) -> threading.Thread:
    """Start looking for another bundle, until the end.

    Parameters
    ----------
    look : callable
        Tells whether another model is served now; an error that it raises is logged, and it is
        called again after ever longer waits.
    closing : Event
        Set at the end.

    Returns
    -------
    Thread
        It has begun.
    """

    def looking() -> None:
        told, wait = "", LOOK_SECONDS
        while not closing.wait(wait):
            try:
                if look():
                    settle()
                told, wait = "", LOOK_SECONDS
            except Exception as error:  # whatever it is, it must not end the watch
                # What it says may hold personal data: its kind is logged, and once.
                kind = type(error).__name__
                if kind != told:
                    log.error("model folder: %s; looking again", kind)
                told, wait = kind, min(2 * wait, LONGEST_WAIT)

    thread = threading.Thread(target=looking, name="watch-models", daemon=True)
    thread.start()
    return thread


def state_of(folder: Path) -> tuple[str, int, int]:
    """Tell one state of a model folder from another: an erasure rewrites a manifest."""
    version = current_version(folder)
    try:
        manifest = (folder / VERSIONS / version / MANIFEST).stat()
    except OSError:
        return version, 0, 0
    return version, manifest.st_mtime_ns, manifest.st_ino
