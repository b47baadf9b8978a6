"""Who is leaving: alarms for silences that customers who came back hardly ever kept.

The silence is measured at the own pace, by the rhythm model (see `rhythm`), or by the own pace
alone where no model could be learnt or no transactions are at hand.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset
from data.words import counted
from segmentation.features import CustomerFeatures
from segmentation.rhythm import RhythmModel, fit_rhythm
from segmentation.visits import LEAST_BASKETS, rhythm_features

LIKELY = 0.5  # probability from which a reason speaks of staying away rather than of the silence


def leaving(
    features: pd.DataFrame,
    model: RhythmModel | None,
    alarm_rate: float,
    *,
    least_probability: float = 0.0,
) -> pd.DataFrame:
    """Raise an alarm for customers whose own rhythm is broken.

    An alarm means: of the customers who came back, at most `alarm_rate` had been silent as
    improbably long at their own pace. Without a model it is the chance of the silence at the own
    pace alone, exp(-recency / gap), that is so small.

    Parameters
    ----------
    features, model
        As `rhythm_features` and `fit_rhythm` return them.
    alarm_rate : float
        Share of customers who would come back that may be flagged.
    least_probability : float
        An alarm asks for this probability of staying away as well. It does not by itself: regular
        buyers who were merely away came back in the past, which keeps the probability of the same
        customers low when they leave. Silence past `SEEN_WITHIN` has no probability and needs none.

    Returns
    -------
    DataFrame
        customer_id, probability (NaN where it cannot be told), alarm, reason (empty without an
        alarm); in the order of features.
    """
    gap, silent = features["gap_days"].to_numpy(), features["recency_days"].to_numpy()
    settled = (features["baskets"].to_numpy() >= LEAST_BASKETS) & (gap > 0)
    if model is None:
        probability = np.full(len(features), np.nan)
        p_value = np.exp(-np.divide(silent, gap, out=np.zeros_like(silent), where=settled))
    else:
        probability, p_value = model.probability(features), model.p_value(features)
    likely = np.isnan(probability) | (probability >= least_probability)
    alarm = settled & (p_value <= alarm_rate) & likely
    reason = np.full(len(features), "", dtype=object)
    for row in np.flatnonzero(alarm):
        days = counted(round(silent[row]), "day")
        words = f"no transaction for {days}, usually one every {gap[row]:.1f}"
        if model is not None and probability[row] >= LIKELY:
            likely_in = f"{100 * probability[row]:.0f} % likely to buy nothing in the next"
            words += f"; {likely_in} {model.horizon_days} days"
        else:
            share = max(1, np.ceil(1000 * p_value[row])) / 10
            words += f"; such a silence, at this pace, has a chance of {share:.1f} % or less"
        reason[row] = words
    columns = {"customer_id": features.index.to_numpy(), "probability": probability, "alarm": alarm}
    frame = pd.DataFrame({**columns, "reason": reason})
    return frame.astype({"customer_id": "str", "reason": "str"})


def find_leaving(
    features: CustomerFeatures,
    dataset: Dataset | None,
    at: pd.Timestamp | None,
    alarm_rate: float,
) -> pd.DataFrame:
    """Find who is leaving as far as is known of them.

    Returns
    -------
    DataFrame
        alarm and reason by customer id; by `leaving` where there are transactions, else by the
        mean pace that the features tell.
    """
    if dataset is None or at is None or dataset.transactions.empty:
        return _broken_pace(features, alarm_rate)
    model = fit_rhythm(dataset.transactions, at)
    rhythm = rhythm_features(dataset.transactions, at)
    return leaving(rhythm, model, alarm_rate).set_index("customer_id")


def _broken_pace(features: CustomerFeatures, alarm_rate: float) -> pd.DataFrame:
    """Find silences that a customer's own mean pace makes improbable (a Poisson stream)."""
    activity = features.activity
    days = activity["active_days"]
    gap = (activity["tenure_days"] - activity["recency_days"]) / (days - 1).where(days > 1)
    silence = np.exp(-activity["recency_days"] / gap)
    regular = (days >= LEAST_BASKETS) & (gap > 0)
    limit = min(alarm_rate, float(silence[regular].quantile(alarm_rate)) if regular.any() else 0)
    alarm = regular & (silence <= limit) & (silence < alarm_rate)
    reason = [
        f"no transaction for {days:.0f} days, usually one every {every:.1f}"
        for days, every in zip(activity["recency_days"], gap, strict=True)
    ]
    return pd.DataFrame({"alarm": alarm, "reason": reason}, index=activity.index)
