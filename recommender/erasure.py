"""Taking a person out: of the database, of every stored model, and proof that they are gone.

A model's version is named by what was trained. An erasure leaves that name and everything that
holds for everybody; the files that hold people are written anew beside the old ones, the manifest
is replaced by one that names them, and the old ones are removed. A crash between any two steps
leaves a whole model, and the next erasure finishes the work.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import time
import uuid
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import BundleError
from data.store import Store
from recommender.model_folder import BESIDE, MANIFEST, OF_PEOPLE, VERSIONS, files_of, load
from recommender.versions import sync_folder, write, write_whole

BLOCK = 2**20
LONGEST_WRITING = 3600.0  # seconds after which what is half written was given up
JOINING = b"-_."  # what may go on after an id that is but the beginning of another


@dataclass(frozen=True)
class Receipt:
    """That a person was erased, without saying who: the digest is of the id alone.

    Attributes
    ----------
    receipt_id : str
    customer_digest : str
        SHA-256 of the id: who has the id can tell that the receipt is theirs.
    erased_at : str
        ISO 8601.
    rows : dict of str to int
        Rows removed from the database, by table.
    models : dict of str to bool
        By version, whether the person was in it.
    left : tuple of str
        Files beside the models in which the id stands still, such as a copy that somebody made: a
        service knows no better than to say so.
    """

    receipt_id: str
    customer_digest: str
    erased_at: str
    rows: dict[str, int]
    models: dict[str, bool]
    left: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it for a machine to read."""
        return asdict(self)


def erased(store: Store, folder: Path | None, customer_id: str) -> Receipt:
    """Erase a person from the database and from every model of a folder.

    Raises
    ------
    SQLAlchemyError, OSError
        Something did not succeed; do it again, what is done already does no harm.
    """
    rows = store.erase_customer(customer_id)
    models = {} if folder is None else erase_from_models(folder, customer_id)
    return Receipt(
        receipt_id=uuid.uuid4().hex,
        customer_digest=hashlib.sha256(customer_id.encode()).hexdigest(),
        erased_at=datetime.now(UTC).isoformat(timespec="seconds"),
        rows=rows,
        models=models,
        left=() if folder is None else _left(folder, models, customer_id),
    )


def erase_from_models(folder: Path, customer_id: str) -> dict[str, bool]:
    """Take a person out of every stored version.

    Of a version that cannot be read, which nobody can serve, the files are removed in which the
    person stands; so is what a training left behind that was killed while it wrote.

    Returns
    -------
    dict of str to bool
        By version, whether the person was in it.
    """
    found = {}
    for home in sorted((folder / VERSIONS).glob("*")):
        if home.name.startswith(BESIDE):
            if time.time() - home.stat().st_mtime > LONGEST_WRITING:
                shutil.rmtree(home, ignore_errors=True)
        elif home.name.isalnum():
            try:
                found[home.name] = _erase(folder, home, customer_id)
            except BundleError:
                found[home.name] = _remove_damaged(home, customer_id)
    return found


def _remove_damaged(home: Path, customer_id: str) -> bool:
    inside = find_in_files(home, customer_id)
    for path in inside:
        Path(path).unlink()
    sync_folder(home)
    return bool(inside)


def _left(folder: Path, versions: Collection[str], customer_id: str) -> tuple[str, ...]:
    """List the files of a model folder, those of its versions apart, in which an id stands."""
    handled = [folder / VERSIONS / name for name in versions]
    others = (
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(home in path.parents for home in handled)
    )
    return tuple(
        str(path.relative_to(folder)) for path in others if find_in_files(path, customer_id)
    )


def _erase(folder: Path, home: Path, customer_id: str) -> bool:
    bundle = load(folder, home.name)
    manifest = json.loads((home / MANIFEST).read_bytes())
    rest = bundle.without(customer_id)
    if rest is not bundle:
        files, turn = files_of(rest), uuid.uuid4().hex[:8]
        instead = {}
        for name in OF_PEOPLE:
            instead[name] = [f"{name}.{turn}", hashlib.sha256(files[name]).hexdigest()]
            write(home / instead[name][0], files[name])
        sync_folder(home)
        manifest |= {"instead": instead, "customers": len(rest.customers.ids)}
        write_whole(home / MANIFEST, json.dumps(manifest, indent=2).encode())
    _remove_others(home, manifest)
    return rest is not bundle


def _remove_others(home: Path, manifest: dict[str, Any]) -> None:
    """Remove the files that the manifest does not name: they hold people who were erased."""
    instead = manifest.get("instead", {})
    named = {instead.get(name, [name])[0] for name in manifest["files"]} | {MANIFEST}
    for path in home.iterdir():
        if path.name not in named:
            path.unlink()
    sync_folder(home)


def find_in_files(place: Path, customer_id: str) -> list[str]:
    """List the files, of a folder or one alone, in which an id stands, however they are packed."""
    paths = sorted(place.rglob("*")) if place.is_dir() else [place]
    return [str(path) for path in paths if path.is_file() and _holds(path, customer_id)]


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
    """Search blocks of bytes for an id, as it is and as JSON writes it; whole ids only."""
    wanted = [customer_id.encode(), json.dumps(customer_id)[1:-1].encode()]
    longest = max(map(len, wanted)) + 8
    before = b""
    for block in blocks:
        window = before + block
        if any(_stands_alone(window, one) for one in wanted):
            return True
        before = window[-longest:]
    return False


def _stands_alone(window: bytes, wanted: bytes) -> bool:
    """Tell whether an id stands there by itself: c1 is not in c10."""
    place = window.find(wanted)
    while place >= 0:
        around = (
            window[max(0, place - 1) : place]
            + window[place + len(wanted) : place + len(wanted) + 1]
        )
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
