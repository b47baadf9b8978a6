"""When things happen in the synthetic world: weekdays, Christmas, and people's absences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.synthetic.parameters import WorldParameters
from data.synthetic.people import People

WEEKDAY = np.array([1.0, 0.94, 0.93, 0.94, 0.97, 1.13, 1.27])  # Monday … Sunday
CHRISTMAS = 1.34  # 18 to 24 December
QUIET = {(12, 25): 0.3, (12, 26): 0.75, (1, 1): 0.6}


def intensity(world: WorldParameters) -> np.ndarray:
    """Return how lively each day is; an ordinary one has 1."""
    days = pd.date_range(world.start, periods=world.days, freq="D")
    level = WEEKDAY[days.day_of_week]
    month, day = days.month.to_numpy(), days.day.to_numpy()
    level = np.where((month == 12) & (day >= 18) & (day <= 24), CHRISTMAS * level, level)
    for (in_month, on_day), factor in QUIET.items():
        level = np.where((month == in_month) & (day == on_day), factor * level, level)
    return np.asarray(level)


def draw_moments(
    per_day: np.ndarray,
    people: People,
    level: np.ndarray,
    random: np.random.Generator,
    hours: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Draw events of a Poisson stream per customer, between sign-up and last day, not when away.

    Parameters
    ----------
    per_day : ndarray of shape (customers,)
        Events per ordinary day.
    level : ndarray of shape (days,)
        How lively each day is.
    hours : tuple of float
        Mean and standard deviation of the hour of the day.

    Returns
    -------
    owner, second : ndarray
        Row of the customer and whole seconds since the start, by customer and in no order of time.
    """
    mass = np.concatenate([[0.0], level.cumsum()])
    edges = np.arange(len(mass), dtype=np.float64)
    begin = np.interp(people.signup_day, edges, mass)
    end = np.interp(np.maximum(people.last_day, people.signup_day), edges, mass)
    owner = np.repeat(np.arange(len(begin)), random.poisson(per_day * (end - begin)))
    spot = begin[owner] + random.random(len(owner)) * (end - begin)[owner]
    day = np.floor(np.interp(spot, mass, edges))
    hour = np.clip(random.normal(*hours, len(owner)), 0, 23.99)
    # Nobody does anything before they sign up.
    second = np.maximum(
        (day * 86400 + hour * 3600).round(), np.ceil(people.signup_day[owner] * 86400)
    )
    second = np.minimum(second, len(level) * 86400 - 1)
    away = people.away[owner] * 86400
    here = (second < away[:, 0]) | (second >= away[:, 1])
    return owner[here], second[here].astype(np.int64)
