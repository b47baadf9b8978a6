"""What could be odd about a customer: signs beside everybody's and beside similar customers'."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from data.dataset import Dataset
from data.schema import AGE, ANNUAL_INCOME, SPENDING_SCORE
from segmentation.features import (
    AVERAGE_VALUE,
    DAYS_PER_MONTH,
    TRANSACTIONS,
    CustomerFeatures,
)
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

PEERS = 50
USUALLY = 0.98  # quantile of a sign that everything is measured by
# For age, income and score: a rich customer is not odd, one far beyond all the rich ones is.
SELDOM = 0.995
IN_AN_HOUR = 3  # transactions: up to so many happen
COARSE = 0.5  # what counts as the usual extreme where nearly everybody has the same value
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
PLAIN = (*STATIC, "burst", OFF)  # of which no logarithm is taken


def signs_beside_peers(
    features: CustomerFeatures, dataset: Dataset | None, at: pd.Timestamp | None
) -> pd.DataFrame:
    """Put everything that could be odd side by side.

    Age, income and score are what customers are compared by, and odd only far beyond all others.

    Parameters
    ----------
    features : CustomerFeatures
        Of all customers at one moment.
    dataset, at : Dataset and Timestamp, or None
        Their transactions and the moment, for the signs of single transactions.

    Returns
    -------
    DataFrame
        A column per sign that tells customers apart, keys of `WORDS`, by customer id; who cannot be
        judged by one stands at its median.
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


def beyond_usual(table: pd.DataFrame) -> pd.DataFrame:
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
