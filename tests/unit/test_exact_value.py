"""The exact worth of lists, in a world small enough to train in a second."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.dataset import Dataset
from data.synthetic import PRESETS, generate
from data.synthetic.truth import TrueWorld
from evaluation.protocol import Protocol
from evaluation.splitting import split_dataset
from evaluation.suites.ranking.value import against_truth, truthfulness, worth
from recommender.service import Service
from recommender.training import train


@pytest.mark.slow
def test_a_world_tells_what_lists_are_worth_and_whether_chances_are_true() -> None:
    parameters = replace(PRESETS["small"], customers=400, offers=60, seed=3)
    dataset = Dataset.of(generate(parameters))
    split = split_dataset(dataset, Protocol(), 0)
    service = Service(train(split.train, at=split.at))
    world = TrueWorld.of(parameters)
    rows = worth("d", service, split, world, dataset)
    value = {row.figure: row.value for row in rows}
    assert (
        value["conversion of the oracle, exact"] > value["conversion of the logging policy, exact"]
    )
    share = next(row.value for row in rows if row.figure.endswith(": hybrid"))
    assert 0 < share < 1
    told = truthfulness("d", service, split, dataset)
    assert not service.calibrated or len(told) == 11
    # A ratio to nothing observed is infinite and says so; its interval starts where data allow.
    assert all(np.isfinite(row.value) or row.figure.endswith("/ 0)") for row in told)
    assert all(row.low <= row.value <= row.high for row in told[1:])
    limits = against_truth("d", service, world, split, dataset)
    assert all(0 <= limit.value <= 10 for limit in limits)
    assert all(limit.holds is None for limit in limits)  # what luck allows is no floor
