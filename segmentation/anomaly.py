"""Who behaves oddly: an isolation forest with a calibrated alarm rate, and broken rhythms.

The forest (Liu, Ting & Zhou 2008) scores a customer's features and ratios of them. Half of the
customers calibrate the forest fitted on the other half, so that a p-value is the share of ordinary
customers at least as odd (split-conformal; Bates et al. 2023) and the alarm rate is what it says.
Customers at risk are found by their own rhythm instead: the forest does not see them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest

from data.schema import AGE, ANNUAL_INCOME, SPENDING_SCORE
from segmentation.features import AVERAGE_VALUE, FREQUENCY, TRANSACTIONS, CustomerFeatures
from segmentation.profiles import LABELS

ALARM_RATE = 0.02
TREES, SAMPLES = 300, 512
FEWEST = 20  # customers below which nothing can be called unusual
LEADING = 3
REGULAR = 5  # days with a transaction from which a rhythm can be told
UNUSUAL, FRAUD, VIP, AT_RISK = "unusual", "possible fraud", "vip", "at risk"
RATIOS = {
    "spend_to_income": "spend relative to income",
    "burst": "share of transactions on the busiest day",
    "largest_to_average": "largest transaction relative to the average",
    "smallest_to_average": "smallest transactions relative to the average",
    "spend": "total spend",
    "refunds": "refunds",
}
WORDS = {**LABELS, **RATIOS}
FRAUD_SIGNS = frozenset({"burst", "largest_to_average", "smallest_to_average", "refunds"})
VALUE_SIGNS = frozenset({"spend", "spend_to_income", AVERAGE_VALUE, FREQUENCY, TRANSACTIONS})


def find_anomalies(
    features: CustomerFeatures, *, alarm_rate: float = ALARM_RATE, seed: int = 0
) -> pd.DataFrame:
    """Score every customer for odd behaviour.

    Parameters
    ----------
    features : CustomerFeatures
        Of all customers at one moment.
    alarm_rate : float
        Share of ordinary customers that may be flagged by the forest.
    seed : int
        Seed of the split and the forests.

    Returns
    -------
    DataFrame
        customer_id, score (higher is odder), p_value, flagged, kind (possible fraud, vip,
        at risk, unusual, or empty), reasons; oddest first. Empty if there is nothing to compare.
    """
    table = _table(features)
    if len(table) < FEWEST or table.shape[1] == 0:
        return pd.DataFrame(
            columns=["customer_id", "score", "p_value", "flagged", "kind", "reasons"]
        )
    robust = _robust_z(table)
    score, p_forest = _forest(table, seed)
    # A forest cannot tell how far beyond its range a value lies; the largest robust z can. The
    # smaller of their p-values speaks, and its rank among all customers keeps the alarm rate.
    p_extreme = _p_of(robust.abs().max(axis=1).to_numpy())
    p_value = _p_of(-np.minimum(p_forest, p_extreme))
    flagged = p_value <= alarm_rate
    rhythm = _broken_rhythm(features, alarm_rate).reindex(table.index)
    leaving = (rhythm["alarm"] == 1).to_numpy()
    kinds, reasons = np.full(len(table), "", dtype=object), np.full(len(table), "", dtype=object)
    typical = table.median()
    for place in np.flatnonzero(flagged):
        z = robust.iloc[place]
        leading = z.abs().sort_values(ascending=False, kind="stable").index[:LEADING]
        kinds[place] = _kind(leading, z)
        reasons[place] = "; ".join(
            f"{WORDS[name]} {table[name].iloc[place]:.4g} (typical {typical[name]:.4g})"
            for name in leading
        )
    # Fraud and VIPs are more pressing than silence; silence says more than "unusual".
    for place in np.flatnonzero(leaving & np.isin(kinds, ("", UNUSUAL))):
        kinds[place] = AT_RISK
        reasons[place] = (
            f"no transaction for {rhythm['recency'].iloc[place]:.0f} days, "
            f"usually one every {rhythm['gap'].iloc[place]:.1f}"
        )
    frame = pd.DataFrame(
        {
            "customer_id": table.index,
            "score": score,
            "p_value": p_value,
            "flagged": flagged | leaving,
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


def _table(features: CustomerFeatures) -> pd.DataFrame:
    """Put features and their ratios side by side; a forest needs every value, so medians fill."""
    values, activity = features.values, features.activity
    count = values[TRANSACTIONS]
    table = values.assign(
        spend=activity["spend"],
        refunds=activity["refunds"],
        spend_to_income=activity["spend"] / values[ANNUAL_INCOME].where(values[ANNUAL_INCOME] > 0),
        burst=(activity["largest_day"] / count).where(count >= REGULAR),
        largest_to_average=activity["largest_value"] / values[AVERAGE_VALUE],
        smallest_to_average=activity["smallest_value"] / values[AVERAGE_VALUE],
    ).replace([np.inf, -np.inf], np.nan)
    table = table[table.notna().any(axis=1)].dropna(axis=1, thresh=max(1, len(table) // 2))
    table = table.loc[:, table.max() > table.min()]
    return table.fillna(table.median())


def _robust_z(table: pd.DataFrame) -> pd.DataFrame:
    """Distance from the median in robust standard deviations, of logs where values are skewed."""
    plain = [name for name in table.columns if name in (AGE, ANNUAL_INCOME, SPENDING_SCORE)]
    moved: pd.DataFrame = table.clip(lower=0).apply(np.log1p)
    moved[plain] = table[plain]
    centre = moved.median()
    spread = 1.4826 * (moved - centre).abs().median()
    scale = spread.where(spread > 1e-9, moved.std()).replace(0.0, 1.0)
    return (moved - centre) / scale


def _forest(table: pd.DataFrame, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Score each half by the forest of the other; p-values are ranks within the scored half."""
    x = table.to_numpy(dtype=np.float64)
    half = np.random.default_rng(seed).permutation(len(x)) % 2
    score, p_value = np.empty(len(x)), np.empty(len(x))
    for side in (0, 1):
        fitted = IsolationForest(
            n_estimators=TREES, max_samples=min(SAMPLES, int((half != side).sum())),
            random_state=seed,
        ).fit(x[half != side])  # fmt: skip
        here = -fitted.score_samples(x[half == side])
        score[half == side] = here
        p_value[half == side] = _p_of(here)
    return score, p_value


