"""`python -m api` as a process: from nothing to a list, and from a folder and a model."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.ingest import write_folder

PATIENCE = 300.0  # seconds; that a machine is busy is no failure


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data=data, headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@contextmanager
def server(home: Path, *arguments: object) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "api", "--port", str(port), *map(str, arguments)],
        env={**os.environ, "NBO_HOME": str(home)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                ask(port, "/health/ready")
                break
            except OSError:
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
                assert time.monotonic() < until, "the server did not become ready"
                time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode in (0, -15)


@pytest.mark.slow
def test_a_folder_is_trained_loaded_and_served(small_folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    with server(tmp_path, "--data", small_folder, "--model", model) as port:
        customer = "c0000004"
        first = ask(port, f"/recommend/{customer}?n=100")
        assert first["known"]
        offer = first["offers"][0]["offer_id"]
        event = {"customer_id": customer, "offer_id": offer, "event_type": "click"}
        assert ask(port, "/events", {"events": [event]})["accepted"] == 1
        second = ask(port, f"/recommend/{customer}?n=100")
        scores = {one["offer_id"]: one["score"] for one in first["offers"]}
        assert second["offers"][0]["score"] != scores[second["offers"][0]["offer_id"]]
    # What was recorded outlives the process.
    with server(tmp_path, "--data", small_folder, "--model", model) as port:
        third = ask(port, f"/recommend/{customer}?n=100")
        assert third["offers"] == second["offers"]


def refused(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Start a server that must end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "api", *map(str, arguments)],
        env={**os.environ, "NBO_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@pytest.mark.slow
def test_from_nothing_to_a_list(tmp_path: Path) -> None:
    with server(tmp_path) as port:
        assert len(ask(port, "/recommend/c0000042")["offers"]) == 10
        assert ask(port, "/onboarding", {})["recommendations"]["offers"]


def test_a_public_address_is_refused_without_keys(tmp_path: Path) -> None:
    done = refused(tmp_path, "--host", "0.0.0.0")
    assert done.returncode == 3
    assert "Without API keys" in done.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_two_datasets_are_not_mixed(
    small_folder: Path, small_world: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    with server(tmp_path, "--data", small_folder, "--model", model):
        pass
    other = tmp_path / "other"
    write_folder({"customers": small_world["customers"].head(20)}, other)
    done = refused(tmp_path, "--data", other, "--model", model)
    assert done.returncode == 3
    assert "holds other facts" in done.stderr


@pytest.mark.slow
def test_data_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    done = refused(tmp_path, "--data", tmp_path / "nowhere")
    assert done.returncode == 4
    assert "is not a folder" in done.stderr
