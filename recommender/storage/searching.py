"""Searching files for a person's id, however they are packed.

Of a version of a model that can be read it is known where people stand: there their ids are looked
at. Elsewhere bytes are searched, in which a number that counts something looks like a short id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from data.errors import BundleError
from data.schema import CUSTOMER_ID
from recommender.storage.model_folder import MANIFEST, VERSIONS, load
from recommender.storage.unpacking import Contents
from recommender.storage.versions import VERDICT

JOINING = b"-_."  # what may go on after an id that is but the beginning of another
AROUND = 2  # bytes on either side that tell


def find_in_files(place: Path, customer_id: str, unread: list[str] | None = None) -> list[str]:
    """List the files, of a folder or one alone, in which an id stands, however they are packed.

    Parameters
    ----------
    unread : list of str, optional
        Takes up what could not be looked into, each with the reason.
    """
    unread = [] if unread is None else unread
    paths = sorted(place.rglob("*")) if place.is_dir() else [place]
    told: dict[Path, dict[str, bool]] = {}
    found = []
    for path in filter(Path.is_file, paths):
        home = path.parent
        if home.parent.name == VERSIONS and home not in told:
            told[home] = _in_version(home, customer_id)
        here = told.get(home, {}).get(path.name)
        if here or (here is None and _holds(path, customer_id, unread)):
            found.append(str(path))
    return found


def _in_version(home: Path, customer_id: str) -> dict[str, bool]:
    """Tell of the files that make up a version whether an id stands in them.

    What is left of an erasure that did not end is none of these; of a version that cannot be read
    there are none.
    """
    try:
        bundle = load(home.parent.parent, home.name)
        manifest = json.loads((home / MANIFEST).read_bytes())
    except (BundleError, OSError):
        return {}
    people = {
        "customers.npz": customer_id in bundle.customer_ids,
        "anomalies.npz": bool((bundle.anomalies[CUSTOMER_ID] == customer_id).any()),
    }
    instead = manifest.get("instead", {})
    files = {instead.get(name, [name])[0]: people.get(name, False) for name in manifest["files"]}
    return {MANIFEST: False, VERDICT: False} | files


def _holds(path: Path, customer_id: str, unread: list[str]) -> bool:
    """Search one file; what could not be looked into counts only where the id was not found."""
    contents = Contents()
    try:
        with path.open("rb") as file:
            streams = contents.streams(file, str(path))
            if any(_in_stream(blocks, customer_id) for blocks in streams):
                return True
    except OSError as error:
        contents.unread.append(f"{path} ({error.strerror})")
    unread += contents.unread
    return False


def _in_stream(blocks: Iterator[bytes], customer_id: str) -> bool:
    """Search blocks of bytes for an id, as it is and as JSON writes it; whole ids only.

    What stands at the end of a block is judged once the byte after it is known.
    """
    wanted = [customer_id.encode(), json.dumps(customer_id)[1:-1].encode()]
    longest = max(map(len, wanted)) + 2 * AROUND
    window, begun = b"", False
    for block in chain(blocks, [b""]):
        window += block
        if any(_stands_alone(window, one, begun, bool(block)) for one in wanted):
            return True
        begun |= len(window) > longest
        window = window[-longest:]
    return False


def _stands_alone(window: bytes, wanted: bytes, begun: bool, more: bool) -> bool:
    """Tell whether an id stands there by itself: c1 is not in c10, nor in c1-a.

    Parameters
    ----------
    begun, more : bool
        Whether there are bytes before the window and after it.
    """
    first = AROUND if begun else 0
    last = len(window) - len(wanted) - (AROUND if more else 0)
    place = window.find(wanted, first)
    while 0 <= place <= last:
        end = place + len(wanted)
        before = window[max(0, place - AROUND) : place][::-1]
        if not (_goes_on(before) or _goes_on(window[end : end + AROUND])):
            return True
        place = window.find(wanted, place + 1)
    return False


def _goes_on(beside: bytes) -> bool:
    """Tell whether the bytes beside an id, the nearest first, make it a part of a longer one.

    A full stop at the end of a sentence does not, nor does what no plain id is made of.
    """
    nearest, beyond = beside[:1], beside[1:]
    return nearest.isalnum() or (nearest in JOINING and beyond.isalnum())
