"""Chances that offers had are those that customers could still take."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from data.dataset import Dataset
from recommender.chances import collect_chances
from recommender.keys import build_keys

START = pd.Timestamp("2024-01-01", tz="UTC")


@pytest.mark.parametrize("repeatable", [False, True])
def test_what_cannot_be_redeemed_again_has_no_chance(repeatable: bool) -> None:
    log = [
        ("a", "o", "impression", 1),
        ("a", "o", "redemption", 2),
        ("a", "o", "impression", 3),
        ("a", "other", "impression", 3),
        ("b", "o", "impression", 3),
    ]
    rows = [(*row[:3], START + pd.Timedelta(days=row[3])) for row in log]
    dataset = Dataset.of(
        {
            "offers": pd.DataFrame({"offer_id": ["o", "other"], "repeatable": repeatable}),
            "interactions": pd.DataFrame(
                rows, columns=["customer_id", "offer_id", "event_type", "occurred_at"]
            ),
        }
    )
    chances = collect_chances(
        dataset,
        dataset.customer_ids,
        START + pd.Timedelta(days=9),
        sp.csr_matrix((2, 2)),
        build_keys(dataset),
        sp.csr_matrix((2, 0)),
        np.array([], dtype=np.str_),
    )
    assert chances.shown is not None
    expected = [[2.0 if repeatable else 1.0, 1.0], [1.0, 0.0]]
    np.testing.assert_array_equal(chances.shown.toarray(), expected)
    np.testing.assert_array_equal(chances.events.toarray(), [[1.0, 0.0], [0.0, 0.0]])
