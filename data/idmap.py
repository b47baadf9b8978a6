"""External ids become row numbers once, here; no algorithm ever sees a customer's real id."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from data.errors import DataError

MANY = 10_000  # ids from which it pays to look them up all at once


class IdMap:
    """A frozen two-way map between external ids and row numbers 0 … n-1.

    Parameters
    ----------
    ids : iterable of str
        The ids; they are made unique and sorted, so the same set always gives the same rows.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids: np.ndarray = np.array(sorted(set(ids)), dtype=object)
        self.ids.flags.writeable = False

    @cached_property
    def _index(self) -> pd.Index[str]:
        return _index(self.ids)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {str(external): row for row, external in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, external: object) -> bool:
        return external in self._rows

    def row(self, external: str) -> int | None:
        """Row of one id, or None if it is not known."""
        return self._rows.get(external)

    def known(self, external: pd.Series[str]) -> np.ndarray:
        """Boolean mask of the ids that have a row."""
        return self._find(_index(external)) >= 0

    def rows(self, external: pd.Series[str] | Iterable[str]) -> np.ndarray:
        """Row numbers of ids that must all be known.

        Raises
        ------
        DataError
            An id has no row; the message names the first one.
        """
        wanted = _index(external)
        rows = self._find(wanted)
        if (rows < 0).any():
            unknown = wanted[rows < 0][0]
            raise DataError(f"The id {unknown!r} is not known here.", "Leave it out or add it.")
        return rows

    def _find(self, wanted: pd.Index[str]) -> np.ndarray:
        """Return row numbers, -1 for an id that is not known."""
        if len(wanted) < MANY:
            return np.asarray(self._index.get_indexer(wanted), dtype=np.int64)
        # Here, as serving does without this library.
        from pyarrow import array, compute

        place = compute.index_in(array(wanted), value_set=array(self._index))
        return np.asarray(compute.fill_null(place, -1), dtype=np.int64)


def _index(values: Any) -> pd.Index[str]:
    index: pd.Index[str] = pd.Index(values, dtype="str")
    return index
