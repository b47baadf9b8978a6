"""Chances that offers had: those that customers could still take, by who they were given to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from data.dataset import Dataset
from recommender.features.attributes import Attributes
from recommender.features.key_building import build_keys
from recommender.features.spending import Spending
from recommender.fitting.answering import fit_habits
from recommender.fitting.chances import collect_chances
from recommender.fitting.excess import Excess
from recommender.fitting.rates import Chances, estimate_rates

START = pd.Timestamp("2024-01-01", tz="UTC")
Log = list[tuple[str, str, str, int]]


def chances_of(
    log: Log,
    *,
    repeatable: bool,
    begin: dict[str, int] | None = None,
    joined: dict[str, int] | None = None,
) -> Chances:
    """Collect the chances of offers "o" and "other" in a log of events by day."""
    starts = {name: START + pd.Timedelta(days=day) for name, day in (begin or {}).items()}
    rows = [(*row[:3], START + pd.Timedelta(days=row[3])) for row in log]
    dataset = Dataset.of(
        {
            "offers": pd.DataFrame(
                {
                    "offer_id": ["o", "other"],
                    "repeatable": repeatable,
                    "valid_from": [starts.get("o"), starts.get("other")],
                }
            ).astype({"valid_from": "datetime64[us, UTC]"}),
            "customers": pd.DataFrame(
                {
                    "customer_id": list(joined or {}),
                    "signup_at": [
                        START + pd.Timedelta(days=day) for day in (joined or {}).values()
                    ],
                }
            ),
            "interactions": pd.DataFrame(
                rows, columns=["customer_id", "offer_id", "event_type", "occurred_at"]
            ),
        }
    )
    people, keys = dataset.customer_ids, build_keys(dataset)
    return collect_chances(
        dataset,
        people,
        START + pd.Timedelta(days=99),
        Spending.of(sp.csr_matrix((len(people), keys.n_keys)), keys),
        keys,
        sp.csr_matrix((2, 0)),
        Attributes(*(np.empty(0, dtype=np.str_),) * 2, np.empty(0), np.empty(0)),
    )


@pytest.mark.parametrize("repeatable", [False, True])
def test_what_cannot_be_redeemed_again_has_no_chance(repeatable: bool) -> None:
    log = [
        ("a", "o", "impression", 1),
        ("a", "o", "redemption", 2),
        ("a", "o", "impression", 3),
        ("a", "other", "impression", 3),
        ("b", "o", "impression", 3),
    ]
    chances = chances_of(log, repeatable=repeatable)
    assert chances.shown is not None
    a, b = chances.shown.toarray()
    assert a[0] / a[1] == pytest.approx(2.0 if repeatable else 1.0)
    assert b[0] > 0 == b[1]
    np.testing.assert_array_equal(chances.events.toarray(), [[1.0, 0.0], [0.0, 0.0]])


def test_who_signs_up_later_passed_nothing_over() -> None:
    log = [("a", "o", "redemption", 1), ("b", "other", "redemption", 9)]
    alone = chances_of(log, repeatable=True)
    joined = {"a": 120, "b": 0, "c": 50, "d": 99, "e": 200}
    chances = chances_of(log, repeatable=True, joined=joined)
    assert chances.present.tolist() == [True, True, True, False, False]
    np.testing.assert_allclose(chances.counts()[1], 1.5 * alone.counts()[1])
    assert Excess.of(chances).flat.tolist() == pytest.approx([1 / 3, 1 / 3])
    assert Excess.of(chances).said().tolist() == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("day", [99, 150])
def test_what_has_not_begun_had_no_chance(day: int) -> None:
    log = [("a", "o", "redemption", 1), ("b", "o", "redemption", 9)]
    chances = chances_of(log, repeatable=True, begin={"other": day})
    assert chances.live[1] == 0
    assert chances.counts()[1][1] == 0


def test_an_offer_whose_dates_were_moved_was_valid_when_it_was_taken() -> None:
    log = [(name, offer, "redemption", day) for name in "ab" for offer in ("o", "other")
           for day in (0, 50)]  # fmt: skip
    whole = chances_of(log, repeatable=True)
    moved = chances_of(log, repeatable=True, begin={"other": 98})
    np.testing.assert_allclose(moved.live, whole.live)


def test_an_offer_is_not_worse_for_being_shown_to_people_who_never_answer() -> None:
    log: Log = []
    for person in range(20):
        # The first ten take every other offer of both; "other" was shown to ten more, in vain.
        for day in range(10):
            for offer in ("o", "other"):
                if person < 10 or offer == "other":
                    log.append((f"c{person:02d}", offer, "impression", 4 * day))
                if person < 10 and day % 2:
                    log.append((f"c{person:02d}", offer, "redemption", 4 * day + 1))
    chances = chances_of(log, repeatable=True)
    assert chances.shown is not None
    assert chances.shown.sum() == pytest.approx(300)
    rate = np.exp(estimate_rates(chances).log_rate)
    assert rate[1] / rate[0] > 0.8  # half of its showings were in vain: .5 without habits


def test_an_offer_is_not_worse_for_being_shown_beside_others_that_everybody_takes() -> None:
    log: Log = []
    for person in range(30):
        # People are alike: the first 15 were shown what is taken 8 times of 10, others 2 of 10.
        offer, often = ("o", 8) if person < 15 else ("other", 2)
        for day in range(10):
            log.append((f"c{person:02d}", offer, "impression", 4 * day))
            if day < often:
                log.append((f"c{person:02d}", offer, "redemption", 4 * day + 1))
    rate = np.exp(estimate_rates(chances_of(log, repeatable=True)).log_rate)
    np.testing.assert_allclose(rate, [0.8, 0.2], rtol=0.15)  # .53 and .41 by what is usual


def test_habits_and_rates_are_told_apart_where_groups_are_shown_other_offers() -> None:
    random = np.random.default_rng(0)
    rate = np.repeat([0.4, 0.1], 10)
    eager = random.random(400) < 0.5  # as many of each group
    habit = np.where(eager, 1.5, 0.5)
    seen = np.where(np.arange(400)[:, None] % 2 == np.arange(20) // 10, 0.8, 0.1)
    shown = 10.0 * (random.random((400, 20)) < seen)
    answered = shown * habit[:, None] * rate
    found = np.exp(fit_habits(sp.csr_matrix(shown), sp.csr_matrix(answered)))
    np.testing.assert_allclose(answered.sum(axis=0) / (found @ shown), rate, rtol=0.1)
    assert found[eager].mean() / found[~eager].mean() == pytest.approx(3.0, rel=0.15)
    plain = (answered.sum(axis=1) + 1) / (shown.sum(axis=1) * answered.sum() / shown.sum() + 1)
    alike = answered.sum(axis=0) / (plain @ shown)
    assert alike[0] / alike[-1] < 3.0  # four times as often, truly


def test_who_was_shown_nothing_and_what_nobody_answers_have_the_usual_habit() -> None:
    shown, none = sp.csr_matrix([[4.0, 4.0], [0.0, 0.0]]), sp.csr_matrix((2, 2))
    assert fit_habits(shown, none).tolist() == [0.0, 0.0]
    assert fit_habits(none, shown).tolist() == [0.0, 0.0]
    assert fit_habits(shown, shown)[0] == pytest.approx(0.0, abs=1e-12)
