"""Who behaves oddly: signs beside everybody's and similar customers', and broken rhythms.

Two judges speak about every customer: the sign that lies farthest beyond what is usual for it, and
an isolation forest over all signs (Liu, Ting & Zhou 2008; see `detector`). Customers who are
far out anyway are left out of the calibration, so that a p-value is the share of *ordinary*
customers at least as odd (conformal; Bates et al. 2023) and the alarm rate is what it says. Who is
leaving is told by the own rhythm instead (see `leaving`): a forest does not see it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control
from sklearn.neighbors import NearestNeighbors

from data.dataset import Dataset
from data.schema import AGE, ANNUAL_INCOME, SPENDING_SCORE
from segmentation.detector import AnomalyDetector
from segmentation.features import (
    AVERAGE_VALUE,
    DAYS_PER_MONTH,
    TRANSACTIONS,
    CustomerFeatures,
)
from segmentation.kinds import AT_RISK, FRAUD, UNUSUAL, VIP
from segmentation.leaving import find_leaving
from segmentation.profiles import LABELS
from segmentation.signs import (
    BUSIEST_HOUR,
    OFF,
    TWO_DAY_SPEND,
    USUAL,
    customer_signs,
    transaction_signs,
)
from segmentation.visits import LEAST_BASKETS

ALARM_RATE = 0.02
FEWEST = 20  # customers below which nothing can be called unusual
LEADING = 3
PEERS = 50
MANY = 20_000  # customers from which on the quicker forest is used
FENCE = 3.0  # interquartile ranges above the third quartile: beyond it nobody calibrates
USUALLY = 0.98  # quantile of a sign that everything is measured by
# For age, income and score: a rich customer is not odd, one far beyond all the rich ones is.
SELDOM = 0.995
IN_AN_HOUR = 3  # transactions: up to so many happen
COARSE = 0.5  # what counts as the usual extreme where nearly everybody has the same value
ALIKE = 0.75  # of the leading sign: a sign of fraud as strong as that decides the kind
COLUMNS = ["customer_id", "score", "p_value", "q_value", "flagged", "kind", "reasons"]
FOR_PEERS, VALUE_FOR_PEERS = "spend_for_peers", "value_for_peers"
STATIC = (AGE, ANNUAL_INCOME, SPENDING_SCORE)
WORDS = {
    **LABELS,
    FOR_PEERS: "spend a month relative to similar customers",
    VALUE_FOR_PEERS: "usual transaction relative to similar customers",
    "burst": "share of transactions on the busiest day",
    "largest_to_average": "largest transaction relative to the average",
    "smallest_to_average": "smallest transactions relative to the average",
    "refunds": "refunds",
    BUSIEST_HOUR: "transactions within an hour",
    TWO_DAY_SPEND: "spend within two days, in usual transactions",
    OFF: "discounts as a share of the full price",
}
# Odd only if high.
ONE_SIDED = ("burst", "largest_to_average", "refunds", BUSIEST_HOUR, TWO_DAY_SPEND, OFF)
# What fraud does, what it may do, and what a great customer does.
STRONG = frozenset({BUSIEST_HOUR, TWO_DAY_SPEND, OFF})
WEAK = frozenset({*ONE_SIDED, "smallest_to_average"}) - STRONG
VALUE = frozenset({FOR_PEERS, VALUE_FOR_PEERS})
FIRST = {FRAUD: (STRONG, WEAK), VIP: (VALUE,)}
PLAIN = (*STATIC, "burst", OFF)  # of which no logarithm is taken


def find_anomalies(
    features: CustomerFeatures,
    dataset: Dataset | None = None,
    at: pd.Timestamp | None = None,
    *,
    alarm_rate: float = ALARM_RATE,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge every customer.

    Parameters
    ----------
    features : CustomerFeatures
        Of all customers at one moment.
    dataset, at : Dataset and Timestamp, optional
        Their transactions and the moment: with them single transactions and rhythms are judged too.
    alarm_rate : float
        Share of ordinary customers that may be flagged by the signs, and of customers with a rhythm
        that may be taken to be leaving though they come back.
    seed : int
        Seed of the forest.

    Returns
    -------
    DataFrame
        customer_id, score (higher is odder), p_value, q_value (the rate of false discoveries at
        which it would be one; Benjamini and Hochberg, 1995), flagged, kind (possible fraud, vip, at
        risk, unusual, or empty), reasons; oddest first. Empty if there is nothing to compare.
    """
    table = _signs(features, dataset, at)
    if len(table) < FEWEST or table.shape[1] == 0:
        return pd.DataFrame(columns=COLUMNS)
    beyond = _beyond(table)
    size = beyond.abs()
    extreme = size.max(axis=1).to_numpy()
    low, high = np.quantile(extreme, [0.25, 0.75])
    ordinary = extreme <= high + FENCE * (high - low)
    detector = AnomalyDetector(
        mode="improved" if len(table) <= MANY else "default", random_state=seed
    ).fit(beyond.to_numpy()[ordinary])
    score = -detector.score_samples(beyond.to_numpy())
    either = np.minimum(_p_of(extreme, ordinary), _p_of(score, ordinary))
    either[~ordinary] = 0.0  # who is far out is odder than everybody who calibrates
    p_value = _p_of(-either, ordinary)
    flagged = p_value <= alarm_rate
    kinds, reasons = np.full(len(table), "", dtype=object), np.full(len(table), "", dtype=object)
    names, values, typical = list(table.columns), table.to_numpy(), table.median().to_numpy()
    signs, strength = beyond.to_numpy(), size.to_numpy()
    for place in np.flatnonzero(flagged):
        order = np.argsort(-strength[place], kind="stable")
        leading = order[:LEADING].tolist()
        alike = [
            row for row in leading if strength[place, row] >= ALIKE * strength[place, order[0]]
        ]
        kinds[place] = _kind({names[row]: float(signs[place, row]) for row in alike})
        for first in reversed(FIRST.get(kinds[place], ())):  # what makes it that comes first
            leading.sort(key=lambda row, first=first: names[row] not in first)
        reasons[place] = "; ".join(
            f"{WORDS[names[row]]} {values[place, row]:.4g} (typical {typical[row]:.4g})"
            for row in leading
        )
    away = find_leaving(features, dataset, at, alarm_rate).reindex(table.index)
    alarm = away["alarm"].fillna(False).to_numpy(dtype=bool)
    # Fraud and VIPs are more pressing than silence; silence says more than "unusual".
    for place in np.flatnonzero(alarm & np.isin(kinds, ("", UNUSUAL))):
        kinds[place], reasons[place] = AT_RISK, away["reason"].iloc[place]
    frame = pd.DataFrame(
        {
            "customer_id": table.index,
            "score": score,
            "p_value": p_value,
            "q_value": false_discovery_control(p_value),
            "flagged": flagged | alarm,
            "kind": kinds,
            "reasons": reasons,
        }
    )
    return frame.sort_values(
        ["p_value", "score", "customer_id"],
        ascending=[True, False, True],
        kind="stable",
        ignore_index=True,
    )


