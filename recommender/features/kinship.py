"""By what offers are kin: what tells whom an offer is for before anybody has taken it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp


@dataclass(frozen=True)
class Kinship:
    """All attributes of offers, or their categories alone.

    Where showing is not logged, offers that share an attribute differ by whom they were offered to
    as well; there each category speaks for itself. Where none is stated, and no dates, so that all
    offers are open to everybody, nothing else would tell.

    Attributes
    ----------
    pooled : bool
        Whether all attributes tell, each as far as the others do not.
    categories : ndarray of str
        The categories, sorted, where only these tell.
    """

    pooled: bool
    categories: np.ndarray

    @classmethod
    def of(cls, category: pd.Series[str], rated: bool, dated: bool = False) -> Kinship:
        """Choose by whether showing is logged, and whether any offer states dates."""
        told = [] if rated else sorted(category.dropna().unique())
        return cls(rated or not (told or dated), np.array(told, dtype=np.str_))

    def lay_out(self, attributes: sp.csr_matrix, category: pd.Series[str]) -> sp.csr_matrix:
        """Lay out what offers are like.

        Parameters
        ----------
        attributes : csr_matrix, shape (offers, attributes)
        category : Series of str, shape (offers,)

        Returns
        -------
        csr_matrix, shape (offers, kinds)
            A column for each category; or one for any offer of which something is known, and one
            for each attribute.
        """
        if self.pooled:
            known = (np.diff(attributes.indptr) > 0).astype(np.float64)
            return sp.csr_matrix(sp.hstack([known[:, None], attributes], format="csr"))
        place = pd.Index(self.categories).get_indexer(pd.Index(category))
        rows = np.flatnonzero(place >= 0)
        shape = (len(category), len(self.categories))
        return sp.csr_matrix((np.ones(len(rows)), (rows, place[rows])), shape=shape)
