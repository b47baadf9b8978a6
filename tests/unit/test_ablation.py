"""Parts on trial: suspects are one only where some of theirs was left out of the learning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from data.dataset import Dataset
from evaluation.depth import ablation
from evaluation.depth.ablation import ON_TRIAL, SUSPECTS, run_ablation
from evaluation.harness import Trial
from evaluation.splitting import Split
from recommender.bundle import Bundle
from recommender.recipe import Recipe
from segmentation.kinds import FRAUD, UNUSUAL

MakeTrial = Callable[..., tuple[Trial, Split]]
MACHINE = "3 interactions of 1 customer shown 20 times as much as others are not learnt from."


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, small_bundle: Bundle) -> list[bool]:
    """Rank and train nothing; say whether each training learns from suspects."""
    found: list[bool] = []

    def train(*_: object, recipe: Recipe, **__: object) -> Bundle:
        found.append(recipe.learn_from_suspects)
        return small_bundle

    monkeypatch.setattr(ablation, "train", train)
    monkeypatch.setattr(ablation, "_ndcg", lambda *_: np.zeros(40))
    return found


@pytest.mark.parametrize(
    ("kind", "learn", "asked"),
    [(FRAUD, False, True), (FRAUD, True, False), (UNUSUAL, False, False)],
)
def test_suspects_are_asked_about_where_some_are_left_out(
    kind: str,
    learn: bool,
    asked: bool,
    trained: list[bool],
    make_trial: MakeTrial,
    small_dataset: Dataset,
    small_bundle: Bundle,
) -> None:
    trial, split = make_trial()
    active = small_dataset.interactions["customer_id"].iloc[0]
    odd = (small_bundle.anomalies["customer_id"] == active).to_numpy(dtype=bool)
    bundle = replace(
        small_bundle,
        notes=(MACHINE,),
        recipe=replace(small_bundle.recipe, learn_from_suspects=learn),
        anomalies=small_bundle.anomalies.assign(flagged=odd, kind=np.where(odd, kind, "")),
    )
    found = run_ablation(bundle, replace(split, train=small_dataset), trial)
    assert trained == ([True] if asked else [])
    assert set(found["all"]) == {*map(str, ON_TRIAL), *([SUSPECTS] if asked else [])}


def test_suspects_who_did_nothing_are_no_part(
    trained: list[bool], make_trial: MakeTrial, small_bundle: Bundle
) -> None:
    trial, split = make_trial()
    bundle = replace(
        small_bundle, anomalies=small_bundle.anomalies.assign(flagged=True, kind=FRAUD)
    )
    assert SUSPECTS not in run_ablation(bundle, split, trial)["all"]
    assert not trained
