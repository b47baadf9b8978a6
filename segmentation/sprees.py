"""Single transactions that do not fit their customer: sprees, probing payments, give-aways."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from data.dataset import Dataset
from data.schema import AMOUNT, CUSTOMER_ID, OCCURRED_AT, TRANSACTION_ID
from segmentation.detector import AnomalyDetector
from segmentation.signs import SIGNS, transaction_signs

FALSE_DISCOVERIES = 0.1
FEWEST = 200  # transactions below which none can be called odd
FITTED = 20_000  # transactions that the forest is fitted to, at most
# In units of the usual spread; what is farther out does not calibrate.
FAR_OUT = 6.0
COLUMNS = [CUSTOMER_ID, TRANSACTION_ID, OCCURRED_AT, AMOUNT, "p_value", "q_value", "reasons"]


def find_odd_transactions(
    dataset: Dataset,
    at: pd.Timestamp,
    *,
    false_discoveries: float = FALSE_DISCOVERIES,
    seed: int = 0,
) -> pd.DataFrame:
    """Find transactions that do not fit their customer's habits.

    Every transaction is judged by an isolation forest over its signs (`transaction_signs`), and its
    p-value is the share of calibrating transactions as odd; Benjamini and Hochberg's procedure
    keeps the expected share of false discoveries.

    Parameters
    ----------
    false_discoveries : float
        Expected share of ordinary transactions among those returned.

    Returns
    -------
    DataFrame
        customer_id, transaction_id, occurred_at, amount, p_value, q_value, reasons: the discoveries
        only, in the order of time.
    """
    table = transaction_signs(dataset, at)
    if len(table) < FEWEST:
        return pd.DataFrame(columns=COLUMNS)
    # A smaller amount than usual is as odd as a larger one, fewer in an hour or no discount is not.
    signs = pd.DataFrame(
        {
            "times_usual": np.abs(np.log(table["times_usual"])),
            "in_an_hour": np.log(table["in_an_hour"]),
            "two_days": np.log(table["two_days"]).clip(lower=0),
            "off": table["off"],
        }
    )
    spread = signs.std().where(lambda one: one > 0, 1.0)
    size = (signs - signs.median()).clip(lower=0) / spread
    ordinary = np.flatnonzero((size.max(axis=1) <= FAR_OUT).to_numpy())
    random = np.random.default_rng(seed)
    if len(ordinary) > FITTED:
        ordinary = random.choice(ordinary, FITTED, replace=False)
    x = size.to_numpy()
    detector = AnomalyDetector(calibration=0.5, random_state=seed).fit(x[ordinary])
    extreme = x.max(axis=1)
    calibration = np.sort(extreme[ordinary])
    as_odd = len(calibration) - np.searchsorted(calibration, extreme, side="left")
    p_extreme = (1 + as_odd) / (1 + len(calibration))
    # Two judges: the smaller of their p-values counts twice (Bonferroni).
    p_value = np.minimum(1.0, 2 * np.minimum(detector.p_values(x), p_extreme))
    q_value = false_discovery_control(p_value)
    found = table[[CUSTOMER_ID, TRANSACTION_ID, OCCURRED_AT, AMOUNT]].assign(
        p_value=p_value, q_value=q_value
    )
    rows = np.flatnonzero(q_value <= false_discoveries)
    leading = size.to_numpy()[rows].argmax(axis=1)
    names = list(signs.columns)
    return (
        found.iloc[rows]
        .assign(
            reasons=[
                f"{SIGNS[names[sign]]} {table[names[sign]].iloc[row]:.4g}"
                for row, sign in zip(rows, leading, strict=True)
            ]
        )
        .sort_values([OCCURRED_AT, CUSTOMER_ID], kind="stable", ignore_index=True)
    )
