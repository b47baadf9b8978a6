"""A server as a process: started, asked, stopped, killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any

from data.errors import OfferError

START, PATIENCE = 120.0, 15.0  # seconds within which a server has to be ready, and to answer


class Server:
    """A process that listens on a port of the loopback address.

    Parameters
    ----------
    command : sequence of str
        Arguments after the interpreter; ``{port}`` stands for the port.
    ready : str
        Path that answers once it is ready.
    log : Path
        Where its output goes.
    environment : mapping
        On top of this process's own.
    key : str
        Sent with every request.
    """

    def __init__(
        self,
        *command: str,
        ready: str,
        log: Path,
        environment: Mapping[str, str] | None = None,
        key: str = "",
    ) -> None:
        self.port = _free_port()
        self._headers = {"content-type": "application/json", "x-api-key": key}
        self._log = log
        environ = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, *(part.format(port=self.port) for part in command)],
                env=environ,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._wait(ready)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def ask(
        self, path: str, body: Mapping[str, Any] | None = None, method: str | None = None
    ) -> tuple[int, Any]:
        """Send a request.

        Returns
        -------
        status : int
            Zero where no answer came.
        answer : object
            The JSON of the answer; None where there is none.
        """
        status, content = self.send(
            path, None if body is None else json.dumps(body).encode(), method
        )
        try:
            return status, json.loads(content)
        except ValueError:
            return status, None

    def send(
        self, path: str, body: bytes | None = None, method: str | None = None
    ) -> tuple[int, bytes]:
        """Send a request that is written already, and leave the answer as it comes."""
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, data=body, headers=self._headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except (OSError, HTTPException):
            return 0, b""

    def seconds(self) -> float:
        """Return the processor time taken so far."""
        parts = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return the resident memory in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a word, its workers as well."""
        self._signal(signal.SIGKILL)

    def _signal(self, what: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, what)
            self._process.wait(timeout=30)

    def _wait(self, ready: str) -> None:
        until = time.monotonic() + START
        while self.ask(ready)[0] != 200:
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                tail = self._log.read_text(errors="replace").splitlines()[-5:]
                raise OfferError("A server did not become ready.", " ".join(tail))
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