def _signs(
    features: CustomerFeatures, dataset: Dataset | None, at: pd.Timestamp | None
) -> pd.DataFrame:
    """Put everything that could be odd side by side; who cannot be judged stands at the median.

    Age, income and score are what customers are compared by, and odd only far beyond all others.
    """
    values, activity = features.values, features.activity
    count = values[TRANSACTIONS]
    some = count >= LEAST_BASKETS
    months = (activity["tenure_days"] / DAYS_PER_MONTH).clip(lower=1.0)
    table = pd.DataFrame(
        {
            "burst": (activity["largest_day"] / count).where(some),
            "largest_to_average": (activity["largest_value"] / values[AVERAGE_VALUE]).where(some),
            "smallest_to_average": (activity["smallest_value"] / values[AVERAGE_VALUE]).where(some),
            "refunds": activity["refunds"],
        }
    )
    usual = values[AVERAGE_VALUE]
    if dataset is not None and at is not None and len(dataset.transactions):
        single = customer_signs(transaction_signs(dataset, at)).reindex(table.index)
        usual = single.pop(USUAL)
        table[BUSIEST_HOUR] = single[BUSIEST_HOUR]
        table[[TWO_DAY_SPEND, OFF]] = single[[TWO_DAY_SPEND, OFF]].where(some)
    who = values[list(STATIC)]
    pace = np.log1p(count / months)
    table[FOR_PEERS] = np.exp(_beside_peers(_log(activity["spend"] / months), who))
    # Of few transactions the usual one is known badly: it counts as less far from the others.
    table[VALUE_FOR_PEERS] = np.exp(
        _beside_peers(_log(usual), who.assign(pace=2 * pace)) / np.sqrt(1 + 8 / count.clip(lower=1))
    )
    table = table.replace([np.inf, -np.inf], np.nan)
    table = table.join(who.replace([np.inf, -np.inf], np.nan))
    table = table[table.notna().any(axis=1)]
    table = table.dropna(axis=1, thresh=max(1, len(table) // 2))
    table = table.loc[:, table.max() > table.min()]
    return table.fillna(table.median())


def _log(value: pd.Series[float]) -> pd.Series[float]:
    """Return the logarithm; of nothing or less it is missing."""
    return pd.Series(np.log(value.where(value > 0)), index=value.index)


def _beside_peers(value: pd.Series[float], who: pd.DataFrame) -> pd.Series[float]:
    """Subtract the median of the 50 customers who are most alike in what is known of them."""
    known = value.notna().to_numpy()
    about = who.dropna(axis=1, how="all")
    about = about.fillna(about.median())
    spread = about.std()
    about = (about - about.mean()) / spread.where(spread > 0, 1.0)
    if known.sum() < 2 or about.shape[1] == 0:
        return value - value.median()
    nearest = NearestNeighbors(n_neighbors=min(PEERS, int(known.sum()))).fit(about[known])
    peers = nearest.kneighbors(about[known], return_distance=False)
    found = value.copy()
    found[known] -= np.median(value.to_numpy()[known][peers], axis=1)
    return found


def _beyond(table: pd.DataFrame) -> pd.DataFrame:
    """Measure how far every sign is from its median, 1 being the usual extreme on either side."""
    moved = table.copy()
    for name in table.columns:
        if name == "refunds":
            moved[name] = np.log1p(table[name])
        elif name == BUSIEST_HOUR:
            moved[name] = np.log1p(table[name].clip(lower=IN_AN_HOUR))
        elif name not in PLAIN:
            moved[name] = np.log(table[name].clip(lower=1e-6))
    gap = moved - moved.median()
    one_sided = [name for name in ONE_SIDED if name in gap.columns]
    gap[one_sided] = gap[one_sided].clip(lower=0)
    behaves = any(name not in STATIC for name in table.columns)
    usual = gap.abs().quantile(USUALLY)
    if behaves:
        static = [name for name in STATIC if name in gap.columns]
        usual[static] = gap[static].abs().quantile(SELDOM)
    return gap / usual.where(usual > 1e-9, COARSE)


def _p_of(score: np.ndarray, ordinary: np.ndarray) -> np.ndarray:
    """Return the share of ordinary customers, and oneself, that score at least as high."""
    calibration = np.sort(score[ordinary])
    as_odd = len(calibration) - np.searchsorted(calibration, score, side="left")
    # Who calibrates has been counted already.
    return np.asarray(np.where(ordinary, as_odd, 1 + as_odd) / (1 + len(calibration)))


def _kind(leading: Mapping[str, float]) -> str:
    """Name the kind by the leading signs that are alike in strength, strongest first."""
    if any(name in STRONG for name in leading):
        return FRAUD
    if any(name in VALUE and beyond > 0 for name, beyond in leading.items()):
        return VIP
    return FRAUD if any(name in WEAK for name in leading) else UNUSUAL
