"""Slices: who is in which, what is judged there, and when there are too few to say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import Dataset
from evaluation.depth import slices as module
from evaluation.depth.correction import holm
from evaluation.depth.groups import AGES, HISTORY, age_bands, band, genders, history_edges
from evaluation.depth.slices import Slice, Slices, measure_slices
from evaluation.harness import SLICES, Trial
from evaluation.metrics import find_hits, per_customer
from evaluation.splitting import Split
from recommender.bundle import Bundle

AT = pd.Timestamp("2025-03-01", tz="UTC")
N = 30


@given(st.lists(st.none() | st.integers(0, 300), min_size=1, max_size=40))
def test_bands_hold_everybody_once(values: list[int | None]) -> None:
    numbers = np.array([np.nan if one is None else one for one in values], dtype=np.float64)
    for edges in (HISTORY, AGES):
        masks = np.array(list(band(numbers, edges).values()))
        assert (masks.sum(axis=0) == 1).all()
        assert masks.any(axis=1).all()


def test_bands_are_named_by_what_they_hold() -> None:
    found = band(np.array([0.0, 1, 4, 5, 19, 20, np.nan]), HISTORY)
    assert {name: mask.sum() for name, mask in found.items()} == {
        "0": 1, "1-4": 2, "5-19": 2, "20+": 1, "not known": 1,
    }  # fmt: skip


def test_a_crowded_last_band_is_cut_at_its_median() -> None:
    assert history_edges(np.array([0.0, 3, 30, 40, 50])) == (0, 1, 5, 20, 40)
    assert history_edges(np.array([0.0, 3, 30, 40])) == HISTORY
    assert history_edges(np.array([20.0, 20, 20])) == HISTORY
    assert history_edges(np.empty(0)) == HISTORY


def test_ages_and_genders_are_told_or_said_to_be_absent() -> None:
    table = Dataset.of(
        {
            "customers": pd.DataFrame(
                {
                    "customer_id": list("abcd"),
                    "age": [24.9, 25.0, 70.0, None],
                    "gender": [" F", "f", "", None],
                }
            )
        }
    ).customers
    ages, sexes = age_bands(table), genders(table)
    assert isinstance(ages, dict)
    assert isinstance(sexes, dict)
    assert {name: mask.sum() for name, mask in ages.items()} == {
        "under 25": 1, "25-34": 1, "65+": 1, "not known": 1,
    }  # fmt: skip
    assert {name: mask.sum() for name, mask in sexes.items()} == {"f": 2, "not known": 2}
    nobody = Dataset.of({"customers": pd.DataFrame({"customer_id": ["a"]})}).customers
    assert age_bands(nobody) == "not measured: no age is known"
    assert genders(nobody) == "not measured: no gender is known"


def ranked(order: list[str], people: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": np.repeat(people, len(order)),
            "rank": np.tile(np.arange(1, len(order) + 1), len(people)),
            "offer_id": order * len(people),
        }
    )


def small_case(log: pd.DataFrame | None = None) -> tuple[Split, Trial]:
    """Let N customers take offers "old", "rare" and "new"; the hybrid lists them better."""
    people = [f"c{number:02}" for number in range(N)]
    rows = [("x", "old", 5), ("y", "old", 4), ("x", "rare", 3), ("c00", "rare", 2)]
    if log is None:
        log = pd.DataFrame(rows, columns=["customer_id", "offer_id", "days"])
        log["occurred_at"] = AT - log.pop("days") * pd.Timedelta(days=1)
        log["event_type"] = "redemption"
        log = pd.concat([log, log.tail(1).assign(event_type="impression", customer_id="c01")])
    train = Dataset.of(
        {
            "interactions": log,
            "offers": pd.DataFrame({"offer_id": ["old", "rare", "new"], "repeatable": True}),
            "customers": pd.DataFrame({"customer_id": [*people, "x", "y"]}),
        }
    )
    truth = pd.DataFrame(
        [(who, "rare") for who in people] + [(who, "new") for who in people[:10]],
        columns=["customer_id", "offer_id"],
    )
    split = Split(
        train, AT, AT, frozenset(["old", "rare", "new"]), truth, "redemption", frozenset()
    )
    lists = {
        "hybrid": ranked(["rare", "new", "old"], people),
        "popularity": ranked(["old", "rare", "new"], people[1:]),
    }
    values = {name: per_customer(find_hits(made, truth), (10,)) for name, made in lists.items()}
    everybody = np.ones(N, dtype=bool)
    slices = dict.fromkeys(SLICES, everybody)
    return split, Trial({}, {}, lists, np.array(people, dtype=object), values, slices)


@pytest.fixture
def found(small_bundle: Bundle) -> dict[str, Slice]:
    split, trial = small_case()
    made = measure_slices(split, trial, replace(small_bundle, segments=None))
    return {one.label: one for one in made.slices}


def test_pairs_are_told_apart_by_what_was_taken_before(found: dict[str, Slice]) -> None:
    counts = {label: (one.n, one.pairs) for label, one in found.items()}
    assert counts["relevant: taken before"] == (1, 1)
    assert counts["relevant: taken for the first time"] == (N, 39)
    # Each of "old" and "rare" was taken twice: the first of them is half of it.
    assert "offers: head (half of what was taken before)" not in counts
    assert counts["offers: tail"] == (N, N)
    assert counts["offers: new (nobody took it before)"] == (10, 10)
    assert counts["clicks and redemptions: 0"] == (N - 1, 38)
    assert counts["clicks and redemptions: 1-4"] == (1, 2)


def test_a_slice_of_pairs_judges_the_same_lists_by_its_own_truth(found: dict[str, Slice]) -> None:
    tail = found["offers: tail"]
    assert tail.hybrid is not None
    assert tail.rival is not None
    assert tail.difference is not None
    assert tail.hybrid.value == pytest.approx(1.0)
    second = 1 / np.log2(3)
    assert tail.rival.value == pytest.approx(second * (N - 1) / N)  # one has no list
    assert tail.difference.value == pytest.approx(1 - second * (N - 1) / N)


def test_too_few_customers_are_not_judged(found: dict[str, Slice]) -> None:
    few = found["offers: new (nobody took it before)"]
    assert few.n < module.FEWEST
    assert few.hybrid is few.rival is few.difference is None
    assert np.isnan(few.p_holm)
    judged = [one for one in found.values() if one.difference is not None]
    p_values = np.array([one.difference.p_value for one in judged if one.difference])
    np.testing.assert_allclose([one.p_holm for one in judged], holm(p_values))


def test_the_worst_slices_are_named(small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    split, trial = small_case()
    monkeypatch.setattr(module, "FEWEST", 1)
    made = measure_slices(split, trial, small_bundle)
    measured = {one.label: one for one in made.slices}
    assert all(one.hybrid for one in made.slices)
    lowest, weakest = measured[made.lowest], measured[made.weakest]
    assert min(one.hybrid.value for one in made.slices if one.hybrid) == lowest.hybrid.value  # type: ignore[union-attr]
    gaps = [one.difference.value for one in made.slices if one.difference]
    assert weakest.difference is not None
    assert weakest.difference.value == min(gaps)


def test_what_cannot_be_told_is_said(small_bundle: Bundle) -> None:
    split, trial = small_case(Dataset.of({}).interactions)
    made: Slices = measure_slices(split, trial, replace(small_bundle, segments=None))
    assert set(made.missing) == {
        "clicks and redemptions", "transactions", "segment", "gender", "age",
    }  # fmt: skip
    assert {one.kind for one in made.slices} == {"relevant", "offers"}
    assert {one.name for one in made.slices} == {
        "taken for the first time", "new (nobody took it before)",
    }  # fmt: skip
