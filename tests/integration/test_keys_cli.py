"""`python -m api keys` and what a service with keys lets in; several workers over one database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from api.keys import app
from api.opening import Opening
from data.keys import digest_of, new_key
from data.store import Store
from tests.integration.conftest import run_here


def keys(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in this process."""
    return run_here(app, *arguments, cwd=home, home=home)


def keys_outside(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "api", "keys", *arguments],
        env={**os.environ, "NBO_HOME": str(home)},
        capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip


@pytest.mark.parametrize("outside", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_key_is_shown_once_and_stored_as_a_digest(tmp_path: Path, outside: bool) -> None:
    start = keys_outside if outside else keys
    done = start(tmp_path, "add", "shop", "--scope", "write", "--json")
    assert done.returncode == 0, done.stderr
    key = json.loads(done.stdout)["key"]
    store = Store.open(f"sqlite:///{tmp_path / 'nbo.db'}")
    (kept,) = store.keys()
    assert (kept.name, kept.scopes, kept.digest) == ("shop", ("write",), digest_of(key))
    store.close()  # before its files are read: closing a file gives up all locks on it
    assert not any(key.encode() in path.read_bytes() for path in tmp_path.iterdir())
    listed = keys(tmp_path, "list")
    assert "shop" in listed.stdout
    assert key not in listed.stdout
    assert keys(tmp_path, "add", "shop", "--scope", "read").returncode == 2
    dropped = keys(tmp_path, "drop", "shop")
    assert dropped.returncode == 0, dropped.stderr
    assert keys(tmp_path, "drop", "shop").returncode == 2
    store = Store.open(f"sqlite:///{tmp_path / 'nbo.db'}")
    assert store.keys() == ()
    store.close()


def test_a_key_that_is_past_before_it_begins_is_refused(tmp_path: Path) -> None:
    done = keys(tmp_path, "add", "shop", "--scope", "read", "--expires", "2001-01-01")
    assert done.returncode == 2
    assert "past already" in done.stderr


def test_no_two_keys_are_alike() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    assert all(len(key) > 40 for key in made)


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("127.0.0.1", False), ("127.9.9.9", False), ("::1", False), ("localhost", False),
        ("0.0.0.0", True), ("::", True), ("192.168.1.7", True), ("example.org", True),
    ],
)  # fmt: skip
def test_what_others_can_reach_is_public(host: str, public: bool) -> None:
    assert Opening(model="m", at=None, host=host).is_public is public


def ask(port: int, path: str, key: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "x-api-key": key}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["code"]


@pytest.mark.slow
def test_two_workers_share_keys_facts_and_figures(small_folder: Path, tmp_path: Path) -> None:
    from tests.integration.test_server import server

    made = keys(tmp_path, "add", "app", "--scope", "write", "--json")
    key = json.loads(made.stdout)["key"]
    options = ("--data", small_folder, "--model", tmp_path / "model", "--workers", 2)
    with server(tmp_path, *options) as port:
        assert ask(port, "/recommend/c0000004", "") == (401, "KEY_MISSING")
        assert ask(port, "/recommend/c0000004", "nonsense") == (401, "KEY_UNKNOWN")
        status, body = ask(port, "/recommend/c0000004?n=100", key)
        assert status == 200
        taken = json.loads(body)["offers"][0]["offer_id"]
        event = {"customer_id": "c0000004", "offer_id": taken, "event_type": "click"}
        assert ask(port, "/events", key, {"events": [event]})[0] == 202
        # Whichever worker answers, the list is the new one.
        after = [json.loads(ask(port, "/recommend/c0000004?n=100", key)[1]) for _ in range(20)]
        scores = {json.dumps([one["score"] for one in answer["offers"]]) for answer in after}
        assert len(scores) == 1
        assert scores != {json.dumps([one["score"] for one in json.loads(body)["offers"]])}
        status, figures = ask(port, "/metrics", key)
        assert status == 200
        counted = [line for line in figures.decode().splitlines() if line.startswith("nbo_lists_")]
        assert sum(float(line.split()[-1]) for line in counted if "_total" in line) == 21
