"""Whether a transaction that comes once more says what is on record of it, or corrects it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from data.rows import Row

_SAID = ("amount", "item_id", "category", "merchant", "quantity", "discount", "channel")


def say_the_same(there: Sequence[Row], lines: Sequence[Row]) -> bool:
    """Tell whether a transaction's lines say, in whatever order, what is on record of it."""
    if Counter(map(_said, there)) != Counter(map(_said, lines)):
        return False
    # A moment that was told needs its like, told or not; what is left on both sides is untold.
    return _told(there) <= _dated(lines) and _told(lines) <= _dated(there)


def _said(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in _SAID)


def _dated(rows: Iterable[Row]) -> Counter[tuple[Any, ...]]:
    """Count what rows say and when it happened."""
    return Counter((*_said(row), row["occurred_at"]) for row in rows)


def _told(rows: Iterable[Row]) -> Counter[tuple[Any, ...]]:
    """Count rows as `_dated` does: those of which somebody said when it happened."""
    return _dated(row for row in rows if not _is_untold(row))


def _is_untold(row: Row) -> bool:
    """Tell whether nobody said when it happened: then it did when it was recorded."""
    return bool(row["occurred_at"] == row["recorded_at"])