def _p_of(score: np.ndarray) -> np.ndarray:
    """Return the share of customers that score at least as high."""
    at_least = len(score) - np.searchsorted(np.sort(score), score, side="left")
    return np.asarray(at_least / len(score))


def _broken_rhythm(features: CustomerFeatures, alarm_rate: float) -> pd.DataFrame:
    """Find regular customers whose silence is too long for their own pace.

    With a pace of r per day, a silence of t days has probability exp(-r·t) for somebody who still
    buys (Poisson); below the alarm rate, shared among the regular customers' habits, is an alarm.
    """
    activity = features.activity
    days = activity["active_days"]
    gap = (activity["tenure_days"] - activity["recency_days"]) / (days - 1).where(days > 1)
    silence = np.exp(-activity["recency_days"] / gap)
    regular = (days >= REGULAR) & (gap > 0)
    # Paces are not constant: the threshold is the stricter of the rate and the observed quantile.
    limit = min(alarm_rate, float(silence[regular].quantile(alarm_rate)) if regular.any() else 0)
    alarm = (regular & (silence <= limit) & (silence < alarm_rate)).astype("float64")
    return pd.DataFrame({"alarm": alarm, "recency": activity["recency_days"], "gap": gap})


def _kind(leading: pd.Index[str], z: pd.Series[float]) -> str:
    signs = [name for name in leading if name in FRAUD_SIGNS or name in VALUE_SIGNS]
    if not signs:
        return UNUSUAL
    if signs[0] in FRAUD_SIGNS:
        return FRAUD
    return VIP if z[signs[0]] > 0 else UNUSUAL
