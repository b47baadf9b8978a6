"""The one feature engineering: what a customer's attributes and transactions say, as numbers.

Definitions follow the dataset contract: rows that share (customer_id, transaction_id) are one
transaction, a negative amount is a refund (it counts in spend, not as a transaction), and
transaction frequency is transactions per month since the first one, at least one month. A
transaction happens at its first line that is no refund; of whom nothing but refunds is known there
are none. They hold for a whole dataset and for one person at the door alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.dataset import Dataset, microseconds, transaction_numbers
from data.schema import (
    AGE,
    AMOUNT,
    ANNUAL_INCOME,
    CUSTOMER_ID,
    OCCURRED_AT,
    SPENDING_SCORE,
)
from data.words import counted

TRANSACTIONS, AVERAGE_VALUE, FREQUENCY = (
    "number_of_transactions",
    "average_transaction_value",
    "transaction_frequency",
)
FEATURES = (AGE, ANNUAL_INCOME, SPENDING_SCORE, TRANSACTIONS, AVERAGE_VALUE, FREQUENCY)
# Counts and money are skewed: their logarithm is what compares.
LOGGED = frozenset({TRANSACTIONS, AVERAGE_VALUE, FREQUENCY})
DAYS_PER_MONTH = 365.25 / 12
DAY = 86_400_000_000  # microseconds
MONTH = DAY * DAYS_PER_MONTH
Numbers = np.ndarray | float  # of many customers, or of one


@dataclass(frozen=True)
class CustomerFeatures:
    """Features of customers at one moment.

    Attributes
    ----------
    values : DataFrame
        Indexed by customer id. The six `FEATURES`; missing where nothing is known, transaction
        features also for a customer without transactions.
    activity : DataFrame
        Same index: spend, refunds, recency_days, tenure_days, active_days (with a transaction),
        largest_day (most transactions in a day), largest_value, smallest_value; money in the
        dataset's currency.
    notes : tuple of str
        What was derived or set aside, for the reader.
    """

    values: pd.DataFrame
    activity: pd.DataFrame
    notes: tuple[str, ...] = ()


def customer_features(dataset: Dataset, at: pd.Timestamp) -> CustomerFeatures:
    """Compute the features of every customer of a dataset.

    Parameters
    ----------
    dataset : Dataset
        Rows at or after `at` are not read.
    at : Timestamp
        The moment the features are for.
    """
    dataset = dataset.before(at)
    ids = pd.Index(dataset.customer_ids.ids, dtype="str", name=CUSTOMER_ID)
    customers = dataset.customers.set_index(CUSTOMER_ID)
    activity = _activity(dataset.transactions, at).reindex(ids)
    count, months = activity.pop("transactions"), activity["tenure_days"] / DAYS_PER_MONTH
    values = customers[[AGE, ANNUAL_INCOME, SPENDING_SCORE]].reindex(ids)
    values[TRANSACTIONS] = count
    values[AVERAGE_VALUE], values[FREQUENCY] = _rates(
        *(part.to_numpy(dtype=np.float64) for part in (count, activity.pop("gross"), months))
    )
    notes = []
    derived = values[SPENDING_SCORE].isna() & activity["spend"].notna()
    if derived.any():
        rank = activity["spend"].rank()
        score = np.ceil(100 * rank / rank.count()).clip(1, 100)
        values.loc[derived, SPENDING_SCORE] = score[derived]
        notes.append(
            f"The spending score of {int(derived.sum()):,} of {counted(len(ids), 'customer')} is "
            "missing and derived from their spend percentile."
        )
    return CustomerFeatures(values[list(FEATURES)].astype("float64"), activity, tuple(notes))


def features_of_one(
    profile: Mapping[str, Any],
    purchases: Sequence[Mapping[str, Any]],
    at: pd.Timestamp,
    known: np.ndarray | None = None,
    first_bought: float = np.nan,
) -> np.ndarray:
    """Bring the six features of one person up to date, as `customer_features` defines them.

    Parameters
    ----------
    profile : mapping
        What is known of them by column.
    purchases : sequence of mappings
        Lines since those that `known` holds, with amount, and transaction_id and occurred_at
        (microseconds since 1970) where stated.
    at : Timestamp
        The moment the features are for.
    known : ndarray of float, shape (6,), optional
        The features as they were.
    first_bought : float
        When something was bought first, microseconds since 1970; NaN where `known` holds nothing.
    """
    features = np.full(len(FEATURES), np.nan) if known is None else known.copy()
    for place, name in enumerate(FEATURES[:3]):
        if profile.get(name) is not None:
            features[place] = float(profile[name])
    if not purchases:
        return features
    baskets: dict[str, float] = {}
    moments: list[int] = []
    for n, line in enumerate(purchases):
        if float(line["amount"]) >= 0:  # a refund is no transaction
            basket = line.get("transaction_id") or f"line {n}"
            baskets[basket] = baskets.get(basket, 0.0) + float(line["amount"])
            moments += [line["occurred_at"]] if line.get("occurred_at") is not None else []
    count, average = np.nan_to_num(features[3:5], nan=0.0)
    if not baskets:
        features[3] = count
        return features
    now = at.value // 1000
    months = (now - np.fmin(first_bought, min(moments, default=now))) / MONTH
    features[3] = count + len(baskets)
    features[4:] = _rates(features[3], count * average + sum(baskets.values()), months)
    return features


def _rates(count: Numbers, gross: Numbers, months: Numbers) -> tuple[Numbers, Numbers]:
    """Return the average value and the transactions a month, missing where nothing was bought."""
    some = np.where(count > 0, count, np.nan)
    return gross / some, some / np.maximum(1.0, months)


def _activity(transactions: pd.DataFrame, at: pd.Timestamp) -> pd.DataFrame:
    """Aggregate lines to transactions and transactions to customers."""
    columns = ["transactions", "gross", "spend", "refunds", "recency_days", "tenure_days"]
    columns += ["active_days", "largest_day", "largest_value", "smallest_value"]
    if transactions.empty:
        return pd.DataFrame(columns=columns, dtype="float64")
    amount = transactions[AMOUNT]
    customer, ids = pd.factorize(transactions[CUSTOMER_ID], sort=True)
    lines = pd.DataFrame(
        {
            "customer": customer,
            "basket": transaction_numbers(transactions),
            "gross": amount.clip(lower=0).to_numpy(),
            "amount": amount.to_numpy(),
            "bought": (amount >= 0).to_numpy(),
            # Of refunds it is missing, and exact in a float for thousands of years.
            "at": microseconds(transactions[OCCURRED_AT]).where(amount >= 0).to_numpy(np.float64),
        }
    )
    whole = (
        lines.groupby(["customer", "basket"], sort=True)
        .agg(gross=("gross", "sum"), amount=("amount", "sum"), bought=("bought", "any"),
             at=("at", "min"))
        .reset_index()
    )  # fmt: skip
    spend = whole.groupby("customer")["amount"].sum()
    refunds = lines[~lines["bought"]].groupby("customer").size()
    bought = whole[whole["bought"]]
    day = bought["at"] // DAY
    per_day = bought.groupby([bought["customer"], day]).size()
    grouped = bought.groupby("customer")
    # Timestamp.value is in nanoseconds whatever its unit.
    now = at.value // 1000
    frame = pd.DataFrame(
        {
            "transactions": grouped.size(),
            "gross": grouped["gross"].sum(),
            "recency_days": (now - grouped["at"].max()) / DAY,
            "tenure_days": (now - grouped["at"].min()) / DAY,
            "active_days": per_day.groupby(level=0).size(),
            "largest_day": per_day.groupby(level=0).max(),
            "largest_value": grouped["gross"].max(),
            "smallest_value": grouped["gross"].quantile(0.1),
        }
    )
    frame = frame.reindex(np.arange(len(ids)))
    frame["spend"] = spend
    frame["refunds"] = refunds.reindex(frame.index).fillna(0)
    frame["transactions"] = frame["transactions"].fillna(0)
    frame.index = pd.Index(ids, dtype="str")
    return frame[columns].astype("float64")
