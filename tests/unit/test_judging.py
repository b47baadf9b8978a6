"""Past lists hold what could have been listed, as lists to come do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.dataset import Dataset
from recommender.judging import judge
from recommender.validation import fold_at

START = pd.Timestamp("2024-01-01", tz="UTC")
CUT, END = START + pd.Timedelta(days=50), START + pd.Timedelta(days=80)


@pytest.mark.parametrize("repeatable", [False, True])
def test_what_can_be_taken_once_only_is_not_learnt_from_when_taken_again(repeatable: bool) -> None:
    random = np.random.default_rng(0)
    n = 600
    dataset = Dataset.of(
        {
            "offers": pd.DataFrame(
                {"offer_id": [f"o{n}" for n in range(12)], "repeatable": repeatable}
            ),
            "interactions": pd.DataFrame(
                {
                    "customer_id": [f"c{n}" for n in random.integers(0, 40, n)],
                    "offer_id": [f"o{n}" for n in random.integers(0, 12, n)],
                    "event_type": "redemption",
                    "occurred_at": START + pd.to_timedelta(random.integers(0, 80, n), "D"),
                }
            ),
        }
    )
    judged = judge(fold_at(dataset, CUT, END), None)
    before = judged.fitted.query.redeemed[judged.whole.rows].toarray() > 0
    again = before[np.arange(len(before))[:, None], judged.whole.columns]
    for taken, candidate in (
        (judged.whole.taken, judged.whole.candidate),
        (judged.lists.taken, judged.lists.candidate),
    ):
        assert taken.any()
        assert not (taken & ~candidate).any()
        assert (taken & again).any() == repeatable


def test_where_showing_is_logged_all_that_was_shown_is_laid_out() -> None:
    random = np.random.default_rng(1)
    n = 3000
    shown = pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in random.integers(0, 60, n)],
            "offer_id": [f"o{n}" for n in random.integers(0, 40, n)],
            "event_type": "impression",
            "occurred_at": START + pd.to_timedelta(random.integers(0, 80, n), "D"),
            "position": 1,
        }
    )
    hour = pd.Timedelta(hours=1)
    taken = shown[random.random(n) < 0.15].assign(event_type="redemption")
    taken["occurred_at"] += hour
    dataset = Dataset.of(
        {
            "offers": pd.DataFrame({"offer_id": [f"o{n}" for n in range(40)], "repeatable": True}),
            "interactions": pd.concat([shown, taken], ignore_index=True),
        }
    )
    judged = judge(fold_at(dataset, CUT, END), None)
    showings = judged.showings
    assert showings is not None
    assert judged.lists.candidate.all()
    there = showings.lists.candidate
    later = shown[shown["occurred_at"] >= CUT]
    people = judged.fitted.ids.ids[showings.lists.rows]
    offers = dataset.offer_ids.ids[showings.lists.columns]
    told = {(str(people[row]), str(offers[row, place])) for row, place in np.argwhere(there)}
    assert told == set(zip(later["customer_id"], later["offer_id"], strict=True))
    assert there.sum() == len(told), "an offer stands there once"
    assert ((showings.shown > 0) == there).all()
    assert (showings.lists.taken & there).sum() == judged.lists.taken.sum() > 50
