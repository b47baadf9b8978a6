"""Spending on offers: the same summed up without being laid out as laid out."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from data.dataset import Dataset
from recommender.bundle import Bundle
from recommender.features.keys import LEVELS, KeySpace
from recommender.features.spending import Spending


def laid_out(purchases: sp.csr_matrix, keys: KeySpace) -> np.ndarray:
    """Spell out who spends what: on an offer's items, else on the first level that it names."""
    found = np.zeros((purchases.shape[0], keys.offer_keys.shape[0]))
    for offer in range(found.shape[1]):
        for level in LEVELS:
            here = keys.rows_of(level)
            share = keys.offer_keys[offer, here].toarray().ravel()
            if share.any():
                found[:, offer] = purchases[:, here] @ share / keys.unit
                break
    return found


def test_sums_are_those_of_what_is_laid_out(small_bundle: Bundle, small_dataset: Dataset) -> None:
    model, query = small_bundle.recommender, small_bundle.customers.query
    assert model is not None
    assert query is not None
    keys = model.content.keys
    spend, whole = Spending.of(query.purchases, keys), laid_out(query.purchases, keys)
    assert whole.any()
    rows = np.array([3, 1, 7])
    np.testing.assert_allclose(spend.rows(rows).toarray(), whole[rows])
    np.testing.assert_allclose(spend.by_offer, whole.sum(axis=0))
    np.testing.assert_allclose(spend.by_customer, whole.sum(axis=1))
    group = np.eye(2)[np.arange(len(small_dataset.offer_ids)) % 2]
    np.testing.assert_allclose(spend.on(sp.csr_matrix(group)).toarray(), whole @ group)


def test_without_purchases_nothing_is_spent(small_bundle: Bundle) -> None:
    assert small_bundle.recommender is not None
    keys = small_bundle.recommender.content.keys
    spend = Spending.of(sp.csr_matrix((3, keys.n_keys)), keys)
    assert not spend.by_offer.any()
    assert not spend.by_customer.any()
