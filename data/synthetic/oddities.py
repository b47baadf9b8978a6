"""Planted anomalies: who is odd, in which way, and what that does to habits and transactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.synthetic.catalogue import Catalogue
from data.synthetic.parameters import CATEGORIES

FRAUD, VIP, AT_RISK, UNUSUAL = "possible fraud", "vip", "at risk", "unusual"
CARD_TESTING, TAKEOVER, ABUSE, BROKEN, RICH, LEAVING = (
    "card testing",
    "account takeover",
    "discount abuse",
    "broken relation",
    "vip",
    "drifting away",
)
# Each pattern with the alarm it should raise and its share of all planted anomalies.
PATTERNS: Mapping[str, tuple[str, float]] = {
    CARD_TESTING: (FRAUD, 0.15),
    TAKEOVER: (FRAUD, 0.15),
    ABUSE: (FRAUD, 0.1),
    BROKEN: (UNUSUAL, 0.1),
    RICH: (VIP, 0.25),
    LEAVING: (AT_RISK, 0.25),
}


@dataclass(frozen=True)
class Burst:
    """Transactions of a pattern: how many, within how many days, of what, worth how much.

    `worth` is in money, or in the customer's usual transactions if `in_purses`; `paid` is the share
    of it that is paid.
    """

    lines: tuple[int, int]
    days: float
    categories: tuple[str, ...]
    worth: tuple[float, float]
    in_purses: bool
    paid: float = 1.0


BURSTS: Mapping[str, Burst] = {
    # Many tiny payments within an hour, anywhere.
    CARD_TESTING: Burst((40, 90), 1 / 24, CATEGORIES, (0.5, 2.0), in_purses=False),
    # A stranger buys dear things for two days.
    TAKEOVER: Burst((8, 20), 2.0, ("electronics", "travel"), (5.0, 12.0), in_purses=True),
    # A flood of purchases that are nearly given away.
    ABUSE: Burst((30, 70), 7.0, CATEGORIES, (0.3, 1.2), in_purses=True, paid=0.35),
}
# The habits that those must have who are to be seen leaving, in transactions per day.
LIVELY = 0.15


def draw_patterns(
    n: int, share: float, newcomer: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Draw who is odd and how; an empty string for most. Newcomers cannot be leaving yet."""
    pattern = np.full(n, "", dtype=object)
    drawn = random.random(n) < share
    names = np.array(list(PATTERNS), dtype=object)
    weights = np.array([weight for _, weight in PATTERNS.values()])
    pattern[drawn] = random.choice(names, size=int(drawn.sum()), p=weights / weights.sum())
    pattern[newcomer & (pattern == LEAVING)] = ""
    return pattern


def change_habits(
    pattern: np.ndarray,
    habits: dict[str, np.ndarray],
    signup: np.ndarray,
    days: int,
    random: np.random.Generator,
) -> None:
    """Change the habits of the odd in place: last_day, pace, purse, coupon and score."""
    leaving, rich, broken = pattern == LEAVING, pattern == RICH, pattern == BROKEN
    some = int(leaving.sum())
    habits["last_day"][leaving] = np.maximum(
        signup[leaving], days * random.uniform(0.55, 0.75, some)
    )
    habits["pace"][leaving] = np.maximum(2 * habits["pace"][leaving], LIVELY)
    habits["pace"][rich] = 2.5 * np.maximum(habits["pace"][rich], LIVELY)
    habits["purse"][rich] *= 5.0
    habits["coupon"][pattern == ABUSE] += 3.0
    # A top score without the purchases that would earn it.
    habits["score"][broken] = random.integers(93, 100, int(broken.sum()))
    habits["pace"][broken] *= 0.25
    habits["purse"][broken] *= 0.2


def odd_lines(
    pattern: np.ndarray,
    signup: np.ndarray,
    purse: np.ndarray,
    days: int,
    catalogue: Catalogue,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Draw the transactions that only anomalies make.

    Returns
    -------
    DataFrame
        owner (row), second, item, paid (share of the list amount), amount (money at list price)
        and pattern; each line is a transaction of its own.
    """
    parts = []
    for name, burst in BURSTS.items():
        for row in np.flatnonzero(pattern == name):
            n = int(random.integers(*burst.lines))
            latest = max(signup[row], days * 0.95 - burst.days)
            day = random.uniform(signup[row], latest) + random.random(n) * burst.days
            category = random.choice([CATEGORIES.index(one) for one in burst.categories], n)
            worth = random.uniform(*burst.worth, n)
            parts.append(
                pd.DataFrame(
                    {
                        "owner": row,
                        "second": np.minimum((day * 86400).round(), days * 86400 - 1),
                        "item": category * catalogue.per + random.integers(0, catalogue.per, n),
                        "paid": burst.paid,
                        "amount": worth * (purse[row] if burst.in_purses else 1.0),
                        "pattern": name,
                    }
                )
            )
    if not parts:
        return pd.DataFrame(columns=["owner", "second", "item", "paid", "amount", "pattern"])
    return pd.concat(parts, ignore_index=True)
