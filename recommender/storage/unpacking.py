"""What a file holds, however it is packed: its bytes, and those of whatever is packed inside.

What a file is its first bytes say; what cannot be looked into is named, never passed over.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np

BLOCK = 2**20
DEEPEST = 4  # packed things within each other
LARGEST = 2**28  # bytes of what has to be in memory as a whole to be looked into
MOST = 2**36  # bytes that may come out of one file: some small ones unpack without end

FOREIGN = {  # by their first bytes: what is not unpacked here
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"\x04\x22\x4d\x18": "packed by lz4",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
    b"%PDF": "a PDF",
    b"PARE": "encrypted",
    b"ARROW1": "an Arrow file",
    b"\xff\xfe": "not in UTF-8",
    b"\xfe\xff": "not in UTF-8",
}
PACKED = (".zip", ".npz", ".gz", ".bz2", ".xz", ".parquet")
# What reading something that is cut off, garbled, locked or too large ends in.
DAMAGE = (
    OSError, ValueError, RuntimeError, EOFError, MemoryError, zlib.error, lzma.LZMAError,
    zipfile.BadZipFile,
)  # fmt: skip

Streams = Iterator[Iterator[bytes]]
Inside = Callable[[IO[bytes], str, int], Streams]


class Contents:
    """The contents of one file, as streams of blocks of bytes.

    `unread` says, once the streams were read, what could not be looked into and why.
    """

    def __init__(self) -> None:
        self.unread: list[str] = []
        self._left = MOST
        self._inside: dict[bytes, Inside] = {
            b"PK\x03\x04": self._members,
            b"PK\x05\x06": self._members,  # an archive of nothing
            b"\x1f\x8b": self._packed(gzip.open),
            b"BZh": self._packed(bz2.open),
            b"\xfd7zXZ\x00": self._packed(lzma.open),
            b"PAR1": self._texts_of_parquet,
            b"\x93NUMPY": self._texts_of_array,
        }

    def streams(self, file: IO[bytes], name: str, depth: int = 0) -> Streams:
        """Yield each thing that is packed in a file, or else the file's own bytes.

        Both where not all could be unpacked: packed bytes alone may look like a short id by chance.

        Parameters
        ----------
        file : binary file
            At its beginning; it can be sought in.
        name : str
            What to call it where it cannot be looked into.
        depth : int
            In how many others it is packed.
        """
        before, inside = len(self.unread), None
        try:
            inside = self._how_to_look_into(file, name, depth)
            if inside is not None:
                yield from inside(file, name, depth)
        except DAMAGE as error:
            self._cannot_read(name, error)
        if inside is None or len(self.unread) > before:
            yield self._bytes_of(file, name, depth)

    def _how_to_look_into(self, file: IO[bytes], name: str, depth: int) -> Inside | None:
        beginning = file.read(8)
        file.seek(0)
        inside = [how for first, how in self._inside.items() if beginning.startswith(first)]
        foreign = [what for first, what in FOREIGN.items() if beginning.startswith(first)]
        if foreign:
            self.unread.append(f"{name} ({foreign[0]})")
        elif not inside and beginning and name.lower().endswith(PACKED):
            self.unread.append(f"{name} (not what its name says)")
        elif inside and depth == DEEPEST:
            self.unread.append(f"{name} (packed too often)")
        elif inside:
            return inside[0]
        return None

    def _bytes_of(self, file: IO[bytes], name: str, depth: int) -> Iterator[bytes]:
        def blocks() -> Iterator[bytes]:
            file.seek(0)
            while block := file.read(BLOCK):
                yield block

        return self._guarded(blocks(), name, depth)

    def _packed(self, unpack: Callable[[IO[bytes]], Any]) -> Inside:
        """Look into what is one thing, packed."""

        def inside(file: IO[bytes], name: str, depth: int) -> Streams:
            with unpack(file) as unpacked:
                yield from self.streams(unpacked, f"{name}: inside", depth + 1)

        return inside

    def _members(self, file: IO[bytes], name: str, depth: int) -> Streams:
        with zipfile.ZipFile(_whole(file, depth)) as archive:
            names = "\n".join(archive.namelist()).encode(errors="surrogatepass")
            yield iter([names, b"\n", archive.comment])
            for member in archive.infolist():
                called = f"{name}: {member.filename}"
                try:
                    with archive.open(member) as packed:
                        yield from self.streams(packed, called, depth + 1)
                except DAMAGE as error:  # the others may be whole
                    self._cannot_read(called, error)

    def _texts_of_parquet(self, file: IO[bytes], name: str, depth: int) -> Streams:
        # Here alone: a service, which only erases, does without the library that reads it.
        from recommender.storage.parquet_texts import texts_of

        yield self._guarded(texts_of(_whole(file, depth)), name, depth)

    def _texts_of_array(self, file: IO[bytes], name: str, depth: int) -> Streams:
        """Write texts as they are searched for; arrays keep four bytes for each letter."""
        header = file.read(256)
        if b"<U" not in header and b">U" not in header:
            yield self._bytes_of(file, name, depth)
            return
        file.seek(0)
        array = np.lib.format.read_array(file, allow_pickle=False)
        for part in [array[field] for field in array.dtype.names or ()] or [array]:
            text = "\n".join(map(str, part.ravel().tolist())).encode(errors="surrogatepass")
            yield self._guarded(iter([text]), name, depth)

    def _guarded(self, blocks: Iterator[bytes], name: str, depth: int) -> Iterator[bytes]:
        """Pass blocks on until something is in the way, or too much came out of one file."""
        try:
            for block in blocks:
                yield block
                if not depth:
                    continue
                self._left -= len(block)
                if self._left < 0:
                    raise MemoryError
        except DAMAGE as error:
            self._cannot_read(name, error)

    def _cannot_read(self, name: str, error: BaseException) -> None:
        if isinstance(error, MemoryError):
            why = "too large once it is unpacked"
        else:
            why = "encrypted" if "encrypted" in str(error) else "damaged, or packed unusually"
        self.unread.append(f"{name} ({why})")


def _whole(file: IO[bytes], depth: int) -> IO[bytes]:
    """Return what can be read from everywhere: a file on the disk, or memory.

    Raises
    ------
    MemoryError
        It would fill the memory.
    """
    if not depth:
        return file
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise MemoryError
    return io.BytesIO(content)
