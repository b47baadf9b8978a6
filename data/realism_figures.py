"""How each figure of realism is measured; what a dataset has no rows for is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.dataset import Dataset, transaction_numbers
from data.schema import (
    AMOUNT,
    CLICK,
    CUSTOMER_ID,
    IMPRESSION,
    ITEM_ID,
    OCCURRED_AT,
    OFFER_ID,
    REDEMPTION,
)

DAY = pd.Timedelta(days=1)
REBUY_DAYS = 28
# An item's elasticity is estimated where it has this many weeks and lines, and its price moves.
WEEKS, LINES, PRICE_SPREAD = 20, 200, 0.05
CAMPAIGN, CAMPAIGN_TYPE = "campaign", "campaign_type"


def gini(values: np.ndarray) -> float:
    """Return the Gini index of non-negative values; NaN without any."""
    ordered = np.sort(values.astype(np.float64))
    n, total = len(ordered), ordered.sum()
    if total <= 0:
        return float("nan")
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))


def _items(dataset: Dataset) -> dict[str, float]:
    lines = dataset.transactions[ITEM_ID].dropna().value_counts().to_numpy()
    if not len(lines):
        return {}
    top = lines[: max(1, round(len(lines) / 5))].sum() / lines.sum()
    return {
        "item popularity, Gini": gini(lines),
        "item popularity, share of the top fifth": float(top),
    }


def _offers(dataset: Dataset) -> dict[str, float]:
    redeemed = dataset.events(REDEMPTION)[OFFER_ID].value_counts()
    if redeemed.empty:
        return {}
    counts = redeemed.reindex(dataset.offers[OFFER_ID]).fillna(0).to_numpy()
    return {
        "redemptions per offer, Gini": gini(counts),
        "offers never redeemed": float((counts == 0).mean()),
    }


def _baskets(dataset: Dataset) -> dict[str, float]:
    lines = dataset.transactions
    if lines.empty:
        return {}
    baskets = (
        lines.assign(basket=transaction_numbers(lines))
        .groupby([CUSTOMER_ID, "basket"], sort=False)
        .agg(value=(AMOUNT, "sum"), at=(OCCURRED_AT, "min"))
        .reset_index()
        .sort_values([CUSTOMER_ID, "at"])
    )
    begin, end = lines[OCCURRED_AT].min(), lines[OCCURRED_AT].max()
    # Who came later has not had the whole time.
    signup = dataset.customers.set_index(CUSTOMER_ID)["signup_at"]
    late = signup.index[signup > begin + 7 * DAY]
    counts = baskets.loc[~baskets[CUSTOMER_ID].isin(late), CUSTOMER_ID].value_counts()
    yearly = counts / ((end - begin) / DAY or np.nan) * 365
    gaps = baskets.groupby(CUSTOMER_ID, sort=False)["at"].diff().dropna().dt.total_seconds() / 86400
    positive = baskets.loc[baskets["value"] > 0, "value"].to_numpy()
    return {
        "spend per customer, Gini": gini(
            lines.groupby(CUSTOMER_ID)[AMOUNT].sum().clip(lower=0).to_numpy()
        ),
        "baskets a year, median": float(yearly.median()),
        "baskets a year, 5th percentile": float(yearly.quantile(0.05)),
        "baskets a year, 95th percentile": float(yearly.quantile(0.95)),
        "basket value, log standard deviation": float(np.log(positive).std()),
        "days between baskets, median": float(gaps.median()),
        "days between baskets, 90th percentile": float(gaps.quantile(0.9)),
    }


def _seasons(dataset: Dataset) -> dict[str, float]:
    lines = dataset.transactions
    if lines.empty:
        return {}
    spend = lines.groupby(lines[OCCURRED_AT].dt.normalize())[AMOUNT].sum()
    # The first and the last day may not be whole.
    spend = spend.iloc[1:-1]
    days = pd.DatetimeIndex(spend.index)
    sunday = np.asarray(days.day_of_week == 6)
    christmas = np.asarray((days.month == 12) & (days.day >= 18) & (days.day <= 24))
    # The weeks before, not the year: customers who joined in it do not count as Christmas.
    autumn = np.asarray((days.month == 11) | ((days.month == 12) & (days.day < 18)))
    values = spend.to_numpy()
    return {
        "spend on a Sunday ÷ on another day": _ratio(values[sunday], values[~sunday]),
        "spend in Christmas week ÷ before": _ratio(values[christmas], values[autumn]),
    }


def _rebuying(dataset: Dataset) -> dict[str, float]:
    lines = dataset.transactions
    lines = lines[lines["category"].notna()]
    if lines.empty:
        return {}
    last = lines[OCCURRED_AT].max() - REBUY_DAYS * DAY
    codes = pd.factorize(lines["category"])[0].astype(np.int64)
    pair = pd.factorize(lines[CUSTOMER_ID])[0].astype(np.int64) * (codes.max() + 1) + codes
    visits = pd.DataFrame({"pair": pair, "at": lines[OCCURRED_AT].to_numpy()}).drop_duplicates()
    visits = visits.sort_values(["pair", "at"])
    next_one = visits.groupby("pair")["at"].shift(-1)
    again = (next_one - visits["at"]) <= REBUY_DAYS * DAY
    known = visits["at"] <= last
    return {"category bought again within 28 days": float(again[known].mean())}


def _elasticity(dataset: Dataset) -> dict[str, float]:
    """Regress the log of weekly lines on the log of the price paid relative to list, per item."""
    lines = dataset.transactions
    lines = lines[lines[ITEM_ID].notna() & lines["discount"].notna() & (lines[AMOUNT] > 0)]
    if lines.empty:
        return {}
    week = (lines[OCCURRED_AT] - lines[OCCURRED_AT].min()) // (7 * DAY)
    weekly = (
        lines.groupby([lines[ITEM_ID], week.rename("week")])
        .agg(paid=(AMOUNT, "sum"), off=("discount", "sum"), lines=(AMOUNT, "size"))
        .reset_index()
    )
    table = pd.DataFrame(
        {
            "item": weekly[ITEM_ID],
            "price": np.log(weekly["paid"] / (weekly["paid"] + weekly["off"].clip(lower=0))),
            "lines": np.log(weekly["lines"]),
        }
    )
    by_item = table.groupby("item")
    enough = (
        (by_item["price"].transform("size") >= WEEKS)
        & (weekly.groupby(ITEM_ID)["lines"].transform("sum") >= LINES)
        & (by_item["price"].transform("std") > PRICE_SPREAD)
    )
    table = table[enough]
    if table.empty:
        return {}
    item = table.pop("item")
    centred = table - table.groupby(item).transform("mean")
    slope = (centred["price"] * centred["lines"]).groupby(item).sum() / (
        (centred["price"] ** 2).groupby(item).sum()
    )
    return {
        "price elasticity, median": float(slope.median()),
        "price elasticity, lower quartile": float(slope.quantile(0.25)),
        "price elasticity, upper quartile": float(slope.quantile(0.75)),
    }


def _campaigns(dataset: Dataset) -> dict[str, float]:
    """Count who redeems anything of a campaign, of those who were shown anything of it."""
    offers = dataset.offers
    if CAMPAIGN not in offers or CAMPAIGN_TYPE not in offers or not dataset.has_impressions():
        return {}
    offers = offers[offers[CAMPAIGN].notna()].set_index(OFFER_ID)
    reached, redeemers = (
        _pairs(dataset.events(kind), offers[CAMPAIGN]) for kind in (IMPRESSION, REDEMPTION)
    )
    table = reached.merge(redeemers.assign(redeemed=1.0), how="left").fillna({"redeemed": 0.0})
    about = offers.drop_duplicates(CAMPAIGN).set_index(CAMPAIGN)
    kinds = about[CAMPAIGN_TYPE].astype("str").str.removeprefix("Type ")
    table["type"] = table[CAMPAIGN].map(kinds)
    table["begin"] = table[CAMPAIGN].map(about["valid_from"])
    found = {"redeemed, of those reached by a campaign": float(table["redeemed"].mean())}
    for name, mean in table.groupby("type")["redeemed"].mean().items():
        found[f"redeemed, of those reached, type {name}"] = float(mean)
    # The large campaigns follow each other; the customers of one are those of the next.
    large = table[table["type"] == "A"].sort_values([CUSTOMER_ID, "begin"])
    before = large.groupby(CUSTOMER_ID)["redeemed"].shift()
    for value, name in ((1.0, "if redeemed last time"), (0.0, "if not")):
        found[f"redeems again, {name}"] = float(large.loc[before == value, "redeemed"].mean())
    return found


def _positions(dataset: Dataset) -> dict[str, float]:
    """Compare the places of a slate, each as if its offers were drawn evenly (by propensity)."""
    shown = dataset.events(IMPRESSION)
    shown = shown[(shown["propensity"] > 0) & shown["position"].notna()]
    clicks = dataset.events(CLICK)
    if shown.empty or clicks.empty:
        return {}
    key = ["decision_id", OFFER_ID]
    clicked = pd.MultiIndex.from_frame(shown[key]).isin(pd.MultiIndex.from_frame(clicks[key]))
    weight = 1 / shown["propensity"].to_numpy()
    top = (shown["position"] == 1).to_numpy()
    rates = [np.average(clicked[rows], weights=weight[rows]) for rows in (top, ~top)]
    return {"clicks on top ÷ at the other places": _ratio(*rates)}


def _pairs(events: pd.DataFrame, campaign: pd.Series[str]) -> pd.DataFrame:
    pairs = pd.DataFrame(
        {CUSTOMER_ID: events[CUSTOMER_ID], CAMPAIGN: events[OFFER_ID].map(campaign)}
    )
    return pairs.dropna().drop_duplicates(ignore_index=True)


def _ratio(above: np.ndarray | float, below: np.ndarray | float) -> float:
    if not np.size(above) or not np.size(below) or not np.mean(below):
        return float("nan")
    return float(np.mean(above) / np.mean(below))


# In the order they are told.
MEASURES = (
    _items, _offers, _baskets, _seasons, _rebuying, _elasticity, _campaigns, _positions,
)  # fmt: skip
