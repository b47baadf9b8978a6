"""How real a dataset looks: its figures beside those of a real retailer.

The references were measured on the Complete Journey (84.51°, CC0): a year of 2,469 households of a
grocery chain. A figure that a dataset has no rows for is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data.dataset import Dataset
from data.realism_figures import MEASURES

NEAR = 0.15
STEPS = len(MEASURES)
REFERENCES = {
    "item popularity, Gini": 0.81,
    "item popularity, share of the top fifth": 0.86,
    "redemptions per offer, Gini": 0.79,
    "offers never redeemed": 0.50,
    "spend per customer, Gini": 0.515,
    "baskets a year, median": 43.0,
    "baskets a year, 5th percentile": 5.0,
    "baskets a year, 95th percentile": 183.0,
    "basket value, log standard deviation": 1.27,
    "days between baskets, median": 2.8,
    "days between baskets, 90th percentile": 12.8,
    "spend on a Sunday ÷ on another day": 1.30,
    "spend in Christmas week ÷ before": 1.34,
    "category bought again within 28 days": 0.52,
    "price elasticity, median": -2.1,
    "price elasticity, lower quartile": -3.2,
    "price elasticity, upper quartile": -1.1,
    "redeemed, of those reached by a campaign": 0.12,
    "redeemed, of those reached, type A": 0.166,
    "redeemed, of those reached, type B": 0.065,
    "redeemed, of those reached, type C": 0.059,
    "redeems again, if redeemed last time": 0.50,
    "redeems again, if not": 0.115,
    "clicks on top ÷ at the other places": 2.0,
}


@dataclass(frozen=True)
class Figure:
    """One figure of a dataset beside the reference.

    Attributes
    ----------
    name : str
    reference : float
        Measured on the real data; the middle where it is a range.
    found : float
        NaN where the dataset cannot tell.
    """

    name: str
    reference: float
    found: float

    @property
    def deviation(self) -> float:
        """Relative difference from the reference."""
        return self.found / self.reference - 1

    @property
    def is_near(self) -> bool:
        """Whether the figure is within `NEAR` of the reference."""
        return bool(abs(self.deviation) <= NEAR)


def measure_realism(
    dataset: Dataset, on_step: Callable[[str], None] = lambda _: None
) -> list[Figure]:
    """Measure every figure; `on_step` is told each of the `STEPS` steps.

    Returns
    -------
    list of Figure
        In a fixed order; NaN is found where the rows for a figure are not there.
    """
    found: dict[str, float] = {}
    for measure in MEASURES:
        on_step(measure.__name__.strip("_").replace("_", " "))
        found |= measure(dataset)
    return [Figure(name, value, found.get(name, np.nan)) for name, value in REFERENCES.items()]
