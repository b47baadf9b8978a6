"""CTR and conversion from what was really shown; where nothing was logged, nothing is claimed.

CTR = clicked impressions ÷ impressions (same customer and offer, within 7 days). Conversion =
redeemed impressions ÷ impressions (within 30 days, credited to the last impression).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.crediting import credited
from data.dataset import Dataset
from data.schema import CLICK, CUSTOMER_ID, IMPRESSION, REDEMPTION
from evaluation.significance import Estimate, estimate_ratio

WINDOWS = {CLICK: pd.Timedelta(days=7), REDEMPTION: pd.Timedelta(days=30)}
NOT_MEASURED = "not measured"


def measure_online(dataset: Dataset, seed: int = 0) -> dict[str, Estimate | str]:
    """Measure CTR and conversion over the whole log.

    Returns
    -------
    dict
        ``ctr`` and ``conversion``: an `Estimate` with an interval clustered by customer (its n is
        the number of impressions), or why it is not measured.
    """
    return {
        "ctr": _measure(dataset, CLICK, seed),
        "conversion": _measure(dataset, REDEMPTION, seed),
    }


def _measure(dataset: Dataset, kind: str, seed: int) -> Estimate | str:
    impressions, events = dataset.events(IMPRESSION), dataset.events(kind)
    if impressions.empty:
        return f"{NOT_MEASURED}: no impressions are logged"
    if events.empty:
        return f"{NOT_MEASURED}: no {kind}s are logged"
    mark = credited(impressions, events, WINDOWS[kind])
    by_customer = (
        pd.DataFrame(
            {"customer": impressions[CUSTOMER_ID].to_numpy(), "shown": 1.0, "answered": mark}
        )
        .groupby("customer")[["answered", "shown"]]
        .sum()
    )
    return estimate_ratio(
        by_customer["answered"].to_numpy(dtype=np.float64), by_customer["shown"].to_numpy(), seed
    )
