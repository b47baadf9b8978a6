"""Features beyond the six, where the data allows: recency, discounts, coupons, categories."""

from __future__ import annotations

from typing import Any

import pandas as pd

from data.dataset import Dataset, transaction_numbers
from data.schema import AMOUNT, CUSTOMER_ID, OCCURRED_AT, REDEMPTION

RECENCY, DISCOUNT_SHARE, COUPON_SHARE = "recency_days", "discount_share", "coupon_share"
COUPON_TRANSACTIONS, REDEMPTIONS = "coupon_transactions", "redemptions"
HABITS = (RECENCY, DISCOUNT_SHARE, COUPON_SHARE, COUPON_TRANSACTIONS, REDEMPTIONS)
# Counts are skewed: their logarithm is what compares.
LOGGED_HABITS = frozenset({RECENCY, COUPON_TRANSACTIONS, REDEMPTIONS})
COUPON_DISCOUNT = "coupon_discount"  # an attribute that some companies' transactions have
SHARE = "share:"  # what a category's share of spend is called: share:groceries
MOST_CATEGORIES = 12


def habit_features(dataset: Dataset, at: pd.Timestamp) -> pd.DataFrame:
    """Compute what customers do besides how much they buy.

    Parameters
    ----------
    dataset : Dataset
        Rows at or after `at` are not read.
    at : Timestamp
        The moment the features are for.

    Returns
    -------
    DataFrame
        Indexed by customer id: recency_days; discount_share (discounts ÷ what would have been paid
        without); coupon_share and coupon_transactions (transactions with a coupon, as share and
        number; where transactions name no coupon discount, those with any discount);
        redemptions; and share:<category> of spend for the twelve largest categories. Missing where
        the dataset does not tell.
    """
    dataset = dataset.before(at)
    ids = pd.Index(dataset.customer_ids.ids, dtype="str", name=CUSTOMER_ID)
    lines = dataset.transactions
    found = pd.DataFrame(index=ids, columns=list(HABITS), dtype="float64")
    redeemed = dataset.events(REDEMPTION)
    if len(redeemed):
        counts = redeemed.groupby(CUSTOMER_ID).size().reindex(ids)
        found[REDEMPTIONS] = counts.fillna(0.0)
    if lines.empty:
        return found
    bought = lines[lines[AMOUNT] > 0]
    by_customer = bought.groupby(CUSTOMER_ID)
    spend = by_customer[AMOUNT].sum()
    found[RECENCY] = (at - by_customer[OCCURRED_AT].max()).dt.total_seconds() / 86400
    if bought["discount"].notna().any():
        # Some tills write what was taken off as a negative amount.
        off = bought["discount"].abs().groupby(bought[CUSTOMER_ID]).sum()
        found[DISCOUNT_SHARE] = off / (spend + off)
    stated = [name for name in (COUPON_DISCOUNT, "discount") if name in bought]
    told = next((name for name in stated if bought[name].notna().any()), None)
    if told is not None:
        baskets = _with_coupon(bought, had_coupon(bought[told]))
        found[COUPON_TRANSACTIONS] = baskets.groupby(level=0).sum()
        found[COUPON_SHARE] = baskets.groupby(level=0).mean()
    if bought["category"].notna().any():
        largest = bought.groupby("category")[AMOUNT].sum().nlargest(MOST_CATEGORIES).index
        for category in sorted(largest):
            there = bought[bought["category"] == category]
            part = there.groupby(CUSTOMER_ID)[AMOUNT].sum().reindex(spend.index).fillna(0.0)
            found[f"{SHARE}{category}"] = part / spend
    return found


def had_coupon(taken_off: pd.Series[Any]) -> pd.Series[bool]:
    """Tell for each line whether anything was taken off, whatever its sign.

    A column of the owner's may hold numbers as text.
    """
    return pd.to_numeric(taken_off, errors="coerce").fillna(0.0).abs() > 0


def _with_coupon(bought: pd.DataFrame, coupon: pd.Series[bool]) -> pd.Series[float]:
    """Tell for each transaction, indexed by customer and transaction, whether it had a coupon."""
    number = transaction_numbers(bought)
    return coupon.astype("float64").groupby([bought[CUSTOMER_ID], number]).max()
