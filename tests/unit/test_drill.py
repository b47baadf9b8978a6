"""Fire drills plant their mistake, or say that they cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import UsageError
from evaluation.checks.drill import DRILLS, SAMPLED
from evaluation.harness import Trial
from evaluation.protocol import Protocol
from evaluation.reporting import build_report
from evaluation.splitting import Split
from recommender.bundle import Bundle

sample = DRILLS["sampled"]


@pytest.fixture
def split(make_trial: Callable[..., tuple[Trial, Split]]) -> Split:
    return make_trial()[1]


def test_what_is_relevant_stands_among_a_sample(split: Split) -> None:
    names = [f"more {number:03}" for number in range(100)]
    wide = replace(split, candidates=split.candidates | set(names))
    honest, ranked = sample(split.train, wide)
    assert honest is wide
    assert set(split.truth["offer_id"]) <= ranked.candidates < wide.candidates
    assert len(ranked.candidates & set(names)) <= SAMPLED


@pytest.mark.parametrize("others", [0, 1, 2, 3])
def test_candidates_shrink_whatever_is_relevant(others: int, split: Split) -> None:
    relevant = frozenset(split.truth["offer_id"])
    spare = [f"spare {number}" for number in range(others)]
    full = replace(split, candidates=relevant | set(spare))
    _, ranked = sample(split.train, full)
    assert 0 < len(ranked.candidates) < len(full.candidates)
    assert ranked.candidates < full.candidates
    assert ranked.truth is full.truth
    if others < 2:
        count = split.truth["offer_id"].value_counts()
        left = count[list(relevant - ranked.candidates)]
        assert count[list(ranked.candidates)].min() >= left.max()


def test_of_one_candidate_nothing_is_sampled(split: Split) -> None:
    truth = pd.DataFrame({"customer_id": ["a"], "offer_id": ["x"]}, dtype="str")
    with pytest.raises(UsageError, match="one candidate"):
        sample(split.train, replace(split, candidates=frozenset({"x"}), truth=truth))


@pytest.mark.parametrize("drill", DRILLS.values(), ids=list(DRILLS))
def test_where_nothing_is_ranked_a_drill_is_refused_before_any_training(
    drill: Callable[[Dataset, Split], tuple[Split, Split]],
) -> None:
    bare = Dataset.of({"customers": pd.DataFrame({"customer_id": ["a", "b"]}, dtype="str")})
    steps: list[str] = []
    with pytest.raises(UsageError, match="No mistake can be planted"):
        build_report(
            bare, name="bare", protocol=Protocol(), truth={}, drill=drill, on_step=steps.append
        )
    assert steps == ["splitting"]


def test_a_drill_that_nobody_could_notice_is_refused(
    monkeypatch: pytest.MonkeyPatch, small_dataset: Dataset, small_bundle: Bundle
) -> None:
    mute = replace(small_bundle, recommender=None)
    monkeypatch.setattr("evaluation.reporting.train", lambda *_, **__: mute)
    with pytest.raises(UsageError, match="Nothing is ranked"):
        build_report(small_dataset, name="mute", protocol=Protocol(), truth={}, drill=sample)
