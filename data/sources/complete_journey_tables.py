"""The Complete Journey's frames as tables of a dataset.

The traps they hold are handled here, each at the line that names it.
"""

from __future__ import annotations

import pandas as pd

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


def transactions_of(raw: pd.DataFrame, products: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the transactions table, and how many lines are left out of it."""
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


def items_of(products: pd.DataFrame) -> pd.DataFrame:
    """Return the items table."""
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


def offers_of(
    coupons: pd.DataFrame, campaigns: pd.DataFrame, products: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the offers table, and the items that each offer is for."""
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


def interactions_of(raw: dict[str, pd.DataFrame], transactions: pd.DataFrame) -> pd.DataFrame:
    """Return the interactions table: what was shown, where that is recorded, and redemptions.

    Parameters
    ----------
    raw : dict of str to DataFrame
        The package's frames.
    transactions : DataFrame
        As `transactions_of` returns them: they tell the time of a redemption.
    """
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


def customers_of(demographics: pd.DataFrame) -> pd.DataFrame:
    """Return the customers table; ages and incomes are the middles of the stated ranges."""
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
