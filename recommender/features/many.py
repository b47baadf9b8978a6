"""What choices say of attributes that are very many: tags of which each offer has a few.

A few axes hold but a part of what such offers differ by. So lifts (see
`recommender.features.likeness`) are told beyond the largest axes as well, as if what people take
varied alike in all directions there: a product with the attributes themselves. An attribute counts
the more the fewer offers have it, and all of an offer's together as much as those of any other;
else the longest lists of tags, and the tags that are everywhere, would say it all.

A table of attributes by attributes would take more than the rest of training together. The axes
come from products with the attributes of offers alone: a block of directions is turned towards
them a few times (subspace iteration; Halko, Martinsson & Tropp 2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recommender.features.likeness import LEAST, MOST_CELLS

# Standard deviation of the log-odds of an offer: a taste for one of thousands of tags tells people
# apart more than one for a kind of offers.
SPREAD = 3.0
AXES, SPARE, TURNS = 100, 20, 4  # axes, directions more than are kept, and times they are turned


@dataclass(frozen=True)
class Many:
    """The rarity of attributes, and the axes along which offers differ most.

    Attributes
    ----------
    rarity : ndarray of float, shape (columns,)
        What each column counts; zero for one that tells nothing.
    mean : ndarray of float, shape (columns,)
        Attributes, as `lay_out` has them, of what is taken on average.
    axes : ndarray of float, shape (columns, axes)
        Of length one.
    spread : ndarray of float, shape (axes,)
        Variance of what is taken along each.
    beyond : float
        Variance of what is taken along any other direction.
    frequent, whole : float
        What lifts for the most frequent attributes count, and what these count for all.
    """

    rarity: np.ndarray
    mean: np.ndarray
    axes: np.ndarray
    spread: np.ndarray
    beyond: float
    frequent: float = 1.0
    whole: float = 1.0

    def lay_out(self, attributes: sp.csr_matrix) -> sp.csr_matrix:
        """Let attributes count as they should: shape (offers, columns)."""
        return by_rarity(attributes, self.rarity)

    def points(self, told: sp.csr_matrix) -> np.ndarray:
        """Place offers, laid out, along the axes: shape (offers, axes)."""
        away = told @ self.axes - self.mean @ self.axes
        return np.asarray(away * stated_in(told)[:, None])

    def along(self, taken: sp.csr_matrix, points: np.ndarray) -> np.ndarray:
        """Return what the axes add to the lifts of each customer: shape (n, axes).

        Parameters
        ----------
        taken : csr_matrix, shape (n, offers)
        points : ndarray of float, shape (offers, axes)
        """
        many = np.asarray(taken.sum(axis=1)).ravel()
        known = 1.0 / (np.outer(many, self.spread) + SPREAD**-2)
        return np.asarray((taken @ points) * (known - self._held(many)[:, None]))

    def apart(self, taken: sp.csr_matrix, told: sp.csr_matrix) -> np.ndarray:
        """Return the lifts of each customer as if there were no axes: shape (n, columns).

        Parameters
        ----------
        taken : csr_matrix, shape (n, offers)
        told : csr_matrix, shape (offers, columns)
            Offers, laid out.
        """
        own = np.asarray((taken @ told).toarray())
        own -= (taken @ stated_in(told))[:, None] * self.mean
        own *= self._held(np.asarray(taken.sum(axis=1)).ravel())[:, None]
        return own

    def _held(self, many: np.ndarray) -> np.ndarray:
        """Return what a choice counts beyond the axes, by how many there are: shape (n,)."""
        return np.asarray(1.0 / (many * self.beyond + SPREAD**-2))


def by_rarity(attributes: sp.csr_matrix, rarity: np.ndarray) -> sp.csr_matrix:
    """Let each column count by how rare it is, and each row's together as one: unit length."""
    found = sp.csr_matrix(attributes @ sp.diags_array(rarity))
    found.eliminate_zeros()
    length = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags_array(1.0 / np.where(length > 0, length, 1.0)) @ found)


def stated_in(told: sp.csr_matrix) -> np.ndarray:
    """Return one for each offer that has attributes: shape (offers,)."""
    return np.asarray(np.diff(told.indptr) > 0, dtype=np.float64)


def fit_many(attributes: sp.csr_matrix, taken: np.ndarray, met: np.ndarray) -> Many:
    """Find what attributes count, the largest axes, and how much is beyond them.

    Parameters
    ----------
    attributes : csr_matrix, shape (offers, columns)
        Columns that are empty tell nothing.
    taken : ndarray of float, shape (offers,)
        How often each offer was taken; offers without attributes tell nothing.
    met : ndarray of int
        Rows of the offers that say how rare an attribute is.
    """
    rarity = rarity_of(attributes[met])
    told = by_rarity(attributes, rarity)
    share = taken * stated_in(told)
    share = share / max(float(share.sum()), 1e-9)
    mean = np.asarray(share @ told).ravel()
    squares = np.asarray(told.multiply(told).sum(axis=1)).ravel()
    total = float(share @ squares) - float(mean @ mean)
    axes, spread = _largest(told, share, mean)
    kept = np.flatnonzero(spread > LEAST)
    axes, spread = np.ascontiguousarray(axes[:, kept]), spread[kept]
    # What is taken differs in no more directions than there are attributes, or offers.
    rest = min(int(np.count_nonzero(rarity)), int(np.count_nonzero(share))) - len(kept)
    beyond = max(0.0, total - float(spread.sum())) / max(1, rest)
    return Many(rarity, mean, axes, spread, beyond)


def rarity_of(attributes: sp.csr_matrix) -> np.ndarray:
    """Let a column count by the logarithm of how few offers have it; nothing where none does."""
    has = np.asarray(attributes.sum(axis=0)).ravel()
    offers = np.count_nonzero(np.diff(attributes.indptr))
    return np.where(has > 0, np.log1p(offers / (1.0 + has)), 0.0)


def _largest(
    told: sp.csr_matrix, share: np.ndarray, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the largest axes of the covariance: shape (columns, axes), and their variance."""
    offers, columns = told.shape
    most = min(AXES, max(1, MOST_CELLS // max(offers, columns)))
    weighed = sp.csr_matrix(sp.diags_array(share) @ told)
    back = sp.csr_matrix(told.T)

    def covary(block: np.ndarray) -> np.ndarray:
        return np.asarray(back @ (weighed @ block) - np.outer(mean, mean @ block))

    random = np.random.default_rng(0)
    block = random.standard_normal((columns, min(most + SPARE, columns)))
    for _ in range(TURNS):
        block = np.linalg.qr(covary(block))[0]
    spread, turn = np.linalg.eigh(block.T @ covary(block))
    return np.asarray(block @ turn[:, ::-1][:, :most]), spread[::-1][:most]
