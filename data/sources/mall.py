"""The mall table: 200 customers, with transactions drawn so that they agree with it.

The table has no transactions; the six features of the mission need some. They are generated
conditional on income and spending score: drawn independently they would destroy the very segments.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.errors import DataError
from data.ingest import Intake, read_table
from data.schema import AGE, ANNUAL_INCOME, CUSTOMER_ID, CUSTOMERS, GENDER, SPENDING_SCORE
from data.words import counted

SHA256 = "194975e1f84d29ee7a99ca72bc14dcd55af355384f35171ef7e9e053ac7f6612"
ROWS = 200
MEANS = {AGE: 38.85, ANNUAL_INCOME: 60.56, SPENDING_SCORE: 50.20}
WOMEN = 112
END = pd.Timestamp("2025-01-01", tz="UTC")
DAYS = 365


@dataclass(frozen=True)
class MallTable:
    """The table as read, whether it is the known-good file, and what differs if not."""

    intake: Intake
    known_good: bool
    differences: tuple[str, ...]


def read_mall(path: Path, *, max_bad: float, seed: int = 0) -> MallTable:
    """Read a Mall_Customers.csv and add transactions.

    Parameters
    ----------
    path : Path
        The file; any file with its columns is accepted.
    max_bad : float
        Largest share of rows that may be rejected.
    seed : int
        Seed of the generated transactions.

    Raises
    ------
    DataError
        The file is missing, unreadable, lacks the customer id or is too bad.
    """
    checked = read_table(path, CUSTOMERS)
    checked.refuse_too_bad(path.name, max_bad)
    known_good = hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    customers = checked.frame
    if customers.empty:
        raise DataError(f"{path.name}: has a header but no customers.", "Give it rows.")
    intake = Intake.of({CUSTOMERS.name: checked})
    tables = {"customers": customers, "transactions": _transactions(customers, seed)}
    intake.dataset = Dataset.of(tables)
    return MallTable(intake, known_good, () if known_good else _differences(customers))


def _differences(customers: pd.DataFrame) -> tuple[str, ...]:
    """Name what differs from the known-good table."""
    found = []
    if len(customers) != ROWS:
        found.append(f"{counted(len(customers), 'row')} instead of {ROWS}")
    for name, mean in MEANS.items():
        here = customers[name].mean()
        if pd.isna(here):
            found.append(f"no values in {name}")
        elif abs(here - mean) > 0.005:
            found.append(f"mean {name} {here:.2f} instead of {mean:.2f}")
    women = int((customers[GENDER] == "Female").sum())
    if women != WOMEN:
        found.append(f"{women} Female instead of {WOMEN}")
    return tuple(found) or ("the same figures, but other bytes (order, spelling or line ends)",)


def _transactions(customers: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw a year of transactions: the score sets how often, income and score how much."""
    random = np.random.default_rng(seed)
    income = customers[ANNUAL_INCOME].fillna(customers[ANNUAL_INCOME].median()).fillna(60.0)
    score = customers[SPENDING_SCORE].fillna(customers[SPENDING_SCORE].median()).fillna(50.0)
    rich = (income.to_numpy() - 60.0) / 26.0
    keen = (score.to_numpy() - 50.0) / 26.0
    n = len(customers)
    yearly = np.exp(3.2 + 0.55 * keen + 0.10 * rich + random.normal(0, 0.15, n))
    typical = np.exp(3.5 + 0.35 * rich + 0.15 * keen + random.normal(0, 0.12, n))
    counts = np.maximum(1, random.poisson(yearly))
    owner = np.repeat(np.arange(n), counts)
    second = random.integers(0, DAYS * 86400, len(owner))
    order = np.lexsort((owner, second))
    owner, second = owner[order], second[order]
    amount = typical[owner] * random.lognormal(-0.125, 0.5, len(owner))
    start = END - pd.Timedelta(days=DAYS)
    return pd.DataFrame(
        {
            CUSTOMER_ID: customers[CUSTOMER_ID].to_numpy()[owner],
            "occurred_at": start + pd.to_timedelta(second, unit="s"),
            "amount": amount.round(2),
            "transaction_id": [f"t{row}" for row in range(len(owner))],
        }
    )
