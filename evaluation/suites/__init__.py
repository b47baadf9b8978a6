"""The suites of the benchmark, by name: what to run, and its steps of progress."""

from collections.abc import Callable, Mapping

from evaluation.benchmark import Row
from evaluation.suites import policy, segmentation, speed

Suite = Callable[[Callable[[str], None]], list[Row]]

SUITES: Mapping[str, tuple[Suite, int]] = {
    "policy": (policy.run, policy.STEPS),
    "segmentation": (segmentation.run, segmentation.STEPS),
    "speed": (speed.run, speed.STEPS),
}
