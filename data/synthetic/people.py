"""Who lives in the synthetic world: attributes, tastes and habits, by planted segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.synthetic.parameters import CATEGORIES, KINDS, SEGMENTS, WorldParameters

CITIES = ("Porto", "Lyon", "Graz", "Ghent", "Turin")
ODD_SHARE = 0.03
ODD_KINDS = ("possible fraud", "vip", "at risk")


@dataclass(frozen=True)
class People:
    """The customers with everything that drives them; arrays have one row per customer.

    Attributes
    ----------
    table : DataFrame
        The customers table as a company would have it, with attributes missing here and there.
    segment : ndarray of int
        Planted segment, an index into `SEGMENTS`.
    odd : ndarray of object
        Planted oddity, one of `ODD_KINDS` or an empty string.
    signup_day, last_day : ndarray of float
        Days since the start between which a customer is active.
    rate : ndarray of float
        Transactions per day.
    value : ndarray of float
        Typical money per transaction.
    taste : ndarray of shape (customers, categories)
        Shares of what is bought; rows add up to one.
    kind_liking : ndarray of shape (customers, kinds)
        Liking of offer kinds, on the log-odds scale.
    """

    table: pd.DataFrame
    segment: np.ndarray
    odd: np.ndarray
    signup_day: np.ndarray
    last_day: np.ndarray
    rate: np.ndarray
    value: np.ndarray
    taste: np.ndarray
    kind_liking: np.ndarray


def make_people(world: WorldParameters, random: np.random.Generator) -> People:
    """Draw the customers."""
    n = world.customers
    shares = np.array([planted.share for planted in SEGMENTS])
    segment = random.choice(len(SEGMENTS), size=n, p=shares / shares.sum())
    segment[: len(SEGMENTS)] = np.arange(len(SEGMENTS))  # none may be empty in a small world

    def planted(name: str) -> np.ndarray:
        return np.array([getattr(kind, name) for kind in SEGMENTS])[segment]

    income = np.clip(random.normal(planted("income"), 8.0), 12, 160).round(1)
    score = np.clip(random.normal(planted("score"), 7.0), 1, 99).round()
    age = np.clip(random.normal(planted("age"), 8.0), 18, 85).round()
    gender = np.where(random.random(n) < planted("female"), "Female", "Male")
    newcomer = random.random(n) < world.newcomers
    signup = np.where(
        newcomer,
        random.uniform(world.days * 5 / 6, world.days, n),
        np.maximum(0, random.uniform(-2.0, 0.6, n)) * world.days,
    )
    odd = np.full(n, "", dtype=object)
    drawn = random.random(n) < ODD_SHARE
    odd[drawn] = random.choice(np.array(ODD_KINDS, dtype=object), size=int(drawn.sum()))
    odd[newcomer & (odd == "at risk")] = ""
    last = np.full(n, float(world.days))
    leaving = odd == "at risk"
    last[leaving] = np.maximum(
        signup[leaving], world.days * random.uniform(0.55, 0.7, int(leaving.sum()))
    )
    # A person's own pace and purse vary around the segment's; income and score move them too,
    # so that the features of transactions tell the same story as the attributes.
    rate = planted("transactions_per_month") / 30.4 * random.lognormal(-0.06, 0.35, n)
    rate *= np.exp(0.012 * (score - planted("score")))
    value = planted("transaction_value") * random.lognormal(-0.03, 0.25, n)
    value *= np.exp(0.010 * (income - planted("income")))
    vip, leaver = odd == "vip", odd == "at risk"
    rate[vip] *= 3.0
    value[vip] *= 4.0
    rate[leaver] *= 2.0
    taste_mean = np.full((len(SEGMENTS), len(CATEGORIES)), 0.35)
    liking = np.zeros((len(SEGMENTS), len(KINDS)))
    for row, kind in enumerate(SEGMENTS):
        taste_mean[row, [CATEGORIES.index(name) for name in kind.tastes]] = 2.4
        liking[row, [KINDS.index(name) for name in kind.kinds]] = 0.9
    taste = random.standard_gamma(taste_mean[segment]) + 1e-3
    table = pd.DataFrame(
        {
            "customer_id": [f"c{row:07d}" for row in range(n)],
            "gender": gender,
            "age": age,
            "annual_income": income,
            "spending_score": score,
            "city": random.choice(CITIES, size=n),
            "signup_at": world.start + pd.to_timedelta((signup * 86400).round(), unit="s"),
        }
    )
    for name in ("gender", "age", "annual_income", "spending_score"):
        table[name] = table[name].mask(random.random(n) < world.missing)
    # Some joined before the history begins; their exact day is then simply its first.
    return People(
        table=table,
        segment=segment,
        odd=odd,
        signup_day=signup,
        last_day=last,
        rate=rate,
        value=value,
        taste=taste / taste.sum(axis=1, keepdims=True),
        kind_liking=liking[segment] + random.normal(0, 0.3, (n, len(KINDS))),
    )
