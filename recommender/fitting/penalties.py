"""Choosing the penalties of a ridge by leaving customers out one by one.

With z the customer's columns x times what the customer says, s, y the target and K the inverse of
the penalised gram, the square of the error is |y|² - 2 z'K C y + z'K C C'K z, divided by
(1 - z'K x - 1/n)², and by s: its variance. Another penalty of some columns changes K along as many
axes only (Woodbury), and along the axes that are chosen here each by itself: K + R d(penalty) R'.
So whatever is tried, the gram is not solved again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

PENALTIES = np.geomspace(3.0, 30_000.0, 17)
TIMES = np.array([0.1, 10.0, 1000.0])  # the penalty of all, that a family may have instead
SURE = 2.0  # standard errors by which families of their own must be better


@dataclass(frozen=True)
class Solved:
    """What some penalties make of every customer.

    Attributes
    ----------
    penalty : ndarray of float, shape (columns,)
        Infinite where a column is left out.
    inverse : ndarray of float, shape (columns, columns)
        K; nothing where a column is left out.
    told : ndarray of float, shape (columns, n)
        K x of each customer.
    product, outer, own : ndarray of float, shape (n,)
        x'K C y, x'K C C'K x and x'K x.
    """

    penalty: np.ndarray
    inverse: np.ndarray
    told: np.ndarray
    product: np.ndarray
    outer: np.ndarray
    own: np.ndarray


@dataclass(frozen=True)
class _Step:
    """Other penalties of some columns, all alike.

    Attributes
    ----------
    axes : ndarray of float, shape (columns, f)
        R.
    told : ndarray of float, shape (f, n)
        R'x of each customer, as K was before.
    weight : callable
        Returns d for a penalty, shape (f,).
    product, outer : ndarray of float, shape (f, n)
        R'C y, and R'C C'K x.
    square : ndarray of float, shape (f, f)
        R'C C'R.
    """

    base: Solved
    columns: np.ndarray
    axes: np.ndarray
    told: np.ndarray
    weight: Callable[[float], np.ndarray]
    product: np.ndarray
    outer: np.ndarray
    square: np.ndarray

    def by(self, size: float) -> Solved:
        """Give the columns a penalty; K itself and K x stay as they were (see `whole`)."""
        moved = self.weight(size)[:, None] * self.told
        penalty = self.base.penalty.copy()
        penalty[self.columns] = size
        return replace(
            self.base,
            penalty=penalty,
            product=self.base.product + (moved * self.product).sum(axis=0),
            outer=self.base.outer + (moved * (2 * self.outer + self.square @ moved)).sum(axis=0),
            own=self.base.own + (moved * self.told).sum(axis=0),
        )

    def whole(self, found: Solved) -> Solved:
        """Make of what `by` returned something to step from."""
        weight = self.weight(found.penalty[self.columns[0]])
        return replace(
            found,
            inverse=self.base.inverse + (self.axes * weight) @ self.axes.T,
            told=self.base.told + self.axes @ (weight[:, None] * self.told),
        )


@dataclass(frozen=True)
class Trial:
    """Customers to be left out one by one, and everybody's normal equations.

    Attributes
    ----------
    centred : ndarray of float, shape (customers, columns)
    gram : ndarray of float, shape (columns, columns)
    cross : ndarray of float, shape (columns, offers)
        C.
    target : csr_matrix, shape (customers, offers)
        What is to be told, but for what is taken off everybody alike, `flat`.
    flat : ndarray of float, shape (offers,)
    n : int
        How many customers the gram is of.
    said : ndarray of float, shape (customers,)
        How much each says.
    """

    centred: np.ndarray
    gram: np.ndarray
    cross: np.ndarray
    target: sp.csr_matrix
    flat: np.ndarray
    n: int
    said: np.ndarray

    def choose(self, penalty: np.ndarray, families: Sequence[np.ndarray]) -> np.ndarray:
        """Find the penalty of a block, those of other blocks given (infinite: left out).

        One for all of it; another for each family if that is better by more than chance.
        """
        alike = self._best(self.solve(penalty), np.concatenate(families), PENALTIES)
        apart, together = alike, self._errors(alike)
        error = together
        for family in families if len(families) > 1 else ():
            sizes = np.minimum(TIMES * apart.penalty[family[0]], PENALTIES[-1])
            apart = self._best(apart, family, sizes, error.sum())
            error = self._errors(apart)
        gain = together - error
        sure = gain.sum() > SURE * np.sqrt((gain**2).sum())
        return (apart if sure else alike).penalty

    def _best(
        self, base: Solved, columns: np.ndarray, sizes: np.ndarray, below: float = np.inf
    ) -> Solved:
        """Give some columns the penalty that errs least, if it errs less than so much."""
        step = self._step(base, columns)
        tried = [step.by(size) for size in sizes.tolist()]
        errors = [float(self._errors(one).sum()) for one in tried]
        best = int(np.argmin(errors))
        return step.whole(tried[best]) if errors[best] < below else base

    def solve(self, penalty: np.ndarray) -> Solved:
        """Solve the gram without the columns that are left out."""
        here = np.flatnonzero(np.isfinite(penalty))
        inside = np.ix_(here, here)
        inverse = np.zeros(self.gram.shape)
        inverse[inside] = np.linalg.inv(self.gram[inside] + np.diag(penalty[here]))
        told = inverse @ self.centred.T
        _, product, outer = self.parts
        return Solved(
            penalty=penalty,
            inverse=inverse,
            told=told,
            product=(told * product).sum(axis=0),
            outer=(told * (outer @ told)).sum(axis=0),
            own=(told * self.centred.T).sum(axis=0),
        )

    def _step(self, base: Solved, columns: np.ndarray) -> _Step:
        """Find the axes along which another penalty of some columns, alike so far, changes K."""
        start = float(base.penalty[columns[0]])
        if np.isinf(start):
            # What of them the columns before do not tell (Schur complement).
            apart = -base.inverse @ self.gram[:, columns]
            apart[columns, np.arange(len(columns))] = 1.0
            value, turn = np.linalg.eigh(self.gram[columns] @ apart)
            axes = apart @ turn
            told = axes.T @ self.centred.T
        else:
            value, turn = np.linalg.eigh(base.inverse[np.ix_(columns, columns)])
            axes = base.inverse[:, columns] @ turn
            told = turn.T @ base.told[columns]

        def weight(size: float) -> np.ndarray:
            if np.isinf(start):
                return np.asarray(1.0 / (np.maximum(value, 0.0) + size))
            return np.asarray((start - size) / (1.0 + (size - start) * value))

        _, product, outer = self.parts
        across = outer @ axes
        return _Step(
            base, columns, axes, told, weight, axes.T @ product, across.T @ base.told,
            axes.T @ across,
        )  # fmt: skip

    def _errors(self, solved: Solved) -> np.ndarray:
        """Square the errors of predicting each customer from all others (hat matrix)."""
        square, _, _ = self.parts
        squared = square - 2 * self.said * solved.product + self.said**2 * solved.outer
        own = 1.0 / self.n + self.said * solved.own
        return np.asarray(squared / (1.0 - np.minimum(own, 0.99)) ** 2 / self.said)

    @cached_property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return |y|² and C y of each customer, and C C'."""
        square = np.asarray(self.target.multiply(self.target).sum(axis=1)).ravel()
        square += self.flat @ self.flat - 2 * (self.target @ self.flat)
        product = (self.target @ self.cross.T).T - (self.cross @ self.flat)[:, None]
        return square, product, self.cross @ self.cross.T
