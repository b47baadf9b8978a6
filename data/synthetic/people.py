"""Who lives in the synthetic world: attributes, tastes and habits, by planted segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.synthetic.catalogue import Catalogue
from data.synthetic.oddities import change_habits, draw_patterns
from data.synthetic.parameters import CATEGORIES, KINDS, SEGMENTS, WorldParameters

CITIES = ("Porto", "Lyon", "Graz", "Ghent", "Turin")
# Within a segment the pace of buying is a gamma of this shape: the textbook's NBD model.
PACE_SHAPE = 1.25
AWAY = 0.2  # share of customers who once buy nothing for some weeks, and come back
# Few are fond of offers, most are not; the figures are means and spreads on the log-odds scale.
FOND, FOND_OF_OFFERS, OTHERS = 0.21, (2.6, 0.5), (-1.3, 0.6)
TYPICAL, UNTYPICAL = 2.0, 0.5  # shapes of the tastes in categories, of the segment and others
NEWCOMER_FROM = 5 / 6  # of the history


@dataclass(frozen=True)
class People:
    """Some customers with everything that drives them; arrays have one row per customer.

    Attributes
    ----------
    table : DataFrame
        The customers table as a company would have it, with attributes missing here and there.
    segment : ndarray of int
        Planted segment, an index into `SEGMENTS`.
    pattern : ndarray of object
        Planted oddity, a key of `oddities.PATTERNS` or an empty string.
    signup_day, last_day : ndarray of float
        Days since the start between which a customer is active.
    away : ndarray of shape (customers, 2)
        Days between which a customer does nothing.
    pace : ndarray of float
        Transactions per ordinary day.
    purse : ndarray of float
        Typical money per transaction.
    taste : ndarray of shape (customers, categories)
        Shares of what is bought; rows add up to one.
    favourites : ndarray of int, shape (customers, categories, FAVOURITES)
        Items that are bought again and again.
    kind_liking : ndarray of shape (customers, kinds)
        Liking of offer kinds, on the log-odds scale.
    coupon : ndarray of float
        Liking of offers as such, on the log-odds scale.
    audience : ndarray of int
        What marketing takes a customer for: young, middle, or older or unknown.
    """

    table: pd.DataFrame
    segment: np.ndarray
    pattern: np.ndarray
    signup_day: np.ndarray
    last_day: np.ndarray
    away: np.ndarray
    pace: np.ndarray
    purse: np.ndarray
    taste: np.ndarray
    favourites: np.ndarray
    kind_liking: np.ndarray
    coupon: np.ndarray
    audience: np.ndarray


def make_people(
    world: WorldParameters, rows: range, catalogue: Catalogue, random: np.random.Generator
) -> People:
    """Draw the customers of some rows."""
    n = len(rows)
    segment = _segments(n, random)

    def planted(name: str) -> np.ndarray:
        values = np.array([getattr(kind, name) for kind in SEGMENTS])
        return np.asarray(values[segment])

    income = np.clip(random.normal(planted("income"), 8.0), 12, 220).round(1)
    score = np.clip(random.normal(planted("score"), 7.0), 1, 99).round()
    age = np.clip(random.normal(planted("age"), 8.0), 18, 85).round()
    gender = np.where(random.random(n) < planted("female"), "Female", "Male")
    newcomer = random.random(n) < world.newcomers
    signup = np.where(
        newcomer,
        random.uniform(world.days * NEWCOMER_FROM, world.days, n),
        np.maximum(0, random.uniform(-2.0, 0.6, n)) * world.days,
    )
    # A person's own pace and purse vary around the segment's; income and score move them too,
    # so that the features of transactions tell the same story as the attributes. Who comes often
    # buys less at a time.
    own = random.standard_gamma(PACE_SHAPE, n) / PACE_SHAPE
    pace = planted("transactions_per_month") / 30.4 * np.maximum(own, 0.01)
    pace *= np.exp(0.012 * (score - planted("score")))
    purse = planted("transaction_value") * random.lognormal(-0.02, 0.25, n)
    purse *= np.exp(0.010 * (income - planted("income"))) * np.clip(own, 0.1, 10) ** -0.45
    away_from = random.uniform(0.1, 0.7, n) * world.days
    away_days = random.uniform(0.1, 0.2, n) * world.days * (random.random(n) < AWAY)
    table = pd.DataFrame(
        {
            "customer_id": [f"c{row:07d}" for row in rows],
            "gender": gender,
            "age": age,
            "annual_income": income,
            "spending_score": score,
            "city": random.choice(CITIES, size=n),
            # Some joined before the history begins; their exact day is then simply its first.
            "signup_at": world.start + pd.to_timedelta((signup * 86400).round(), unit="s"),
        }
    )
    taste, kind_liking = _likings(segment, random)
    habits = {
        "last_day": np.full(n, float(world.days)),
        "pace": pace,
        "purse": purse,
        "coupon": np.where(
            random.random(n) < FOND, random.normal(*FOND_OF_OFFERS, n), random.normal(*OTHERS, n)
        ),
        "score": score,
    }
    pattern = draw_patterns(n, world.odd, newcomer, random)
    change_habits(pattern, habits, signup, world.days, random)
    table["spending_score"] = habits.pop("score")
    for name in ("gender", "age", "annual_income", "spending_score"):
        table[name] = table[name].mask(random.random(n) < world.missing)
    known_age = table["age"].fillna(99).to_numpy()
    return People(
        table=table,
        segment=segment,
        pattern=pattern,
        signup_day=signup,
        away=np.column_stack([away_from, away_from + away_days]),
        taste=taste,
        favourites=catalogue.favourites(n, random),
        kind_liking=kind_liking,
        audience=np.digitize(known_age, (30, 50)),
        **habits,
    )


def _segments(n: int, random: np.random.Generator) -> np.ndarray:
    """Give every segment its share of the rows to the nearest row, and one at least if n allows."""
    shares = np.array([planted.share for planted in SEGMENTS])
    exact = shares / shares.sum() * n
    sizes = np.floor(exact).astype(int)
    sizes[np.argsort(sizes - exact, kind="stable")[: n - sizes.sum()]] += 1
    while n >= len(SEGMENTS) and sizes.min() == 0:
        sizes[sizes.argmin()] += 1
        sizes[sizes.argmax()] -= 1
    return np.asarray(random.permutation(np.repeat(np.arange(len(SEGMENTS)), sizes)))


def _likings(segment: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw tastes in categories and likings of offer kinds around those of the segment."""
    taste_mean = np.full((len(SEGMENTS), len(CATEGORIES)), UNTYPICAL)
    liking = np.zeros((len(SEGMENTS), len(KINDS)))
    for row, kind in enumerate(SEGMENTS):
        taste_mean[row, [CATEGORIES.index(name) for name in kind.tastes]] = TYPICAL
        liking[row, [KINDS.index(name) for name in kind.kinds]] = 0.9
    taste = random.standard_gamma(taste_mean[segment]) + 1e-3
    return (
        taste / taste.sum(axis=1, keepdims=True),
        liking[segment] + random.normal(0, 0.3, (len(segment), len(KINDS))),
    )
