"""The model folder: bundles on disk, each under its version, as arrays and plain values.

It holds ``versions/<version>/`` and a file ``CURRENT`` that names one of them. Bundles are written
beside, synced and renamed, so that a reader sees a whole bundle or none. The version is a hash of
the content: the same data and seed give the same version.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from data.errors import BundleError, FormatError, UsageError
from recommender.bundle import Bundle, Customers
from recommender.model import Recommender
from recommender.recipe import Recipe
from recommender.storage.codec import Arrays, Plain, decode, encode
from recommender.storage.frames import decode_frame, encode_frame
from recommender.storage.one_writer import LOCK, one_writer
from recommender.storage.versions import CURRENT, current_version, make_current, sync_folder, write
from segmentation.segments import SegmentModel

FORMAT = 23
FRAMES = ("offers", "anomalies", "choice")
# The files that hold people: an erasure puts others in their places, under names of their own.
OF_PEOPLE = ("customers.npz", "customers.json", "anomalies.npz", "anomalies.json")
VERSIONS, MANIFEST = "versions", "manifest.json"
BESIDE = ".new-"  # how the name of what is half written begins
RETRAIN = "Train again: python -m recommender train --data DIR --model DIR"
LISTING = "See which there are: python -m recommender publish --list --model DIR"


@dataclass(frozen=True)
class Core:
    """What holds for everybody."""

    segments: SegmentModel | None
    recommender: Recommender | None
    recipe: Recipe


def save(bundle: Bundle, folder: Path) -> Bundle:
    """Write a bundle into a model folder and make it the current one.

    Returns
    -------
    Bundle
        The same with its version.
    """
    kept = store(bundle, folder)
    make_current(folder, kept.version)
    return kept


def version_of(bundle: Bundle) -> str:
    """Return the version that a bundle would get: the same for the same content."""
    hashes = {name: hashlib.sha256(one).hexdigest() for name, one in files_of(bundle).items()}
    return _version(bundle.at, bundle.seed, hashes)


def store(bundle: Bundle, folder: Path) -> Bundle:
    """Write a bundle into a model folder without making it the current one.

    Returns
    -------
    Bundle
        The same with its version.
    """
    files = files_of(bundle)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    version = _version(bundle.at, bundle.seed, hashes)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = {
        "format": FORMAT,
        "version": version,
        "created_at": created,
        "read_at": bundle.read_at,
        "at": bundle.at,
        "seed": bundle.seed,
        "silhouette": None if np.isnan(bundle.silhouette) else bundle.silhouette,
        "notes": list(bundle.notes),
        "python": platform.python_version(),
        "recipe": bundle.recipe.as_dict(),
        "customers": len(bundle.customers.ids),
        "offers": len(bundle.offers),
        "weights": {} if bundle.recommender is None else bundle.recommender.hybrid.named_weights(),
        "files": hashes,
    }
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file.", "Name a folder for the model.")
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if held - {LOCK} and VERSIONS not in held:
        raise UsageError(f"{folder} holds something else than models.", "Name a folder for them.")
    target = folder / VERSIONS / version
    target.parent.mkdir(parents=True, exist_ok=True)
    with one_writer(folder):
        if not target.is_dir() or not _is_whole(target):
            _write_beside(target, {**files, MANIFEST: json.dumps(manifest, indent=2).encode()})
    return replace(bundle, version=version, created_at=created)


def _write_beside(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a version so that it is there as a whole or not at all."""
    beside = Path(tempfile.mkdtemp(prefix=BESIDE, dir=target.parent))
    try:
        for name, content in files.items():
            write(beside / name, content)
        if target.is_dir():
            shutil.rmtree(target)  # damaged: nobody could read it
        beside.chmod(0o755)
        sync_folder(beside)
        beside.rename(target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def load(folder: Path, version: str | None = None) -> Bundle:
    """Read a bundle of a model folder: the current one, if no other version is named.

    Raises
    ------
    BundleError
        There is none, it is damaged or half written, or of another format (`FormatError`).
    """
    if version is None and not (folder / CURRENT).is_file():
        raise BundleError(f"{folder} holds no model.", RETRAIN)
    named = current_version(folder) if version is None else version
    home = folder / VERSIONS / named
    if not named.isalnum() or not home.is_dir():
        if version is not None:
            raise BundleError(f"{folder} holds no version {version!r}.", LISTING)
        raise BundleError(f"{folder / CURRENT} names a version that is not there.", RETRAIN)
    try:
        return _read(home)
    except (
        AttributeError, LookupError, OSError, TypeError, ValueError, zipfile.BadZipFile
    ) as error:  # fmt: skip
        raise BundleError(f"{home} is damaged ({type(error).__name__}).", RETRAIN) from error


def _read(home: Path) -> Bundle:
    manifest = json.loads((home / MANIFEST).read_bytes())
    if manifest["format"] != FORMAT:
        raise FormatError(
            f"{home} has format {manifest['format']}, this program reads {FORMAT}.", RETRAIN
        )
    hashes: dict[str, str] = manifest["files"]
    if _version(manifest["at"], manifest["seed"], hashes) != home.name:
        raise BundleError(f"{home / MANIFEST} is damaged: it is not of this version.", RETRAIN)
    # The version is named by what was trained; after an erasure other files stand for some.
    instead: dict[str, list[str]] = manifest.get("instead", {})
    files = {
        name: _verified(home / name, digest)
        if name not in instead
        else _verified(home / instead[name][0], instead[name][1])
        for name, digest in hashes.items()
    }
    core = decode(Core, *_parts(files, "core"))
    return Bundle(
        at=manifest["at"],
        seed=manifest["seed"],
        notes=tuple(manifest["notes"]),
        silhouette=float("nan") if manifest["silhouette"] is None else manifest["silhouette"],
        segments=core.segments,
        recommender=core.recommender,
        recipe=core.recipe,
        customers=decode(Customers, *_parts(files, "customers")),
        version=home.name,
        created_at=manifest["created_at"],
        read_at=manifest.get("read_at", ""),
        **{name: decode_frame(*_parts(files, name)) for name in FRAMES},
    )


def _version(at: str, seed: int, hashes: Mapping[str, str]) -> str:
    identity = json.dumps([FORMAT, at, seed, sorted(hashes.items())])
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def files_of(bundle: Bundle) -> dict[str, bytes]:
    """Return the files of a bundle, by name."""
    parts = {
        "core": encode(Core(bundle.segments, bundle.recommender, bundle.recipe)),
        "customers": encode(bundle.customers),
        **{name: encode_frame(getattr(bundle, name)) for name in FRAMES},
    }
    files = {}
    for name, (arrays, plain) in parts.items():
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        files[f"{name}.npz"] = buffer.getvalue()
        files[f"{name}.json"] = json.dumps(plain).encode()
    return files


def _parts(files: dict[str, bytes], name: str) -> tuple[Arrays, Plain]:
    with np.load(io.BytesIO(files[f"{name}.npz"]), allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    return arrays, json.loads(files[f"{name}.json"])


def _verified(path: Path, digest: str) -> bytes:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise BundleError(f"{path} is damaged: its checksum is wrong.", RETRAIN)
    return content


def _is_whole(home: Path) -> bool:
    try:
        _read(home)
    except (BundleError, OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    return True
