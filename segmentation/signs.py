"""Signs of odd behaviour in single transactions and, by customer, in what they add up to."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset, microseconds, transaction_numbers
from data.schema import AMOUNT, CUSTOMER_ID, OCCURRED_AT, TRANSACTION_ID

HOUR, DAY = 3_600_000_000, 86_400_000_000  # microseconds
TWO_DAYS = 2 * DAY
BUSIEST_HOUR, TWO_DAY_SPEND, OFF = "busiest_hour", "two_day_spend", "discounts"
USUAL = "usual_transaction"
# What a single transaction is judged by, and how it is said.
SIGNS = {
    "times_usual": "amount relative to the customer's usual one",
    "in_an_hour": "transactions within an hour",
    "two_days": "spend within two days, in usual transactions",
    "off": "discount as a share of the full price",
}


def transaction_signs(dataset: Dataset, at: pd.Timestamp) -> pd.DataFrame:
    """Describe every transaction beside its customer's own habits.

    Parameters
    ----------
    dataset : Dataset
        Rows at or after `at` are not read; refunds are not transactions.

    Returns
    -------
    DataFrame
        One row per transaction: customer_id, transaction_id (missing where there is none),
        occurred_at, amount, usual_transaction (the median over the customer's days of the mean
        amount of a day), and the `SIGNS`.
    """
    lines = dataset.before(at).transactions
    lines = lines[lines[AMOUNT] > 0]
    customer, ids = pd.factorize(lines[CUSTOMER_ID])
    frame = pd.DataFrame(
        {
            "customer": customer,
            "basket": transaction_numbers(lines),
            "amount": lines[AMOUNT].to_numpy(),
            "off": lines["discount"].fillna(0.0).clip(lower=0).to_numpy(),
            "time": microseconds(lines[OCCURRED_AT]).to_numpy(dtype=np.int64),
            TRANSACTION_ID: lines[TRANSACTION_ID].to_numpy(),
        }
    )
    whole = (
        frame.groupby(["customer", "basket"], sort=False)
        .agg(amount=("amount", "sum"), off=("off", "sum"), time=("time", "min"),
             transaction_id=(TRANSACTION_ID, "first"))
        .reset_index()
        .sort_values(["customer", "time", "basket"], ignore_index=True)
    )  # fmt: skip
    amount = whole["amount"].to_numpy()
    # The usual amount is that of the usual day: a spree is one or two days, however many rows.
    daily = whole.groupby(["customer", whole["time"] // DAY])["amount"].mean()
    usual = daily.groupby(level=0).median().reindex(whole["customer"]).to_numpy()
    # Customers end to end, further apart than any window is long: one search serves them all.
    time = whole["time"].to_numpy() - whole["time"].min() if len(whole) else np.zeros(0, np.int64)
    key = whole["customer"].to_numpy() * (time.max(initial=0) + 2 * TWO_DAYS) + time
    here = np.arange(len(key))
    running = np.concatenate([[0.0], amount.cumsum()])
    ahead = {span: np.searchsorted(key, key + span, side="right") for span in (HOUR, TWO_DAYS)}
    return pd.DataFrame(
        {
            CUSTOMER_ID: pd.Series(ids, dtype="str").to_numpy()[whole["customer"]],
            TRANSACTION_ID: whole["transaction_id"],
            OCCURRED_AT: pd.to_datetime(whole["time"], unit="us", utc=True),
            AMOUNT: amount,
            USUAL: usual,
            "times_usual": amount / usual,
            "in_an_hour": (ahead[HOUR] - here).astype(np.float64),
            "two_days": (running[ahead[TWO_DAYS]] - running[here]) / usual,
            "off": whole["off"] / (whole["off"] + amount),
        }
    )


def customer_signs(signs: pd.DataFrame) -> pd.DataFrame:
    """Add the signs of transactions up, by customer id.

    Returns
    -------
    DataFrame
        busiest_hour (transactions), two_day_spend (in usual transactions), discounts (share of the
        full price of all), usual_transaction (money).
    """
    full = signs[AMOUNT] / (1 - signs["off"])
    by_customer = signs.groupby(CUSTOMER_ID)
    return pd.DataFrame(
        {
            USUAL: by_customer[USUAL].first(),
            BUSIEST_HOUR: by_customer["in_an_hour"].max(),
            TWO_DAY_SPEND: by_customer["two_days"].max(),
            OFF: 1 - by_customer[AMOUNT].sum() / full.groupby(signs[CUSTOMER_ID]).sum(),
        }
    )
