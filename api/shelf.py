"""Lists as they leave: made once, handed out again until anything changes that they depend on."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass

MOST_BYTES = 48 * 2**20
OVERHEAD = 500  # bytes of what holds a list, its key apart

Key = tuple[object, ...]
Stamp = tuple[object, ...]


@dataclass(frozen=True)
class Ready:
    """A list without what every answer has of its own.

    Attributes
    ----------
    stamp : tuple
        What it was made from: it holds as long as this is the same.
    body : bytes
        The other fields as JSON, without the opening brace.
    strategy : str
        In one word what it is made from.
    """

    stamp: Stamp
    body: bytes
    strategy: str


class Shelf:
    """The lists made lately, whole in memory; the longest unused leave first.

    Parameters
    ----------
    most_bytes : int
        What they may take.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._lists: OrderedDict[Key, Ready] = OrderedDict()
        self._lock = threading.Lock()
        self._most, self._used = most_bytes, 0

    def __len__(self) -> int:
        return len(self._lists)

    def get(self, key: Key, stamp: Stamp) -> Ready | None:
        """Return the list if it still holds."""
        with self._lock:
            found = self._lists.get(key)
            if found is None or found.stamp != stamp:
                return None
            self._lists.move_to_end(key)
            return found

    def put(self, key: Key, ready: Ready) -> None:
        """Keep a list in the place of the one before."""
        with self._lock:
            before = self._lists.pop(key, None)
            self._used += _size(key, ready) - (0 if before is None else _size(key, before))
            self._lists[key] = ready
            while self._used > self._most:
                self._used -= _size(*self._lists.popitem(last=False))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._lists.clear()
            self._used = 0


def _size(key: Key, ready: Ready) -> int:
    return len(ready.body) + OVERHEAD + _weight(key)


def _weight(part: object) -> int:
    """Return the bytes of a key: a wish may name thousands of offers to leave out."""
    inner = sum(map(_weight, part)) if isinstance(part, tuple) else 0
    return sys.getsizeof(part) + inner
