"""The order of a history, and what follows what in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import Dataset
from recommender.facts import Facts
from recommender.features.order import in_order, lately_first
from recommender.fitting.following import FADING, FOLLOWED, STEPS, TAKEN, fit_following
from recommender.service import Service
from recommender.serving.lists import Wish
from recommender.training import train

AT = pd.Timestamp("2024-07-01", tz="UTC")
# Histories of five offers: how much each event still counts, zero where there was none.
HISTORIES = st.lists(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=5, max_size=5), min_size=1, max_size=6
)


@given(HISTORIES)
def test_the_latest_comes_first_and_what_was_taken_at_once_shares(rows: list[list[float]]) -> None:
    found = lately_first(sp.csr_matrix(np.array(rows))).toarray()
    for row, counts in zip(rows, found, strict=True):
        for value, one in zip(row, counts, strict=True):
            later = sum(other > value for other in row)
            at_once = sum(other == value for other in row) - 1
            assert one == pytest.approx(1 / (1 + later + at_once / 2) if value else 0.0)


@given(HISTORIES)
def test_what_follows_is_counted_pair_by_pair(rows: list[list[float]]) -> None:
    history = np.array(rows)
    order, later = in_order(sp.csr_matrix(history))
    column, person = sp.csr_matrix(history).indices[order], np.nonzero(history)[0]
    counted = np.zeros((5, 5))
    for one in range(len(order)):
        for two in range(one + 1, min(len(order), one + STEPS + 1)):
            if person[one] == person[two] and later[two] > later[one]:
                counted[column[two], column[one]] += FADING ** (two - one - 1)
    count = np.maximum((history > 0).sum(axis=0), 1e-9)
    expected = counted * count[:, None] ** TAKEN * count**FOLLOWED
    taken = sp.csr_matrix((history > 0).astype(float))
    found = fit_following(sp.csr_matrix(history), taken).near.toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


def test_without_order_nothing_follows() -> None:
    once = sp.csr_matrix(np.ones((20, 5)))
    assert not fit_following(once, once).near.nnz


@pytest.mark.slow
def test_lists_follow_what_was_taken_last() -> None:
    random = np.random.default_rng(0)
    # Forty offers in a ring; everybody goes some steps along it, a month each, half of them back.
    people = np.repeat(np.arange(800), 6)
    step = np.tile(np.arange(6), 800)
    place = random.integers(0, 40, 800)[people] + np.where(people % 2, step, -step)
    ago = 30 * (random.integers(0, 3, 800)[people] + 5 - step) + 1 + random.random(len(step))
    rows = pd.DataFrame(
        {
            "customer_id": [f"c{one}" for one in people],
            "offer_id": [f"o{one:02}" for one in place % 40],
            "event_type": "redemption",
            "occurred_at": AT - pd.to_timedelta(ago, "D"),
        }
    )
    offers = pd.DataFrame({"offer_id": [f"o{one:02}" for one in range(40)], "repeatable": False})
    service = Service(train(Dataset.of({"offers": offers, "interactions": rows}), at=AT))

    def first(*went: int) -> str | None:
        """Return what leads for somebody who took some offers, one a month, the last just now."""
        month = 30 * 86_400_000_000
        when = [AT.value // 1000 - month * ago for ago in range(len(went))][::-1]
        done = [(f"o{one:02}", "redemption", at) for one, at in zip(went, when, strict=True)]
        query = service.query("new", Facts(interactions=done), AT)
        [listing] = service.recommend(query, Wish(at=AT, n=3))
        return service.shown(listing.offers[0].row)[0]

    assert [first(17, 18, 19), first(19, 18, 17)] == ["o20", "o16"]
