"""How fast what is taken moves on is told by how well the past was foretold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from recommender.features.history import HALF_LIFE
from recommender.fitting.pace import Pace, pace_of
from recommender.fitting.showings import Showings
from recommender.fitting.trend import Takings
from segmentation.features import DAY

OFFERS, DAYS = 60, 180


def takings(day: np.ndarray, offer: np.ndarray, owner: np.ndarray) -> Takings:
    order = np.argsort(day, kind="stable")
    never = np.full(OFFERS, np.inf)
    return Takings(offer[order], owner[order], day[order] * DAY, -never, never)


def moving(random: np.random.Generator, n: int, lasts: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw days and offers of which each is in fashion for some days in turn."""
    day = random.uniform(0, DAYS, n)
    now = (day / lasts).astype(int) % OFFERS
    usual = random.integers(0, OFFERS, n)
    return day, np.where(random.random(n) < 0.8, now, usual)


def test_what_moves_on_fast_is_remembered_for_days() -> None:
    random = np.random.default_rng(0)
    day, offer = moving(random, 8000, lasts=12.0)
    found = pace_of(takings(day, offer, random.integers(0, 8000, 8000)), DAYS * DAY)
    assert found == Pace(3 * DAY, for_newcomers=True)


def test_what_stays_as_it_is_keeps_the_usual_pace() -> None:
    random = np.random.default_rng(0)
    offer = np.minimum(random.geometric(0.1, 8000), OFFERS) - 1
    owner = random.integers(0, 2000, 8000)
    found = pace_of(takings(random.uniform(0, DAYS, 8000), offer, owner), DAYS * DAY)
    assert found.half_life >= HALF_LIFE
    assert not found.for_newcomers


def test_few_newcomers_follow_where_it_is_clear_that_they_do() -> None:
    random = np.random.default_rng(0)
    day, offer = moving(random, 8000, lasts=12.0)
    # Some come later, and half of them go by what everybody takes just then.
    late = 200
    late_day, late_offer = moving(random, late, lasts=12.0)
    usual = random.integers(0, OFFERS, late)
    late_offer = np.where(random.random(late) < 0.5, late_offer, usual)
    owner = np.concatenate([random.integers(0, 300, 8000), 300 + np.arange(late)])
    both = np.concatenate([day, late_day]), np.concatenate([offer, late_offer]), owner
    assert pace_of(takings(*both), DAYS * DAY).for_newcomers


def test_newcomers_who_take_other_things_do_not_follow() -> None:
    random = np.random.default_rng(0)
    day, offer = moving(random, 8000, lasts=12.0)
    owner = random.integers(0, 500, 8000)
    # Who comes for the first time takes what has always been taken.
    first = pd.Series(day).groupby(owner).rank().to_numpy() == 1
    late = np.arange(500, 4500)
    day = np.concatenate([day[~first], random.uniform(60, DAYS, len(late))])
    offer = np.concatenate([offer[~first], random.integers(0, OFFERS, len(late))])
    found = pace_of(takings(day, offer, np.concatenate([owner[~first], late])), DAYS * DAY)
    assert not found.for_newcomers
    assert found.half_life < HALF_LIFE


def test_what_is_shown_more_for_some_days_is_not_what_moves_on() -> None:
    random = np.random.default_rng(0)
    day, offer = moving(random, 8000, lasts=12.0)
    owner = random.integers(0, 8000, 8000)
    shown = Showings.gather(offer, day * DAY, np.ones(8000), OFFERS)
    taken = random.random(8000) < 0.3
    likes = takings(day[taken], offer[taken], owner[taken])
    assert pace_of(likes, DAYS * DAY).half_life == 3 * DAY
    assert pace_of(replace(likes, shown=shown), DAYS * DAY).half_life >= HALF_LIFE
    evenly = np.repeat(np.arange(OFFERS), 400), np.tile(np.linspace(0, DAYS, 400), OFFERS) * DAY
    shown = Showings.gather(*evenly, np.ones(OFFERS * 400), OFFERS)
    assert pace_of(replace(likes, shown=shown), DAYS * DAY).half_life == 3 * DAY


def test_without_a_past_it_is_the_usual() -> None:
    none = np.empty(0)
    assert pace_of(takings(none, none.astype(int), none.astype(int)), DAYS * DAY) == Pace()
    once = np.array([DAYS - 1.0])
    assert pace_of(takings(once, np.array([3]), np.array([0])), DAYS * DAY) == Pace()


def test_what_is_over_is_not_foretold() -> None:
    random = np.random.default_rng(0)
    day, offer = moving(random, 8000, lasts=12.0)
    one = takings(day, offer, random.integers(0, 8000, 8000))
    over = one.end.copy()
    over[0] = 20 * DAY
    kept = one.offer != 0
    gone = Takings(one.offer[kept], one.owner[kept], one.when[kept], one.begin, over)
    assert pace_of(gone, DAYS * DAY).half_life == 3 * DAY
