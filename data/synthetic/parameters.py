"""What can be set about the synthetic world, and the people planted in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import pandas as pd

from data.errors import UsageError

# What is sold, by department.
DEPARTMENTS: Mapping[str, tuple[str, str]] = {
    "food": ("groceries", "drinks"),
    "dining": ("restaurants", "takeaway"),
    "clothing": ("fashion", "shoes"),
    "technology": ("electronics", "computing"),
    "holidays": ("travel", "hotels"),
    "wellbeing": ("health", "pharmacy"),
    "living": ("home", "garden"),
    "leisure": ("sports", "outdoor"),
    "care": ("beauty", "perfume"),
    "entertainment": ("streaming", "games"),
    "mobility": ("fuel", "car"),
    "finance": ("insurance", "savings"),
}
CATEGORIES = tuple(name for pair in DEPARTMENTS.values() for name in pair)
KINDS = ("cashback", "discount", "fee waiver", "instalments", "partner reward")


@dataclass(frozen=True)
class PlantedSegment:
    """One planted segment: its share, the means of its people's attributes, what they like."""

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


# The five groups of the public mall table, with what such people plausibly buy and like, and a
# sixth that is small: rich customers of whom there are few.
SEGMENTS = (
    PlantedSegment(
        "standard", 0.375, 55, 50, 43, 0.58, 4.0, 38,
        ("groceries", "drinks", "home", "garden", "health"), ("cashback", "discount"),
    ),
    PlantedSegment(
        "affluent spenders", 0.195, 87, 82, 33, 0.54, 5.2, 75,
        ("travel", "hotels", "restaurants", "fashion", "electronics", "perfume"),
        ("partner reward", "cashback"),
    ),
    PlantedSegment(
        "affluent savers", 0.175, 88, 17, 41, 0.46, 2.4, 62,
        ("insurance", "savings", "computing", "home", "car"), ("fee waiver", "instalments"),
    ),
    PlantedSegment(
        "young spenders", 0.13, 26, 79, 25, 0.59, 5.9, 26,
        ("fashion", "shoes", "streaming", "games", "beauty", "takeaway", "sports"),
        ("discount", "instalments"),
    ),
    PlantedSegment(
        "thrifty", 0.11, 26, 21, 45, 0.61, 2.8, 23,
        ("groceries", "fuel", "pharmacy", "outdoor"), ("discount", "fee waiver"),
    ),
    PlantedSegment(
        "private clients", 0.015, 165, 55, 56, 0.45, 4.3, 190,
        ("travel", "hotels", "insurance", "savings", "restaurants"),
        ("partner reward", "fee waiver"),
    ),
)  # fmt: skip

LIMITS = {
    "customers": (1, 10_000_000),
    "offers": (1, 100_000),
    "days": (1, 36_500),
    "seed": (0, 2**63 - 1),
    "items_per_category": (1, 100_000),
    "slate": (1, 50),
    "newcomers": (0, 1),
    "missing": (0, 1),
    "odd": (0, 0.5),
}
# Half a year that ends with Christmas.
START = pd.Timestamp("2025-07-05", tz="UTC")


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
        First moment of the history (UTC midnight).
    newcomers : float
        Share of customers who sign up in the last sixth of the history.
    missing : float
        Share of each customer attribute that is not known.
    odd : float
        Share of customers with a planted anomaly.
    slate : int
        Offers shown at a visit.

    Raises
    ------
    UsageError
        A value is outside `LIMITS`, or the customers are too few for the planted segments.
    """

    customers: int = 2000
    offers: int = 150
    days: int = 180
    seed: int = 0
    items_per_category: int = 20
    start: pd.Timestamp = START
    newcomers: float = 0.14
    missing: float = 0.03
    odd: float = 0.03
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

    def as_texts(self) -> dict[str, str]:
        """Return every parameter as text, for the record that lies beside the truth."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> WorldParameters:
        """Read what `as_texts` wrote."""
        readers = {"start": pd.Timestamp, "newcomers": float, "missing": float, "odd": float}
        return cls(**{name: readers.get(name, int)(text) for name, text in texts.items()})


PRESETS: Mapping[str, WorldParameters] = {
    "small": WorldParameters(),
    "medium": WorldParameters(
        customers=100_000, offers=500, days=365, items_per_category=150,
        start=pd.Timestamp("2025-01-01", tz="UTC"),
    ),
    "large": WorldParameters(
        customers=1_000_000, offers=5000, days=400, items_per_category=500,
        start=pd.Timestamp("2024-11-27", tz="UTC"),
    ),
}  # fmt: skip
