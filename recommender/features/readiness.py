"""Readiness: how readily what is behind an offer is bought with a coupon.

Of two offers on things that a customer buys alike, the one of a merchant whose goods are often
bought with a coupon is taken more: some merchants give coupons that are worth the trouble, and
their customers know it. Transactions tell that for merchants none of whose offers was taken yet.
Goods that are seldom bought with a coupon say nothing: perhaps none was given before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.dataset import Dataset
from data.schema import AMOUNT, ITEM_ID
from recommender.features.keys import MERCHANT, KeySpace
from segmentation.habits import COUPON_DISCOUNT, had_coupon

FEW = 4.0  # purchases with a coupon that everybody's share counts for


@dataclass(frozen=True)
class Readiness:
    """Purchases with a coupon by purchase key, at level merchant only.

    Attributes
    ----------
    used : ndarray of float, shape (keys,)
        Lines bought with a coupon.
    usual : ndarray of float, shape (keys,)
        As many as everybody's share lets expect of all lines there.
    """

    used: np.ndarray
    usual: np.ndarray

    def of(self, offer_keys: sp.csr_matrix) -> np.ndarray:
        """Return the readiness of offers: shape (offers,), a log ratio.

        It is zero where coupons are used as seldom as usual, or nothing is known.

        Parameters
        ----------
        offer_keys : csr_matrix, shape (offers, keys)
            As in `recommender.features.keys`.
        """
        more = (offer_keys @ self.used + FEW) / (offer_keys @ self.usual + FEW)
        return np.asarray(np.log(np.maximum(more, 1.0)))


def find_readiness(dataset: Dataset, keys: KeySpace) -> Readiness:
    """Count the lines bought with a coupon, where transactions tell which are."""
    none = Readiness(np.zeros(keys.n_keys), np.zeros(keys.n_keys))
    if COUPON_DISCOUNT not in dataset.transactions:
        return none
    lines = dataset.transactions[dataset.transactions[AMOUNT] >= 0]
    coupon = had_coupon(lines[COUPON_DISCOUNT]).to_numpy(dtype=bool)
    if not coupon.any():
        return none
    rows = keys.rows_of(MERCHANT)
    own = keys.item_keys[:, rows].tocoo()
    of_item = np.full(len(keys.item_ids) + 1, -1, dtype=np.int64)  # the last stands for no item
    of_item[own.row] = own.col + rows.start
    item = pd.Index(keys.item_ids).get_indexer(pd.Index(lines[ITEM_ID]))
    key, rest = of_item[item], item < 0
    stated = pd.Index(f"{MERCHANT}:" + lines.loc[rest, MERCHANT])
    key[rest] = pd.Index(keys.names).get_indexer(stated)
    there = key >= 0
    used = np.bincount(key[there & coupon], minlength=keys.n_keys)
    bought = np.bincount(key[there], minlength=keys.n_keys)
    return Readiness(used.astype(np.float64), bought * float(coupon.mean()))
