"""Whether segments act: what customers of each did after the moment the segments are for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, OCCURRED_AT, REDEMPTION

PRIOR = 20.0  # customers of the overall rate that a segment's rate is shrunk by


def later_redeemers(dataset: Dataset, at: pd.Timestamp) -> pd.Index[str] | None:
    """Return who redeems anything at or after a moment; None where nothing of it is recorded."""
    redeemed = dataset.events(REDEMPTION)
    later = redeemed[redeemed[OCCURRED_AT] >= at]
    return None if later.empty else pd.Index(later[CUSTOMER_ID].unique())


def lift_table(
    labels: pd.Series[int], names: tuple[str, ...], acted: pd.Index[str]
) -> pd.DataFrame:
    """Compare the segments' share of customers who acted with that of everybody.

    Returns
    -------
    DataFrame
        segment_name, customers, acted, rate, lift (1 is everybody's rate) with a 95 % interval
        (low, high) of the lift by a normal approximation of the rate.
    """
    did = labels.index.isin(acted)
    overall = did.mean()
    rows = []
    for number, name in enumerate(names):
        here = (labels == number).to_numpy()
        n, hits = int(here.sum()), int(did[here].sum())
        rate = hits / n if n else float("nan")
        error = np.sqrt(max(rate * (1 - rate), 1 / max(n, 1) ** 2) / max(n, 1))
        lift = rate / overall if overall else float("nan")
        half = 1.96 * error / overall if overall else float("nan")
        rows.append((name, n, hits, rate, lift, max(0.0, lift - half), lift + half))
    columns = ["segment_name", "customers", "acted", "rate", "lift", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def segment_rates(labels: np.ndarray, acted: np.ndarray, k: int) -> np.ndarray:
    """Return each segment's rate, shrunk to everybody's by `PRIOR` customers."""
    n = np.bincount(labels, minlength=k)[:k]
    hits = np.bincount(labels, weights=acted, minlength=k)[:k]
    return np.asarray((hits + PRIOR * acted.mean()) / (n + PRIOR))
