"""A run says which code, libraries and machine made it, and what is not known is not invented."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import jsonschema
import numpy as np
import pytest

from data.dataset import Dataset
from evaluation import identity
from evaluation.identity import code_identity, identify, peak_memory, split_identity
from evaluation.protocol import Protocol
from evaluation.report_schema import report_schema
from evaluation.splitting import split_dataset


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@x", *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if not identity._git(Path(), "--version"):
        pytest.skip("git is not installed: apt-get install git")
    home = tmp_path / "home"
    home.mkdir()
    git(home, "init", "--quiet")
    (home / "code.py").write_text("one\n")
    git(home, "add", "code.py")
    git(home, "commit", "--quiet", "--message", "first")
    return home


def test_a_checkout_names_its_commit_and_whether_it_was_changed(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as within a hook of another checkout
    assert code_identity(checkout) == {"hash": commit, "dirty": False}
    (checkout / "new.txt").write_text("not tracked")
    assert code_identity(checkout) == {"hash": commit, "dirty": False}
    (checkout / "code.py").write_text("two\n")
    assert code_identity(checkout) == {"hash": commit, "dirty": True}


def test_code_that_only_lies_within_a_checkout_has_no_commit(checkout: Path) -> None:
    inner = checkout / "site-packages"
    inner.mkdir()
    assert code_identity(inner) is None


def test_no_checkout_and_no_git_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_identity(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert code_identity(tmp_path) is None


def test_a_run_is_described_as_the_schema_says(small_dataset: Dataset) -> None:
    found = identify(small_dataset, name="small", seed=3, began=monotonic())
    schema = report_schema()
    part = {"$ref": "#/$defs/identity", "$defs": schema["$defs"]}
    jsonschema.Draft202012Validator(part).validate(json.loads(json.dumps(found)))
    assert found["fingerprint"] == small_dataset.fingerprint
    assert found["rows"]["customers"] == 150
    assert found["seed"] == 3
    assert found["versions"]["numpy"] == np.__version__
    assert found["cores"] >= 1


def test_memory_only_grows() -> None:
    first = peak_memory()
    if first is None:
        pytest.skip("this system does not count memory")
    held = np.ones(20_000_000)
    after = peak_memory()
    assert after is not None
    assert held[0] == 1
    assert 10 < first <= after < 1_000_000


def test_hashes_follow_candidates_and_truth(small_dataset: Dataset) -> None:
    split = split_dataset(small_dataset, Protocol())
    found = split_identity(split)
    again: dict[str, Any] = split_identity(split_dataset(small_dataset, Protocol()))
    assert found == again
    fewer = replace(split, candidates=frozenset(sorted(split.candidates)[1:]))
    assert split_identity(fewer)["candidates"] != found["candidates"]
    assert split_identity(fewer)["truth"] == found["truth"]
    turned = replace(split, truth=split.truth.iloc[::-1])
    assert split_identity(turned) == found
    assert split_identity(replace(split, truth=split.truth.iloc[1:]))["truth"] != found["truth"]
