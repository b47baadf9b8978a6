"""What visits tell: baskets from lines of transactions, and each customer's rhythm as features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.dataset import microseconds, transaction_numbers
from data.schema import AMOUNT, CUSTOMER_ID, OCCURRED_AT

LEAST_BASKETS = 5  # below which nobody has a rhythm
DAY = 86_400_000_000  # microseconds
SAME_VISIT = 0.5  # baskets less than so many days after the one before are of the same visit
HALF_LIVES = (14, 28, 56)  # days after which a visit counts half, for recent paces


@dataclass(frozen=True)
class Baskets:
    """Baskets by customer, then time: arrays of shape (baskets,), and all customers' `ids`."""

    ids: np.ndarray
    owner: np.ndarray
    day: np.ndarray
    value: np.ndarray

    def until(self, end: float) -> Baskets:
        """Return the baskets before a day."""
        kept = self.day < end
        return Baskets(self.ids, self.owner[kept], self.day[kept], self.value[kept])


def rhythm_features(transactions: pd.DataFrame, at: pd.Timestamp) -> pd.DataFrame:
    """Describe each customer's rhythm as it was known just before a moment.

    Parameters
    ----------
    transactions : DataFrame
        The transactions table; rows at or after `at` are not read, refunds are no baskets.
    at : Timestamp
        The moment that recency and recent paces are counted from.

    Returns
    -------
    DataFrame
        One row per customer with a basket, indexed by customer id: counts, days, money and the
        log of recency to the own mean gap; gaps are missing where there was one visit only.
    """
    return basket_features(baskets_before(transactions, at), in_days(at))


def in_days(at: pd.Timestamp) -> float:
    """Return a moment in days, as `Baskets.day` counts them."""
    # Timestamp.value is in nanoseconds whatever its unit.
    return at.value / 1000 / DAY


def baskets_before(transactions: pd.DataFrame, at: pd.Timestamp) -> Baskets:
    """Turn lines before a moment into baskets; names are made numbers here and nowhere else."""
    bought = (transactions[OCCURRED_AT] < at) & (transactions[AMOUNT] >= 0)
    lines = transactions[bought]
    owner, ids = pd.factorize(lines[CUSTOMER_ID], sort=True)
    number = transaction_numbers(lines)
    key = owner.astype(np.int64) * (number.max(initial=0) + 1) + number
    basket = pd.factorize(key)[0]
    n = int(basket.max(initial=-1)) + 1
    of = np.empty(n, dtype=np.int64)
    of[basket] = owner
    day = np.full(n, np.inf)
    np.minimum.at(day, basket, microseconds(lines[OCCURRED_AT]).to_numpy(dtype=np.int64) / DAY)
    value = np.bincount(basket, weights=lines[AMOUNT].to_numpy(dtype=np.float64), minlength=n)
    order = np.lexsort((day, of))
    return Baskets(np.asarray(ids), of[order], day[order], value[order])


def basket_features(baskets: Baskets, now: float) -> pd.DataFrame:
    """Aggregate baskets, all before now, to customers; the columns are named as they are used."""
    owner, ago = baskets.owner, now - baskets.day
    n = int(owner.max(initial=-1)) + 1

    def total(of: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(of, weights=weights, minlength=n).astype(np.float64)

    first = np.diff(owner, prepend=-1) != 0
    last = np.diff(owner, append=n) != 0
    # Gaps are between visits: several baskets in one evening are no faster rhythm.
    visit = first | (-np.diff(ago, prepend=np.inf) >= SAME_VISIT)
    who, when = owner[visit], ago[visit]
    again = np.diff(who, prepend=-1) == 0
    gap, whose = -np.diff(when, prepend=np.inf)[again], who[again]
    recency, tenure = np.full(n, np.nan), np.full(n, np.nan)
    recency[owner[last]], tenure[owner[first]] = ago[last], ago[first]
    gaps = total(whose)
    log_gap = np.log(gap)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_gap = total(whose, gap) / gaps
        mean_log = total(whose, log_gap) / gaps
        spread = np.sqrt(np.maximum(total(whose, log_gap**2) / gaps - mean_log**2, 0.0))
        spread[gaps < 2] = np.nan
        table = {
            "baskets": total(owner),
            "visits": total(who),
            "recency_days": recency,
            "tenure_days": tenure,
            "history_days": np.full(n, ago.max(initial=0.0)),
            "gap_days": mean_gap,
            "log_ratio": np.log(np.maximum(recency, 1e-3) / mean_gap),
            "gap_log_mean": mean_log,
            "gap_log_sd": spread,
            "longer_gaps": total(whose[gap > recency[whose]]),
            **{f"recent_{days}": total(who, 0.5 ** (when / days)) for days in HALF_LIVES},
            "spend_28": total(owner[ago <= 28], baskets.value[ago <= 28]),
            "spend_56": total(owner[ago <= 56], baskets.value[ago <= 56]),
            "value_log_mean": total(owner, np.log1p(baskets.value)) / total(owner),
        }
    frame = pd.DataFrame(table, index=pd.Index(baskets.ids[:n], dtype="str", name=CUSTOMER_ID))
    return frame[frame["baskets"] > 0]
