"""A source that is a weighted sum of parts, and where it can say anything."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recommender.scoring.parts import FURTHER, ROUNDING, Part, pairs_of


@dataclass(frozen=True)
class Says:
    """Where something can be said: where any pair of a row and a column mask is both true."""

    masks: tuple[tuple[np.ndarray, np.ndarray], ...]

    @cached_property
    def rows(self) -> np.ndarray:
        """Customers to whom anything can be said."""
        parts = [rows & columns.any() for rows, columns in self.masks]
        return np.asarray(np.logical_or.reduce(parts))

    def table(self, rows: slice = slice(None)) -> np.ndarray:
        """Return the mask, of some customers or all: shape (n, offers)."""
        parts = [np.outer(mask[rows], columns) for mask, columns in self.masks]
        return np.asarray(np.logical_or.reduce(parts))

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return it for some pairs."""
        parts = [mask[rows] & other[columns] for mask, other in self.masks]
        return np.asarray(np.logical_or.reduce(parts))

    def of(self, columns: np.ndarray | None) -> np.ndarray:
        """Return it for every offer, or for lists of offers, shape (n, c)."""
        if columns is None:
            return self.table()
        return self.at(*pairs_of(columns)).reshape(columns.shape)

    def silent(self, rows: slice) -> np.ndarray | None:
        """Return the offers of which nothing can be said to some customers, if they are alike."""
        masks = [columns for mask, columns in self.masks if mask[rows].any()]
        return np.flatnonzero(~masks[0]) if len(masks) == 1 else None


@dataclass(frozen=True)
class Mix:
    """A weighted sum of parts, said where something can be said: a source's reading of a query.

    Attributes
    ----------
    parts : tuple of (float, Part)
        The parts with their weights.
    says : Says
        Where something can be said.
    bent : bool
        Whether large sums are bent to their logarithm (the inverse hyperbolic sine).
    """

    parts: tuple[tuple[float, Part], ...]
    says: Says
    bent: bool = False

    @property
    def speaking(self) -> np.ndarray:
        """Customers to whom it can say anything: shape (n,)."""
        return self.says.rows

    def table(self) -> np.ndarray:
        """Return all scores: shape (n, offers), NaN where nothing can be said."""
        can = self.says.table()
        total = np.zeros(can.shape)
        for weight, part in self.parts:
            # A weight of double precision: a plain one would keep the sum in single precision.
            total += np.float64(weight) * part.table()
        return np.where(can, self._bend(total), np.nan)

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the scores of some pairs, NaN where nothing can be said."""
        total = np.zeros(len(rows))
        for weight, part in self.parts:
            total += weight * part.at(rows, columns)
        return np.where(self.says.at(rows, columns), self._bend(total), np.nan)

    def _bend(self, total: np.ndarray) -> np.ndarray:
        return np.arcsinh(total) if self.bent else total

    def add_to(
        self, total: np.ndarray, rows: slice, share: np.ndarray, centre: float, room: np.ndarray
    ) -> None:
        """Add (score - centre) · share of some customers, nothing where nothing can be said."""
        share = np.where(self.says.rows[rows], share, 0.0)
        if not share.any():
            return
        silent = self.says.silent(rows)
        if self.bent or silent is None:
            self._add_apart(total, rows, share, centre, room)
            return
        before = total[:, silent]
        total -= (centre * share).astype(np.float32)[:, None]
        for weight, part in self.parts:
            part.add_to(total, rows, weight * share, room[1])
        total[:, silent] = before

    def _add_apart(
        self, total: np.ndarray, rows: slice, share: np.ndarray, centre: float, room: np.ndarray
    ) -> None:
        """Sum up in an array of its own, which bending or leaving out needs."""
        own = room[0]
        own[:] = 0.0
        for weight, part in self.parts:
            part.add_to(own, rows, np.full_like(share, weight), room[1])
        if self.bent:
            np.arcsinh(own, out=own)
        own -= np.float32(centre)
        own *= share.astype(np.float32)[:, None]
        silent = self.says.silent(rows)
        if silent is None:
            np.add(total, own, out=total, where=self.says.table(rows))
        else:
            own[:, silent] = 0.0
            total += own

    def slip(self, centre: float) -> np.ndarray:
        """Bound the error of what is added, for a share of one: shape (n,)."""
        most = np.full(len(self.says.rows), ROUNDING * FURTHER * abs(centre))
        for weight, part in self.parts:
            most += abs(weight) * part.slip()
        return most
