"""Taking a person out: of the database, of every stored model, and proof that they are gone.

A model's version is named by what was trained. An erasure leaves that name and everything that
holds for everybody; the files that hold people are written anew beside the old ones, the manifest
is replaced by one that names them, and the old ones are removed. A crash between any two steps
leaves a whole model, and the next erasure finishes the work.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.errors import BundleError, FormatError
from data.store import Store
from recommender.storage.model_folder import BESIDE, MANIFEST, OF_PEOPLE, VERSIONS, files_of, load
from recommender.storage.one_writer import one_writer
from recommender.storage.searching import find_in_files
from recommender.storage.versions import sync_folder, write, write_whole

# What a receipt says of a version of another format.
REMOVED = (
    "Of another format, so that it cannot be read: the id, or the same text for something else, "
    "stands in its files. The whole version was removed."
)
KEPT = (
    "Of another format, so that it cannot be read: the id was searched for in its files and not "
    "found. The version was kept."
)
LONGEST_WRITING = 3600.0  # seconds after which what is half written was given up


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
        By version, whether the person was in it; of one that cannot be read, whether the id stood
        in its files.
    unread : dict of str to str
        What was done to the versions of another format, in a sentence each: `REMOVED` or `KEPT`.
    left : tuple of str
        Files beside the models in which the id stands still, such as a copy that somebody made: a
        service knows no better than to say so.
    """

    receipt_id: str
    customer_digest: str
    erased_at: str
    rows: dict[str, int]
    models: dict[str, bool]
    unread: dict[str, str]
    left: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it for a machine to read."""
        return asdict(self)


def erased(
    store: Store,
    folder: Path | None,
    customer_id: str,
    wait: float | None = None,
    on_rows: Callable[[], None] = lambda: None,
) -> Receipt:
    """Erase a person from the database and from every model of a folder.

    Parameters
    ----------
    wait : float, optional
        Seconds to wait for somebody else who writes to the folder; see `one_writer`.
    on_rows : callable
        Called when the person is out of the database, before the folder is waited for.

    Raises
    ------
    SQLAlchemyError, OSError, BusyError
        Something did not succeed; do it again, what is done already does no harm.
    """
    rows = store.erase_customer(customer_id)
    on_rows()
    unread: dict[str, str] = {}
    models = {}
    if folder is not None:
        models = erase_from_models(folder, customer_id, wait, unread)
    return Receipt(
        receipt_id=uuid.uuid4().hex,
        customer_digest=hashlib.sha256(customer_id.encode()).hexdigest(),
        erased_at=datetime.now(UTC).isoformat(timespec="seconds"),
        rows=rows,
        models=models,
        unread=unread,
        left=() if folder is None else _left(folder, models, customer_id),
    )


def erase_from_models(
    folder: Path,
    customer_id: str,
    wait: float | None = None,
    unread: dict[str, str] | None = None,
) -> dict[str, bool]:
    """Take a person out of every stored version.

    Of a damaged version, which nobody can serve, the files are removed in which the person stands;
    so is what a training left behind that was killed while it wrote. A version of another format
    goes as a whole if the id stands in it: another program could serve it, but this one cannot
    write it anew without the person.

    Parameters
    ----------
    unread : dict of str to str, optional
        Takes up what was done to the versions of another format; see `Receipt`.

    Returns
    -------
    dict of str to bool
        By version, whether the person was in it.

    Raises
    ------
    BusyError
        Somebody else writes to the folder, and for long.
    """
    if not (folder / VERSIONS).is_dir():
        return {}
    with one_writer(folder, wait):
        return _erase_from_each(folder, customer_id, {} if unread is None else unread)


def _erase_from_each(folder: Path, customer_id: str, unread: dict[str, str]) -> dict[str, bool]:
    found = {}
    for home in sorted((folder / VERSIONS).glob("*")):
        if home.name.startswith(BESIDE):
            if time.time() - home.stat().st_mtime > LONGEST_WRITING:
                shutil.rmtree(home, ignore_errors=True)
        elif home.name.isalnum():
            try:
                found[home.name] = _erase(folder, home, customer_id)
            except FormatError:
                found[home.name] = _remove_inside(home, customer_id)
                unread[home.name] = REMOVED if found[home.name] else KEPT
                if found[home.name]:
                    # After the files in which the id stands: a crash in between leaves no person.
                    shutil.rmtree(home)
                    sync_folder(home.parent)
            except BundleError:
                found[home.name] = _remove_inside(home, customer_id)
    return found


def _remove_inside(home: Path, customer_id: str) -> bool:
    """Remove the files of a version in which an id stands; return whether there were any."""
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
