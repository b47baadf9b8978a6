"""The suites of the benchmark, by name: what to run, and its steps of progress."""

from collections.abc import Callable, Mapping
from pathlib import Path

from evaluation.benchmark import Row
from evaluation.suites import anomaly, policy, ranking, segmentation, serving, speed

# What a suite is given: whom to tell of each step, and a folder of public data, if any.
Suite = Callable[[Callable[[str], None], Path | None], list[Row]]

SUITES: Mapping[str, tuple[Suite, int]] = {
    "anomaly": (anomaly.run, anomaly.STEPS),
    "policy": (policy.run, policy.STEPS),
    "ranking": (ranking.run, ranking.STEPS),
    "segmentation": (segmentation.run, segmentation.STEPS),
    "service": (serving.run, serving.STEPS),
    "speed": (speed.run, speed.STEPS),
}
