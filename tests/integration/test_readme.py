"""The README tells the truth: its lines run, its commands and files are there."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.house import House
from data.console import run
from data.store import Store
from recommender.bundle import Bundle
from recommender.service import Service

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = {
    "data": ("generate", "realism", "import", "validate", "load"),
    "segmentation": ("report", "anomalies"),
    "recommender": (
        "train",
        "recommend",
        "explain",
        "publish",
        "rollback",
        "erase",
        "verify-erasure",
    ),
    "evaluation": ("report", "metrics", "replay", "benchmark"),
}


@pytest.mark.usefixtures("spared")
@pytest.mark.slow
def test_the_ten_lines_run(capsys: pytest.CaptureFixture[str]) -> None:
    for code, lines in zip(
        re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL), (3, None, 1), strict=True
    ):
        exec(compile(code, "README.md", "exec"), {})
        told = capsys.readouterr().out.splitlines()
        assert told
        assert lines in (None, len(told))


def test_every_command_named_exists() -> None:
    named = set(re.findall(r"python -m (\w+) (\w[\w-]*)", README)) - {("api", "keys")}
    assert named <= {(module, name) for module, names in COMMANDS.items() for name in names}


@pytest.mark.parametrize("module", COMMANDS)
def test_help_names_every_command_with_an_example(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = importlib.import_module(f"{module}.__main__").app
    for name in COMMANDS[module]:
        monkeypatch.setattr(sys, "argv", [module, name, "--help"])
        with pytest.raises(SystemExit) as caught:
            run(app)
        assert caught.value.code == 0
        assert "Example" in capsys.readouterr().out


def test_every_file_named_is_there() -> None:
    for path in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert (ROOT / path).is_file()


def test_the_bodies_posted_are_taken(small_bundle: Bundle, tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'facts.db'}")
    home = House(small_bundle, Service(small_bundle), store, at=small_bundle.moment)
    posts = re.findall(r"localhost:8000(/\w+) .*?-d '(.*?)'", README, flags=re.DOTALL)
    assert [path for path, _ in posts] == ["/events", "/onboarding"]
    with TestClient(create_app(home)) as client:
        for path, body in posts:
            answer = client.post(path, json=json.loads(body))
            assert answer.status_code in (201, 202)
            assert answer.json().get("accepted", 1) == 1
