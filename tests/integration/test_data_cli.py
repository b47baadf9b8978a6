"""`python -m data` from outside: exit codes, what is written, and messages that help."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
import typer
from sqlalchemy import exc

from data.__main__ import app
from data.store import Store
from tests.integration.conftest import run_here

ROOT = Path(__file__).resolve().parents[2]
MALL_HEADER = "CustomerID,Gender,Age,Annual Income (k$),Spending Score (1-100)\n"


def run(
    *arguments: str | Path, cwd: Path, home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command; any other exception than its end fails the test."""
    return run_here(app, *arguments, cwd=cwd, home=home)


def run_outside(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one command as a user would; a traceback is never an answer."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NBO_")}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "data", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world made by the command itself."""
    parent = tmp_path_factory.mktemp("made")
    size = ("--customers", "40", "--offers", "10", "--days", "30", "--seed", "2")
    done = run_outside("generate", "world", *size, cwd=parent)
    assert done.returncode == 0, done.stderr
    assert "customers" in done.stdout
    assert "40 rows" in done.stdout
    return parent / "world"


def test_generate_makes_a_folder_and_leaves_nothing_beside(world: Path) -> None:
    assert [path.name for path in world.parent.iterdir()] == ["world"]
    names = {path.relative_to(world).as_posix() for path in world.rglob("*.parquet")}
    assert {"customers.parquet", "interactions.parquet", "truth/segments.parquet"} <= names
    assert len(pd.read_parquet(world / "customers.parquet")) == 40


def test_generate_refuses_a_folder_that_is_there(world: Path) -> None:
    before = sorted(world.rglob("*"))
    done = run("generate", world, cwd=world.parent)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "world is already there" in done.stderr
    assert "Remedy: Remove it or name another folder." in done.stderr
    assert sorted(world.rglob("*")) == before


def test_generate_refuses_an_impossible_world(tmp_path: Path) -> None:
    done = run("generate", "new", "--customers", "2", cwd=tmp_path)
    assert done.returncode == 2
    assert "--customers 6" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [("--offers", "0"), ("--days", "0"), ("--preset", "huge")])
def test_generate_refuses_what_makes_no_world(wrong: tuple[str, str], tmp_path: Path) -> None:
    done = run("generate", "new", *wrong, cwd=tmp_path)
    assert done.returncode == 2
    assert wrong[0] in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_killed_run_leaves_no_folder_that_reads_as_whole(tmp_path: Path) -> None:
    made = subprocess.Popen(
        [sys.executable, "-m", "data", "generate", tmp_path / "new", "--preset", "medium"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".new-*/transactions.parquet")):  # half of it is written
        assert made.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    made.kill()
    made.wait()
    assert not (tmp_path / "new").exists()
    # The name is free for the next run.
    size = ("--customers", "10", "--offers", "2", "--days", "5")
    assert run("generate", "new", *size, cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_realism_is_a_table_and_a_chart(world: Path, tmp_path: Path) -> None:
    done = run("realism", world, "--output", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "item popularity, Gini" in done.stdout
    assert "of the real ones" in done.stdout
    assert (tmp_path / "out" / "realism.png").stat().st_size > 10_000
    told = json.loads(run("realism", world, "--json", cwd=tmp_path).stdout)
    assert told["redemptions per offer, Gini"]["reference"] == 0.79


def test_generate_under_a_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    size = ("--customers", "10", "--offers", "2", "--days", "5")
    done = run("generate", "file/new", *size, cwd=tmp_path)
    assert done.returncode == 2
    assert "file/new" in done.stderr


def test_validate_speaks_json(world: Path) -> None:
    done = run("validate", world, "--json", cwd=world.parent)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["rows"]["customers"] == 40
    assert answer["rejected"] == {}
    assert not (world / "quarantine").exists()


def test_validate_says_what_it_set_aside(tmp_path: Path) -> None:
    rows = "".join(f"c{row},40\n" for row in range(99))
    (tmp_path / "customers.csv").write_text(f"customer_id,age\nold,999\n{rows}")
    done = run("validate", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 of 100 rows of customers is left out (age is above 120: 1)." in done.stderr
    assert "99 of        100 rows can be used" in done.stdout
    written = pd.read_csv(tmp_path / "quarantine" / "customers.csv")
    assert written[["row", "column"]].to_numpy().tolist() == [[1, "age"]]


REFUND = "transactions: 1 refund (negative amount) counts in spend, not as transactions."


def test_validate_and_load_report_refunds(tmp_path: Path) -> None:
    rows = "a,2025-01-01T00:00Z,40\na,2025-01-02T00:00Z,-15\n"
    (tmp_path / "transactions.csv").write_text(f"customer_id,occurred_at,amount\n{rows}")
    told = json.loads(run("validate", tmp_path, "--json", cwd=tmp_path).stdout)
    assert told["notes"] == [REFUND]
    done = run("load", tmp_path, "--database", f"sqlite:///{tmp_path / 'facts.db'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"Note: {REFUND}" in " ".join(done.stderr.split())


def test_validate_refuses_bad_data_and_names_file_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("customer_id,age\na,old\nb,40\n")
    done = run("validate", tmp_path, cwd=tmp_path)
    assert done.returncode == 4
    assert "customers.csv: 1 of 2 rows" in done.stderr
    assert "row 1, age is not a number" in done.stderr
    assert "quarantine" in done.stderr
    assert "--max-bad" in done.stderr
    assert "can be used" not in done.stdout


def test_validate_of_nothing(tmp_path: Path) -> None:
    done = run("validate", tmp_path / "nowhere", "--json", cwd=tmp_path)
    assert done.returncode == 4
    told = json.loads(done.stdout)
    assert "nowhere is not a folder" in told["error"]
    assert told["remedy"]


def test_a_share_below_nothing_is_no_crash(world: Path) -> None:
    done = run("validate", world, "--max-bad", "-1", cwd=world.parent)
    assert done.returncode in (0, 2)


@pytest.mark.slow
def test_load_into_the_default_database_is_repeatable(world: Path, tmp_path: Path) -> None:
    first = run("load", world, cwd=tmp_path, home=tmp_path / "home")
    assert first.returncode == 0, first.stderr
    assert (tmp_path / "home" / "nbo.db").is_file()
    second = run("load", world, cwd=tmp_path, home=tmp_path / "home")
    assert second.returncode == 0
    assert " 0 already there" in first.stdout
    assert " 0 added" in second.stdout
    assert " 0 already there" not in second.stdout


def test_load_with_an_unusable_home_is_a_settings_error(world: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("load", world, cwd=tmp_path, home=tmp_path / "file")
    assert done.returncode == 3
    assert "database cannot be opened" in done.stderr
    assert "Remedy:" in done.stderr


def test_what_a_database_refuses_names_nobody(tmp_path: Path) -> None:
    """A table of another make stands for whatever a database may have against a statement."""
    path = tmp_path / "odd.db"
    with closing(sqlite3.connect(path)) as odd:
        odd.execute("CREATE TABLE customers (customer_id TEXT PRIMARY KEY)")
    store = Store.open(f"sqlite:///{path}")
    with pytest.raises(exc.SQLAlchemyError) as caught:
        store.put_customer("jane.doe@example.org", {"city": "Ulm"}, {})
    store.close()
    assert "jane" not in str(caught.value)
    (tmp_path / "customers.csv").write_text("customer_id,city\njane.doe@example.org,Ulm\n")
    done = run("load", tmp_path, "--database", f"sqlite:///{path}", cwd=tmp_path)
    assert done.returncode == 3
    assert "The database does not do what it is asked (OperationalError)." in done.stderr
    assert "jane" not in done.stderr + done.stdout


def test_a_value_that_a_database_refuses_is_bad_data(tmp_path: Path) -> None:
    failing = typer.Typer()

    @failing.command()
    def fail() -> None:
        raise exc.DataError("INSERT", None, ValueError("jane: too long"))

    done = run_here(failing, cwd=tmp_path)
    assert (done.returncode, "jane" in done.stderr) == (4, False)


def test_import_mall_then_load_what_was_made(tmp_path: Path) -> None:
    rows = "".join(f"{n},{'Male' if n % 2 else 'Female'},{20 + n},{n},{n}\n" for n in range(1, 31))
    (tmp_path / "Mall_Customers.csv").write_text(MALL_HEADER + rows)
    done = run("import", "mall", "made", cwd=tmp_path)  # the file of that name is the default
    assert done.returncode == 0, done.stderr
    assert "Mall_Customers.csv is not the known-good mall table" in done.stderr
    assert "30 rows instead of 200" in done.stderr
    assert "generated" in done.stderr
    loaded = run("load", "made", "--database", "sqlite:///mall.db", cwd=tmp_path)
    assert loaded.returncode == 0, loaded.stderr
    assert "30 added" in loaded.stdout


def test_import_mall_without_the_file(tmp_path: Path) -> None:
    missing = run("import", "mall", "made", cwd=tmp_path)
    assert missing.returncode == 4
    assert "Mall_Customers.csv is not there" in missing.stderr
    assert "Remedy:" in missing.stderr
    assert list(tmp_path.iterdir()) == []
