"""What is sold in the synthetic world and who bought it when."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.synthetic.parameters import CATEGORIES, WorldParameters
from data.synthetic.people import People

WEEKDAY_WEIGHT = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.2, 1.3])  # Monday … Sunday
WEEKS_OF_HABIT = 0.55


def make_items(world: WorldParameters, random: np.random.Generator) -> pd.DataFrame:
    """Draw the items: a category, a brand, a merchant and a price each."""
    per = world.items_per_category
    n = per * len(CATEGORIES)
    category = np.repeat(np.arange(len(CATEGORIES)), per)
    return pd.DataFrame(
        {
            "item_id": [f"i{row:05d}" for row in range(n)],
            "category": np.array(CATEGORIES, dtype=object)[category],
            "brand": [f"brand {row}" for row in random.integers(0, 40, n)],
            "merchant": [
                f"{CATEGORIES[kind]} merchant {row}"
                for kind, row in zip(category, random.integers(0, 6, n), strict=True)
            ],
            "price": random.lognormal(3.0, 0.6, n).round(2),
        }
    )


def make_transactions(
    world: WorldParameters, people: People, items: pd.DataFrame, random: np.random.Generator
) -> pd.DataFrame:
    """Draw every transaction line of the history, ordered by time.

    A customer's transactions are a Poisson stream while active; lines follow the customer's tastes,
    popularity within a category is a power law, and a good part of lines are things bought before.
    """
    active = np.clip(people.last_day - people.signup_day, 0, None)
    counts = random.poisson(people.rate * active)
    owner = np.repeat(np.arange(world.customers), counts)
    day = people.signup_day[owner] + random.random(len(owner)) * active[owner]
    day = _towards_weekend(day, world, random)
    hour = np.clip(random.normal(14, 4, len(owner)), 0, 23.99)
    second = (np.floor(day) * 86400 + hour * 3600).round()
    # Nobody buys before they sign up.
    second = np.maximum(second, np.ceil(people.signup_day[owner] * 86400))
    second = np.minimum(second, world.days * 86400 - 1)
    lines = 1 + np.minimum(random.poisson(0.8, len(owner)), 5)
    frame = _lines(owner, second, lines, people, world, random)
    frame = pd.concat([frame, _bursts(world, people, random)], ignore_index=True)
    frame = frame.sort_values(["second", "owner"], kind="stable", ignore_index=True)
    bought = items.iloc[frame["item"].to_numpy()].reset_index(drop=True)
    return pd.DataFrame(
        {
            "customer_id": people.table["customer_id"].to_numpy()[frame["owner"]],
            "occurred_at": world.start + pd.to_timedelta(frame["second"].to_numpy(), unit="s"),
            "amount": frame["amount"].round(2),
            "transaction_id": f"world{world.seed}-t" + frame["basket"].astype(str),
            "item_id": bought["item_id"],
            "category": bought["category"],
            "merchant": bought["merchant"],
            "quantity": frame["quantity"].astype("float64"),
            "channel": np.where(random.random(len(frame)) < 0.4, "online", "store"),
        }
    )


def _towards_weekend(
    day: np.ndarray, world: WorldParameters, random: np.random.Generator
) -> np.ndarray:
    """Move some transactions within their week so that weekdays get their weights."""
    share = WEEKDAY_WEIGHT / WEEKDAY_WEIGHT.sum()
    weekday = random.choice(7, size=len(day), p=share)
    now = (np.floor(day).astype(int) + world.start.day_of_week) % 7
    moved = np.floor(day) + (weekday - now)
    kept = (moved < np.floor(day.min(initial=0))) | (moved >= world.days) | (moved < 0)
    return np.where(kept, day, moved)


def _lines(
    owner: np.ndarray,
    second: np.ndarray,
    lines: np.ndarray,
    people: People,
    world: WorldParameters,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Fill baskets with lines: a category by taste, an item by popularity or by habit."""
    basket = np.repeat(np.arange(len(owner)), lines)
    who = owner[basket]
    per = world.items_per_category
    cumulative = people.taste.cumsum(axis=1)
    category = (random.random(len(who))[:, None] > cumulative[who]).sum(axis=1)
    category = np.minimum(category, len(CATEGORIES) - 1)
    weight = 1.0 / np.arange(1, per + 1) ** 0.9
    rank = random.choice(per, size=len(who), p=weight / weight.sum())
    # Habit: each person has a few favourites per category, found by a fixed mixing of numbers.
    habit = random.random(len(who)) < WEEKS_OF_HABIT
    favourite = (who * 7919 + category * 104729 + random.integers(0, 2, len(who)) * 31) % per
    item = category * per + np.where(habit, favourite, rank)
    value = people.value[who] * random.lognormal(-0.18, 0.6, len(who)) / lines[basket] ** 0.5
    return pd.DataFrame(
        {
            "basket": basket,
            "owner": who,
            "second": second[basket],
            "item": item,
            "quantity": 1 + (random.random(len(who)) < 0.15),
            "amount": np.maximum(value, 0.5),
        }
    )


def _bursts(world: WorldParameters, people: People, random: np.random.Generator) -> pd.DataFrame:
    """Card testing: many tiny payments within an hour, in categories that are not one's own."""
    parts = []
    for row in np.flatnonzero(people.odd == "possible fraud"):
        n = int(random.integers(40, 90))
        latest = max(people.signup_day[row], world.days * 0.7)
        start = random.uniform(people.signup_day[row], latest) * 86400
        parts.append(
            pd.DataFrame(
                {
                    "owner": row,
                    "second": np.minimum(
                        (start + np.sort(random.random(n)) * 3600).round(), world.days * 86400 - 1
                    ),
                    "item": random.integers(0, world.items_per_category * len(CATEGORIES), n),
                    "quantity": 1,
                    "amount": random.uniform(0.5, 2.0, n),
                }
            )
        )
    if not parts:
        columns = ["basket", "owner", "second", "item", "quantity", "amount"]
        return pd.DataFrame(columns=columns, dtype="int64")
    bursts = pd.concat(parts, ignore_index=True)
    bursts["basket"] = 10_000_000 + np.arange(len(bursts))
    return bursts
