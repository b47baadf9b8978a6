"""What can be set about the synthetic world."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from data.errors import UsageError

CATEGORIES = (
    "groceries",
    "restaurants",
    "fashion",
    "electronics",
    "travel",
    "health",
    "home",
    "sports",
    "beauty",
    "streaming",
    "fuel",
    "insurance",
)
KINDS = ("cashback", "discount", "fee waiver", "instalments", "partner reward")


@dataclass(frozen=True)
class PlantedSegment:
    """One planted segment: its share, and the means of its people's attributes."""

    name: str
    share: float
    income: float
    score: float
    age: float
    female: float
    transactions_per_month: float
    transaction_value: float
    tastes: tuple[str, ...]
    kinds: tuple[str, ...]


# The five groups of the public mall table, with what such people plausibly buy and like.
SEGMENTS = (
    PlantedSegment(
        "standard", 0.38, 55, 50, 43, 0.58, 5.0, 38,
        ("groceries", "home", "health"), ("cashback", "discount"),
    ),
    PlantedSegment(
        "affluent spenders", 0.2, 87, 82, 33, 0.54, 8.0, 75,
        ("travel", "restaurants", "fashion", "electronics"), ("partner reward", "cashback"),
    ),
    PlantedSegment(
        "affluent savers", 0.18, 88, 17, 41, 0.46, 2.5, 62,
        ("insurance", "electronics", "home"), ("fee waiver", "instalments"),
    ),
    PlantedSegment(
        "young spenders", 0.13, 26, 79, 25, 0.59, 9.0, 24,
        ("fashion", "streaming", "beauty", "sports"), ("discount", "instalments"),
    ),
    PlantedSegment(
        "thrifty", 0.11, 26, 21, 45, 0.61, 2.8, 21,
        ("groceries", "fuel", "health"), ("discount", "fee waiver"),
    ),
)  # fmt: skip


LIMITS = {
    "customers": (1, 10_000_000),
    "offers": (1, 100_000),
    "days": (1, 36_500),
    "seed": (0, 2**63),
    "items_per_category": (1, 100_000),
    "slate": (1, 1000),
    "newcomers": (0, 1),
    "missing": (0, 1),
}
START = pd.Timestamp("2025-01-01", tz="UTC")


@dataclass(frozen=True)
class WorldParameters:
    """Size and habits of the world.

    Attributes
    ----------
    customers, offers, days, seed : int
        How many of each, the length of the history, and the only source of chance.
    items_per_category : int
        Items that can be bought in each category.
    start : Timestamp
        First moment of the history (UTC).
    newcomers : float
        Share of customers who sign up in the last sixth of the history.
    missing : float
        Share of each customer attribute that is not known.
    slate : int
        Offers shown at a visit.
    """

    customers: int = 2000
    offers: int = 150
    days: int = 180
    seed: int = 0
    items_per_category: int = 30
    start: pd.Timestamp = START
    newcomers: float = 0.14
    missing: float = 0.03
    slate: int = 5

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            if not least <= getattr(self, name) <= most:
                raise UsageError(
                    f"A world needs {name} from {least} to {most}, not {getattr(self, name)}.",
                    f"Give --{name} within these bounds.",
                )
        if self.customers < len(SEGMENTS):
            raise UsageError(
                f"{self.customers} customers cannot fill {len(SEGMENTS)} planted segments.",
                f"Give --customers {len(SEGMENTS)} or more.",
            )

    @property
    def end(self) -> pd.Timestamp:
        """The moment at which the history ends."""
        return self.start + pd.Timedelta(days=self.days)
