"""What is sold in the synthetic world: items, their long tail, weekly prices and demand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.synthetic.parameters import CATEGORIES, DEPARTMENTS, WorldParameters

# A lognormal with this spread has a Gini index of .82; its top fifth holds 85 %.
POPULARITY_SPREAD = 1.9
PROMOTED = 0.22  # share of weeks in which an item is on promotion
DEEPEST = 0.4
# Own-price elasticities are drawn around the mean; what others of the category lose to a
# promotion makes the measured ones smaller than these.
ELASTICITY_MEAN, ELASTICITY_SPREAD = -3.2, 1.9
FAVOURITES = 3
DAYS_PER_WEEK = 7


@dataclass(frozen=True)
class Catalogue:
    """Items in blocks of `per` by category; arrays have one column per item.

    Attributes
    ----------
    table : DataFrame
        The items table.
    per : int
        Items per category.
    price : ndarray of shape (items,)
        List price.
    elasticity : ndarray of shape (items,)
        True own-price elasticity of demand, at most -0.2.
    ratio : ndarray of shape (weeks, items)
        What is paid of the list price in a week.
    pull : ndarray of shape (weeks, items)
        Demand relative to that at list price, ``ratio ** elasticity``.
    share : ndarray of shape (items,)
        Share of an item in the purchases of its category at list prices.
    """

    table: pd.DataFrame
    per: int
    price: np.ndarray
    elasticity: np.ndarray
    ratio: np.ndarray
    pull: np.ndarray
    share: np.ndarray

    def draw(
        self, category: np.ndarray, week: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        """Draw an item per (category, week) by popularity at that week's prices."""
        weeks = len(self.pull)
        demand = (self.share * self.pull).reshape(weeks * len(CATEGORIES), self.per)
        drawn = _draw(demand, week * len(CATEGORIES) + category, random)
        return np.asarray(drawn + category * self.per)

    def favourites(self, people: int, random: np.random.Generator) -> np.ndarray:
        """Draw each person's usual items, shape (people, categories, FAVOURITES)."""
        shape = (people, len(CATEGORIES), FAVOURITES)
        category = np.broadcast_to(np.arange(len(CATEGORIES))[:, None], shape)
        drawn = _draw(self.share.reshape(-1, self.per), category.ravel(), random)
        return (drawn + category.ravel() * self.per).reshape(shape).astype(np.int32)


def make_catalogue(world: WorldParameters, random: np.random.Generator) -> Catalogue:
    """Draw the items."""
    per = world.items_per_category
    n = per * len(CATEGORIES)
    category = np.repeat(np.arange(len(CATEGORIES)), per)
    price = random.lognormal(3.0, 0.6, n).round(2)
    weight = random.lognormal(0.0, POPULARITY_SPREAD, n).reshape(-1, per)
    elasticity = np.minimum(random.normal(ELASTICITY_MEAN, ELASTICITY_SPREAD, n), -0.2)
    weeks = -(-world.days // DAYS_PER_WEEK)
    promoted = random.random((weeks, n)) < PROMOTED
    ratio = np.where(promoted, 1 - random.uniform(0.05, DEEPEST, (weeks, n)).round(2), 1.0)
    merchants = random.integers(0, max(6, per // 10), n)
    names = np.array(CATEGORIES, dtype=object)[category]
    table = pd.DataFrame(
        {
            "item_id": [f"i{row:05d}" for row in range(n)],
            "category": names,
            "department": np.repeat(list(DEPARTMENTS), 2 * per),
            "brand": [f"brand {row}" for row in random.integers(0, 40, n)],
            "merchant": [f"{name} merchant {m}" for name, m in zip(names, merchants, strict=True)],
            "price": price,
        }
    )
    return Catalogue(
        table=table,
        per=per,
        price=price,
        elasticity=elasticity,
        ratio=ratio,
        pull=ratio**elasticity,
        share=(weight / weight.sum(axis=1, keepdims=True)).ravel(),
    )


def _draw(weights: np.ndarray, row: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw a column of `weights` for each of `row`, by inversion of all rows laid end to end."""
    total = weights.cumsum(axis=1)
    edges = (total / total[:, -1:] + np.arange(len(weights))[:, None]).ravel()
    at = np.searchsorted(edges, row + random.random(len(row)), side="right")
    return np.asarray(np.minimum(at - row * weights.shape[1], weights.shape[1] - 1))
