"""`train` and `publish` killed at any point: the model folder always holds a whole model.

`NBO_KILLS=50 python -m pytest -m slow -s tests/integration/test_killed_training.py` kills each 50
times and prints what was met. Half of the kills come at a time drawn over the run of the command,
half just after it began to write, when little time is all it needs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.ingest import write_folder
from data.synthetic import WorldParameters, generate
from recommender.service import Service
from recommender.storage.model_folder import VERSIONS, load
from recommender.storage.versions import CANDIDATE, CURRENT, HISTORY, current_version, history

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("NBO_KILLS", "10"))
WRITING = {"train": 0.08, "publish": 0.01}  # about how many seconds the command writes for
LONGEST = 120.0


def begin(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "recommender", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def finish(*arguments: object) -> float:
    begun = time.monotonic()
    assert begin(*arguments).wait(LONGEST) == 0
    return time.monotonic() - begun


def names(model: Path) -> set[tuple[str, int]]:
    """Return what stands in a model folder, and when each pointer was written."""
    pointers = (model / CURRENT, model / HISTORY, model / CANDIDATE)
    return {(path.name, path.stat().st_mtime_ns) for path in pointers if path.exists()} | {
        (path.name, 0) for folder in (model, model / VERSIONS) for path in folder.glob("*")
    }


def kill(process: subprocess.Popen[bytes], model: Path, wait: float, *, writing: bool) -> str:
    """Kill a command after some seconds, counted from its first write if wished for.

    Returns
    -------
    str
        Where the kill met it.
    """
    before = names(model)
    begun = time.monotonic()
    while writing and process.poll() is None and names(model) == before:
        assert time.monotonic() - begun < LONGEST
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    if process.wait(LONGEST) == 0:
        return "ended before"
    return "killed before it wrote" if names(model) == before else "killed after it began to write"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "world"
    write_folder(generate(WorldParameters(customers=40, offers=8, days=40, seed=1)), folder)
    return folder


@pytest.fixture
def model(world: Path, tmp_path: Path) -> Path:
    """A folder with two models, the second one current."""
    for seed in (0, 1):
        finish("train", "--data", world, "--model", tmp_path / "model", "--seed", seed, "--no-gate")
    return tmp_path / "model"


def check_whole(model: Path) -> str:
    """Start from what is there, as the service does."""
    bundle = load(model)
    assert Service(bundle).recommender.n_offers == 8
    assert bundle.version == current_version(model)
    for version in history(model):
        load(model, version)
    return bundle.version


def kill_often(
    name: str, model: Path, seconds: float, arguments: Callable[[int, str], list[object]]
) -> None:
    random = np.random.default_rng(0)
    met: Counter[str] = Counter()
    current = check_whole(model)
    moved = 0
    for number in range(KILLS):
        writing = number % 2 == 1
        wait = random.uniform(0, WRITING[name] if writing else 1.05 * seconds)
        process = begin(*arguments(number, current))
        met[kill(process, model, wait, writing=writing)] += 1
        before, current = current, check_whole(model)
        moved += current != before
    sys.stdout.write(
        f"\n{name}: {KILLS} kills of a run of {seconds:.1f} s: "
        f"{', '.join(f'{n} {what}' for what, n in met.items())}; {moved} had moved the pointer; "
        "a whole model after each\n"
    )
    assert met["ended before"] < KILLS
    assert met["killed after it began to write"]


def test_a_killed_training_leaves_a_whole_model(model: Path, world: Path) -> None:
    def arguments(number: int, _: str) -> list[object]:
        return ["train", "--data", world, "--model", model, "--seed", 2 + number, "--no-gate"]

    seconds = finish(*arguments(KILLS + 1, ""))
    kill_often("train", model, seconds, arguments)
    finish(*arguments(KILLS, ""))  # what a kill left behind is in nobody's way
    check_whole(model)


def test_a_killed_publish_leaves_a_whole_model(model: Path) -> None:
    versions = sorted(path.name for path in (model / VERSIONS).iterdir())

    def arguments(_: int, current: str) -> list[object]:
        other = next(name for name in versions if name != current)
        return ["publish", other, "--model", model, "--force"]

    seconds = finish(*arguments(0, current_version(model)))
    kill_often("publish", model, seconds, arguments)
    before = current_version(model)
    finish(*arguments(0, before))
    assert check_whole(model) != before
