"""Searching files for a person's id, however they are packed.

Of a version of a model that can be read it is known where people stand: there their ids are looked
at. Elsewhere bytes are searched, in which a number that counts something looks like a short id.
"""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from data.errors import BundleError
from data.schema import CUSTOMER_ID
from recommender.storage.model_folder import MANIFEST, VERSIONS, load
from recommender.storage.versions import VERDICT

BLOCK = 2**20
JOINING = b"-_."  # what may go on after an id that is but the beginning of another


def find_in_files(place: Path, customer_id: str) -> list[str]:
    """List the files, of a folder or one alone, in which an id stands, however they are packed."""
    paths = sorted(place.rglob("*")) if place.is_dir() else [place]
    told: dict[Path, dict[str, bool]] = {}
    found = []
    for path in filter(Path.is_file, paths):
        home = path.parent
        if home.parent.name == VERSIONS and home not in told:
            told[home] = _in_version(home, customer_id)
        here = told.get(home, {}).get(path.name)
        if here or (here is None and _holds(path, customer_id)):
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


def _holds(path: Path, customer_id: str) -> bool:
    name = path.name
    if _in_bytes(path, customer_id):
        return True
    try:
        if ".npz" in name:
            return any(customer_id in strings for strings in _arrays(path))
        if ".parquet" in name:
            return any(customer_id in strings for strings in _columns(path))
        if name.endswith(".gz"):
            with gzip.open(path) as packed:
                return _in_stream(iter(lambda: packed.read(BLOCK), b""), customer_id)
    except (OSError, ValueError, zlib.error, zipfile.BadZipFile, EOFError):
        return False  # damaged: its bytes were searched above
    return False


def _in_bytes(path: Path, customer_id: str) -> bool:
    with path.open("rb") as file:
        return _in_stream(iter(lambda: file.read(BLOCK), b""), customer_id)


def _in_stream(blocks: Iterator[bytes], customer_id: str) -> bool:
    """Search blocks of bytes for an id, as it is and as JSON writes it; whole ids only.

    What stands at the end of a block is judged once the byte after it is known.
    """
    wanted = [customer_id.encode(), json.dumps(customer_id)[1:-1].encode()]
    longest = max(map(len, wanted)) + 1
    window, begun = b"", False
    for block in chain(blocks, [b""]):
        window += block
        if any(_stands_alone(window, one, begun, bool(block)) for one in wanted):
            return True
        begun |= len(window) > longest
        window = window[-longest:]
    return False


def _stands_alone(window: bytes, wanted: bytes, begun: bool, more: bool) -> bool:
    """Tell whether an id stands there by itself: c1 is not in c10.

    Parameters
    ----------
    begun, more : bool
        Whether there are bytes before the window and after it.
    """
    first, last = int(begun), len(window) - len(wanted) - more
    place = window.find(wanted, first)
    while 0 <= place <= last:
        end = place + len(wanted)
        around = window[max(0, place - 1) : place] + window[end : end + 1]
        if not any(chr(one).isalnum() or one in JOINING for one in around):
            return True
        place = window.find(wanted, place + 1)
    return False


def _arrays(path: Path) -> Iterator[set[str]]:
    with np.load(path, allow_pickle=False) as archive:
        for key in archive.files:
            if archive[key].dtype.kind in "US":
                yield set(archive[key].astype(str).ravel().tolist())


def _columns(path: Path) -> Iterator[set[str]]:
    # Here alone: a service, which only erases, does without this library.
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    for name in table.column_names:
        kind = table.schema.field(name).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            yield set(table[name].to_pylist())
