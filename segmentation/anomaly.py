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

from data.dataset import Dataset
from segmentation.detector import AnomalyDetector
from segmentation.features import CustomerFeatures
from segmentation.kinds import AT_RISK, FRAUD, UNUSUAL, VIP
from segmentation.leaving import find_leaving
from segmentation.peers import (
    FOR_PEERS,
    ONE_SIDED,
    VALUE_FOR_PEERS,
    WORDS,
    beyond_usual,
    signs_beside_peers,
)
from segmentation.signs import BUSIEST_HOUR, OFF, TWO_DAY_SPEND

ALARM_RATE = 0.02
FEWEST = 20  # customers below which nothing can be called unusual
LEADING = 3
MANY = 20_000  # customers from which on the quicker forest is used
FENCE = 3.0  # interquartile ranges above the third quartile: beyond it nobody calibrates
ALIKE = 0.75  # of the leading sign: a sign of fraud as strong as that decides the kind
COLUMNS = ["customer_id", "score", "p_value", "q_value", "flagged", "kind", "reasons"]
# What fraud does, what it may do, and what a great customer does.
STRONG = frozenset({BUSIEST_HOUR, TWO_DAY_SPEND, OFF})
WEAK = frozenset({*ONE_SIDED, "smallest_to_average"}) - STRONG
VALUE = frozenset({FOR_PEERS, VALUE_FOR_PEERS})
FIRST = {FRAUD: (STRONG, WEAK), VIP: (VALUE,)}


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
    table = signs_beside_peers(features, dataset, at)
    if len(table) < FEWEST or table.shape[1] == 0:
        return pd.DataFrame(columns=COLUMNS)
    beyond = beyond_usual(table)
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
