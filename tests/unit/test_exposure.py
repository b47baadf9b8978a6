"""The four-fifths rule: what is under it, what may be chance, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from data.dataset import Dataset
from evaluation.depth.exposure import GroupExposure, compare_groups, measure_exposure
from evaluation.harness import Trial
from evaluation.splitting import Split


def exposed(counts: dict[str, tuple[int, ...]], sizes: tuple[int, ...]) -> GroupExposure | str:
    """Give each offer to so many of each group, one after the other from the top of the group."""
    first = np.concatenate([[0], np.cumsum(sizes)])
    people = np.array([f"c{number:05}" for number in range(first[-1])], dtype=object)
    rows = [
        (people[first[group] + place], offer, 1)
        for offer, given in counts.items()
        for group, n in enumerate(given)
        for place in range(n)
    ]
    lists = pd.DataFrame(rows, columns=["customer_id", "offer_id", "rank"])
    masks = {
        f"g{group}": (np.arange(first[-1]) >= low) & (np.arange(first[-1]) < low + size)
        for group, (low, size) in enumerate(zip(first, sizes, strict=False))
    }
    return compare_groups(lists, people, masks)


def measured(counts: dict[str, tuple[int, ...]], sizes: tuple[int, ...]) -> GroupExposure:
    found = exposed(counts, sizes)
    assert isinstance(found, GroupExposure)
    return found


def test_a_rate_at_four_fifths_is_within_and_one_below_is_not() -> None:
    found = measured({"at": (40, 50), "below": (39, 50)}, (100, 100))
    assert (found.offers, found.judged, found.under) == (2, 2, 1)
    only = found.table[0]
    assert (only.offer_id, only.lowest, only.highest) == ("below", "g0", "g1")
    assert (only.low_listed, only.high_listed) == (39, 50)
    assert only.ratio == pytest.approx(0.78)
    assert only.ratio_low < 0.78 < only.ratio_high
    assert not only.sure
    assert found.overall == pytest.approx((0.8 * 90 + 0.78 * 89) / 179)
    assert found.rates["at"] == {"g0": 0.4, "g1": 0.5}


def test_the_test_is_fishers_corrected_for_offers_and_pairs_of_groups() -> None:
    p = fisher_exact([[10, 90], [40, 60]]).pvalue
    two = measured({"a": (10, 40), "b": (30, 30)}, (100, 100))
    assert two.table[0].p_holm == pytest.approx(2 * p)
    assert two.table[0].sure
    assert two.sure == 1
    three = measured({"a": (10, 40, 20)}, (100, 100, 100))
    assert three.table[0].p_holm == pytest.approx(3 * p)


def test_small_counts_are_not_judged() -> None:
    found = measured({"few": (0, 9), "enough": (0, 10)}, (100, 100))
    assert (found.too_few, found.judged, found.under) == (1, 1, 1)
    assert found.table[0].offer_id == "enough"
    assert found.table[0].ratio == 0
    assert 0 <= found.table[0].ratio_low <= found.table[0].ratio_high < 1


def test_chance_alone_raises_hardly_any_alarm() -> None:
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(20):
        drawn = random.binomial([60, 80, 60], random.uniform(0.1, 0.6, (50, 1)))
        counts = {f"o{row}": tuple(int(n) for n in given) for row, given in enumerate(drawn)}
        found = measured(counts, (60, 80, 60))
        assert found.under > 5  # the bare rule cries wolf
        alarms += found.sure > 0
    assert alarms <= 3


def test_small_groups_and_unknown_ones_are_set_aside() -> None:
    found = measured({"a": (20, 20, 0)}, (40, 40, 10))
    assert found.groups == {"g0": 40, "g1": 40}
    assert found.set_aside == {"g2": 10}
    assert found.under == 0
    assert "fewer than two groups" in str(exposed({"a": (1, 1)}, (40, 5)))


def case(profile: dict[str, list[object]], lists: pd.DataFrame) -> tuple[Split, Trial]:
    people = sorted(f"c{number:03}" for number in range(100))
    train = Dataset.of({"customers": pd.DataFrame({"customer_id": people, **profile})})
    moment = pd.Timestamp("2025-01-01", tz="UTC")
    truth = pd.DataFrame({"customer_id": people, "offer_id": "a"})
    split = Split(train, moment, moment, frozenset(["a"]), truth, "redemption", frozenset())
    return split, Trial({}, {}, {"hybrid": lists}, np.array(people, dtype=object), {}, {})


def test_only_the_first_ten_and_only_who_has_a_list_are_exposed() -> None:
    rows = [(f"c{number:03}", "a", 1 if number < 30 else 11) for number in range(80)]
    lists = pd.DataFrame(rows, columns=["customer_id", "offer_id", "rank"])
    gender: list[object] = ["F", "M"] * 50
    found = measure_exposure(*case({"gender": gender}, lists))
    assert found["age"] == "not measured: no age is known"
    sexes = found["gender"]
    assert isinstance(sexes, GroupExposure)
    assert sexes.rates == {"a": {"f": 0.3, "m": 0.3}}


def test_without_profiles_or_lists_nothing_is_made_up() -> None:
    nothing = pd.DataFrame({"customer_id": [], "offer_id": [], "rank": []})
    assert set(measure_exposure(*case({}, nothing)).values()) == {
        "not measured: no gender is known", "not measured: no age is known",
    }  # fmt: skip
    found = measure_exposure(*case({"gender": ["F", "M"] * 50}, nothing))["gender"]
    assert isinstance(found, GroupExposure)
    assert (found.offers, found.judged, found.table) == (0, 0, ())
    assert np.isnan(found.overall)
