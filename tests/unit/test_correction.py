"""Holm's correction against its definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evaluation.depth.correction import holm


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.9, 0.2, 0.6])), [1.0, 0.6, 1.0])


def test_what_was_not_compared_does_not_count() -> None:
    np.testing.assert_allclose(holm(np.array([np.nan, 0.02, 0.5])), [np.nan, 0.04, 0.5])
    assert holm(np.array([])).size == 0
    assert np.isnan(holm(np.array([np.nan]))).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.2))
def test_holm_rejects_what_stepping_down_rejects(values: list[float], level: float) -> None:
    p = np.array(values)
    rejected = np.zeros(len(p), dtype=bool)
    for step, row in enumerate(np.argsort(p, kind="stable")):
        if p[row] * (len(p) - step) > level:
            break
        rejected[row] = True
    adjusted = holm(p)
    np.testing.assert_array_equal(adjusted <= level, rejected)
    assert (adjusted >= p).all()
    assert (adjusted <= 1).all()
