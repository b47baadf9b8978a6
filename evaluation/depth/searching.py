"""Every baseline's search: the same number of tries, judged by the same customers in the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evaluation.depth.board import Board
from evaluation.depth.rivals import (
    Fit,
    fit_autoencoder,
    fit_factors,
    fit_frequency,
    fit_neighbours,
    fit_popularity,
    fit_segment,
)

TRIES = 8
CLICKS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0)  # what a click counts beside a redemption
HALF_LIVES = (7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0, 3650.0)  # days


@dataclass(frozen=True)
class Rival:
    """A baseline: how it is fitted, what it begins with, and what is tried."""

    fit: Fit
    default: Mapping[str, float]
    choices: Mapping[str, tuple[float, ...]]


RIVALS: Mapping[str, Rival] = {
    "most popular": Rival(fit_popularity, {"click": 0.2}, {"click": CLICKS}),
    "recently popular": Rival(
        fit_popularity,
        {"half_life": 90.0, "click": 0.2},
        {"half_life": HALF_LIVES, "click": (0.0, 0.2, 1.0)},
    ),
    "popular in segment": Rival(
        fit_segment,
        {"shrinkage": 30.0, "half_life": 3650.0},
        {"shrinkage": (1.0, 3.0, 10.0, 30.0, 100.0), "half_life": (14.0, 30.0, 90.0, 3650.0)},
    ),
    "personal frequency": Rival(
        fit_frequency,
        {"half_life": 90.0, "click": 0.2},
        {"half_life": HALF_LIVES, "click": (0.0, 0.2, 1.0)},
    ),
    "item neighbours": Rival(
        fit_neighbours,
        {"neighbours": 100.0, "shrink": 10.0},
        {"neighbours": (20.0, 50.0, 100.0, 200.0), "shrink": (0.0, 10.0, 30.0, 100.0, 300.0)},
    ),
    "ALS": Rival(
        fit_factors,
        {"factors": 32.0, "regularization": 10.0, "alpha": 1.0},
        {
            "factors": (8.0, 16.0, 32.0, 64.0),
            "regularization": (1.0, 3.0, 10.0, 30.0),
            "alpha": (1.0, 3.0, 10.0, 30.0),
        },
    ),
    "autoencoder": Rival(
        fit_autoencoder,
        {"dropout": 0.33, "penalty": 1.0, "exponent": 0.5},
        {
            "dropout": (0.1, 0.2, 0.33, 0.5),
            "penalty": (0.1, 0.3, 1.0, 3.0, 10.0),
            "exponent": (0.0, 0.25, 0.5, 0.75),
        },
    ),
}


@dataclass(frozen=True)
class Tuned:
    """What the search of a baseline found.

    Attributes
    ----------
    chosen : mapping of str to float
        The parameters it is measured with.
    value : float
        Their mean NDCG@10 on the past moments; NaN where there is none to tune on.
    tries : tuple of (mapping, float)
        Every try with its value, the default first.
    seconds : float
        Of tuning, fitting and listing.
    """

    chosen: Mapping[str, float]
    value: float
    tries: tuple[tuple[Mapping[str, float], float], ...]
    seconds: float = 0.0


def search(rival: Rival, past: list[Board], tries: int, seed: int) -> Tuned:
    """Try a baseline's default and settings drawn at random (Bergstra & Bengio 2012)."""
    found = []
    for settings in draw(rival, tries, seed):
        values = [board.judge(rival.fit(board.past, settings, seed)) for board in past]
        joined = np.concatenate(values) if values else np.empty(0)
        found.append((settings, float(joined.mean()) if len(joined) else float("nan")))
        if not len(joined):
            break
    # The first of the best: equal values leave the default.
    best = max(range(len(found)), key=lambda number: (np.nan_to_num(found[number][1]), -number))
    return Tuned(found[best][0], found[best][1], tuple(found))


def draw(rival: Rival, tries: int, seed: int) -> list[Mapping[str, float]]:
    """Draw different settings, the default first; fewer where there are not so many."""
    random = np.random.default_rng(seed)
    possible = int(np.prod([len(values) for values in rival.choices.values()]))
    settings: list[Mapping[str, float]] = [dict(rival.default)]
    for number in random.permutation(possible).tolist():
        one: dict[str, float] = {}
        for name, values in rival.choices.items():
            number, place = divmod(number, len(values))
            one[name] = values[place]
        if len(settings) < tries and one not in settings:
            settings.append(one)
    return settings
