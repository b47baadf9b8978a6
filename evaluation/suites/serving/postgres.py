"""A real PostgreSQL server on a port of the loopback address, to measure and to test with."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from data.errors import OfferError

try:  # an extra: whoever serves from a file does without
    import psycopg
except ImportError:
    psycopg = None  # type: ignore[assignment]

DEBIAN = Path("/usr/lib/postgresql")
PATIENCE = 30.0
PORTS = range(20_000, 32_000)  # below those of connections of no stated port


def why_not() -> str:
    """Say what is missing for a server; nothing where it can be started."""
    if psycopg is None:
        return "the extra postgres (psycopg) is not installed"
    return "" if find("initdb") else "PostgreSQL is not installed (package postgresql)"


def find(program: str) -> str | None:
    """Return where a program of PostgreSQL is; Debian keeps them off the path."""
    places = sorted(DEBIAN.glob(f"*/bin/{program}")) if DEBIAN.is_dir() else []
    return str(places[-1]) if places else shutil.which(program)


class Postgres:
    """One server over a folder of its own; it can be stopped and started again."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="nbo-postgres-"))
        self._port = _free_port()
        if os.getuid() == 0:  # the server refuses to run as root
            shutil.chown(self._folder, "postgres")
        self._run(find("initdb"), "-D", self._data, "-U", "nbo", "--auth=trust", "--no-sync")
        self.start()

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def start(self) -> None:
        """Start the server and wait until it answers.

        Its port may be taken for a while by a connection of somebody else's, and what is left of a
        server that was stopped at once may not have ended yet: then it is started again.
        """
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -k {self._folder}"
        log = str(self._folder / "log")
        until = time.monotonic() + PATIENCE
        started = False
        while True:
            try:
                if not started:
                    self._run(
                        find("pg_ctl"), "-D", self._data, "-o", options, "-l", log, "-w", "start"
                    )
                    started = True
                psycopg.connect(self._libpq("postgres")).close()
                return
            except (subprocess.CalledProcessError, psycopg.OperationalError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def stop(self) -> None:
        """End it at once, as a crash would."""
        self._run(find("pg_ctl"), "-D", self._data, "-m", "immediate", "-w", "stop")

    def freeze(self) -> None:
        """Let the server neither answer nor refuse, as one does that hangs."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, what: signal.Signals) -> None:
        first = int(Path(self._data, "postmaster.pid").read_text().split()[0])
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it ended meanwhile
            if parent == first:
                os.kill(int(stat.parent.name), what)
        os.kill(first, what)

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"nbo_{uuid.uuid4().hex}"
        with psycopg.connect(self._libpq("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://nbo@127.0.0.1:{self._port}/{name}"

    def remove(self) -> None:
        """Stop it and remove everything that it wrote."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _libpq(self, database: str) -> str:
        return f"host=127.0.0.1 port={self._port} user=nbo dbname={database}"

    def _run(self, program: str | None, *arguments: str) -> None:
        if program is None:
            raise OfferError(
                "A program of PostgreSQL is missing.", "Install the package postgresql."
            )
        user = "postgres" if os.getuid() == 0 else None
        subprocess.run(
            [program, *arguments],
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
        )


def _free_port() -> int:
    """Find a port that nobody listens at, none that the system gives to others while it is down."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
