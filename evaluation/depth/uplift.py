"""Incremental conversions: what offers caused, where a holdout group tells.

A redemption is not an increase. Only customers who were kept out by chance say what would have
happened anyway, so nothing is estimated without them. Everybody counts in the group they were
assigned to, whatever they were shown (intention to treat), once, however often they redeem.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from data.dataset import Dataset
from data.schema import CUSTOMER_ID, IMPRESSION, REDEMPTION
from data.words import counted
from evaluation.online import NOT_MEASURED

# A customers attribute that says who is held out, and the words that say so in one of groups.
FLAGS, GROUPS = ("holdout", "control"), ("group", "arm", "experiment_group")
HELD_OUT = ("holdout", "control")
TRUE, FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")
# An interval of a difference of shares is Newcombe's down to a handful, but one customer is none.
LEAST = 2


def measure_uplift(dataset: Dataset) -> dict[str, Any] | str:
    """Compare redeemers per customer between those treated and those held out.

    The holdout is named by an attribute of the customers table (``holdout`` or ``control`` with
    true or false; ``group``, ``arm`` or ``experiment_group`` with the word holdout or control), or
    else by impressions whose ``policy`` is one of these words: then only customers with impressions
    count, and who has impressions of both kinds is left out.

    Returns
    -------
    dict or str
        ``treated`` and ``holdout`` (customers, redeemers, conversion with low and high),
        ``difference`` of conversions with its 95 % interval (Newcombe, 1998, method 10),
        ``incremental`` redeemers among those treated likewise, ``named_by`` and ``mixed``
        customers left out; or why it is not measured.
    """
    held, named_by, mixed = _assigned(dataset)
    if held is None:
        return f"{NOT_MEASURED}: no holdout group is named"
    if dataset.events(REDEMPTION).empty:
        return f"{NOT_MEASURED}: no redemptions are logged"
    redeemed = held.index.isin(dataset.events(REDEMPTION)[CUSTOMER_ID].unique())
    out = held.to_numpy(dtype=bool)
    sizes = {"treated": int((~out).sum()), "holdout": int(out.sum())}
    for name, size in sizes.items():
        if size < LEAST:
            told = counted(size, "customer is", "customers are")
            return f"{NOT_MEASURED}: {told} in the group {name}"
    treated = _share(int((redeemed & ~out).sum()), sizes["treated"])
    holdout = _share(int((redeemed & out).sum()), sizes["holdout"])
    gap = treated["conversion"] - holdout["conversion"]
    below = np.hypot(
        treated["conversion"] - treated["low"], holdout["high"] - holdout["conversion"]
    )
    above = np.hypot(
        treated["high"] - treated["conversion"], holdout["conversion"] - holdout["low"]
    )
    difference = {"value": gap, "low": float(gap - below), "high": float(gap + above)}
    return {
        "treated": treated,
        "holdout": holdout,
        "difference": difference,
        "incremental": {name: value * sizes["treated"] for name, value in difference.items()},
        "named_by": named_by,
        "mixed": mixed,
    }


def _share(redeemers: int, customers: int) -> dict[str, Any]:
    value = redeemers / customers
    ends = binomtest(redeemers, customers).proportion_ci(0.95, method="wilson")
    return {
        "customers": customers,
        "redeemers": redeemers,
        "conversion": value,
        "low": float(ends.low),
        "high": float(ends.high),
    }


def _assigned(dataset: Dataset) -> tuple[pd.Series[bool] | None, str, int]:
    """Say who is held out, by customer; how that is told, and how many are in both groups."""
    customers = dataset.customers.set_index(CUSTOMER_ID)
    for name in (*FLAGS, *GROUPS):
        if name not in customers.columns:
            continue
        words = customers[name].dropna().astype("str").str.strip().str.lower()
        if name in GROUPS and words.isin(HELD_OUT).any():
            return words.isin(HELD_OUT), f"customers.{name}", 0
        if name in FLAGS and words.isin((*TRUE, *FALSE)).all() and words.isin(TRUE).any():
            return words.isin(TRUE), f"customers.{name}", 0
    shown = dataset.events(IMPRESSION)
    held = shown["policy"].str.lower().isin(HELD_OUT)
    if not held.any():
        return None, "", 0
    share = held.groupby(shown[CUSTOMER_ID]).mean()
    clear = share[(share == 0) | (share == 1)]
    return clear == 1, "interactions.policy", len(share) - len(clear)
