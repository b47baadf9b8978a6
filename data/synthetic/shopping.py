"""Who bought what when in the synthetic world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from data.synthetic.catalogue import DAYS_PER_WEEK, FAVOURITES, Catalogue
from data.synthetic.columns import coded, numbered, times
from data.synthetic.oddities import odd_lines
from data.synthetic.parameters import CATEGORIES, WorldParameters
from data.synthetic.people import People
from data.synthetic.seasons import draw_moments

HABIT = 0.55  # share of lines that are one of the customer's usual items
EXTRA_LINES = 0.5  # Poisson mean of lines beyond the first
MOST_LINES = 6
LINES_PER_BASKET = 1 + EXTRA_LINES
TRIP_SPREAD = 0.95  # log standard deviation of a customer's baskets around the purse
TYPICAL_PRICE = float(np.exp(3.0))
CHANNELS = ("store", "online")
HOURS = (14.0, 4.0)


@dataclass(frozen=True)
class Purchases:
    """Extra lines of purchase that come with redemptions; arrays of the same length.

    Attributes
    ----------
    owner, item : ndarray of int
        Rows of customers and items.
    second : ndarray of int
        When, in seconds since the start.
    off : ndarray of float
        What the offer takes off the price, as a share.
    """

    owner: np.ndarray
    item: np.ndarray
    second: np.ndarray
    off: np.ndarray


def make_transactions(
    world: WorldParameters,
    people: People,
    catalogue: Catalogue,
    level: np.ndarray,
    redeemed: Purchases,
    part: int,
    random: np.random.Generator,
) -> tuple[pa.Table, pa.Table]:
    """Draw every transaction line of some customers, ordered by time.

    Returns
    -------
    transactions : pyarrow.Table
        The transactions table.
    planted : pyarrow.Table
        Truth: transaction_id and pattern of the transactions that only anomalies make.
    """
    frame = _baskets(people, catalogue, level, random)
    frame = pd.concat(
        [
            frame,
            _with_offer(people, catalogue, redeemed, random),
            odd_lines(
                people.pattern, people.signup_day, people.purse, world.days, catalogue, random
            ),
        ],
        ignore_index=True,
    )
    alone = frame["basket"].isna().to_numpy()
    basket = frame["basket"].to_numpy(dtype=np.float64, copy=True)
    basket[alone] = np.nanmax(basket, initial=-1) + 1 + np.arange(int(alone.sum()))
    order = np.lexsort((basket, frame["second"].to_numpy(dtype=np.int64)))
    frame, basket = frame.iloc[order], basket[order].astype(np.int64)
    item = frame["item"].to_numpy(dtype=np.int64)
    listed = np.maximum(frame["amount"].to_numpy(dtype=np.float64), 0.5)
    amount = np.maximum((listed * frame["paid"].to_numpy(dtype=np.float64)).round(2), 0.01)
    names = numbered(f"world{world.seed}-t{part}-", basket)
    table = pa.table(
        {
            "customer_id": coded(frame["owner"].to_numpy(np.int64), people.table["customer_id"]),
            "occurred_at": times(world.start, frame["second"].to_numpy(dtype=np.int64)),
            "amount": amount,
            "transaction_id": names,
            "item_id": coded(item, catalogue.table["item_id"]),
            "category": coded(item // catalogue.per, CATEGORIES),
            "merchant": coded(*_words(catalogue.table["merchant"], item)),
            "quantity": np.maximum(np.round(listed / catalogue.price[item]), 1.0),
            "discount": np.maximum(listed.round(2) - amount, 0.0).round(2),
            "channel": coded((random.random(len(frame)) < 0.4).astype(np.int64), CHANNELS),
        }
    )
    odd = frame["pattern"].notna().to_numpy()
    planted = pa.table(
        {
            "transaction_id": names.filter(pa.array(odd)),
            "pattern": pa.array(frame["pattern"].to_numpy()[odd], type=pa.string()),
        }
    )
    return table, planted


def _baskets(
    people: People, catalogue: Catalogue, level: np.ndarray, random: np.random.Generator
) -> pd.DataFrame:
    """Draw the ordinary shopping: a category by taste, an item by habit or by popularity."""
    owner, second = draw_moments(people.pace, people, level, random, HOURS)
    lines = 1 + np.minimum(random.poisson(EXTRA_LINES, len(owner)), MOST_LINES - 1)
    trip = random.lognormal(-(TRIP_SPREAD**2) / 2, TRIP_SPREAD, len(owner)) / np.sqrt(lines)
    basket = np.repeat(np.arange(len(owner)), lines)
    who, at = owner[basket], second[basket]
    week = at // (DAYS_PER_WEEK * 86400)
    category = _by_taste(people.taste, who, random)
    item = catalogue.draw(category, week, random)
    habit = np.flatnonzero(random.random(len(who)) < HABIT)
    usual = people.favourites[who[habit], category[habit]]
    # Among the usual items, too, what is cheap this week is bought more often.
    pull = catalogue.pull[week[habit][:, None], usual].cumsum(axis=1)
    which = (random.random(len(habit))[:, None] * pull[:, -1:] > pull).sum(axis=1)
    item[habit] = usual[np.arange(len(habit)), np.minimum(which, FAVOURITES - 1)]
    amount = people.purse[who] * trip[basket] * catalogue.price[item] / TYPICAL_PRICE
    return pd.DataFrame(
        {
            "basket": basket.astype(np.float64),
            "owner": who,
            "second": at,
            "item": item,
            "amount": amount,
            "paid": catalogue.ratio[week, item],
        }
    )


def _by_taste(taste: np.ndarray, who: np.ndarray, random: np.random.Generator) -> np.ndarray:
    edges = (taste.cumsum(axis=1) + np.arange(len(taste))[:, None]).ravel()
    at = np.searchsorted(edges, who + random.random(len(who)), side="right")
    return np.asarray(np.minimum(at - who * taste.shape[1], taste.shape[1] - 1))


def _with_offer(
    people: People, catalogue: Catalogue, redeemed: Purchases, random: np.random.Generator
) -> pd.DataFrame:
    trip = random.lognormal(-(TRIP_SPREAD**2) / 2, TRIP_SPREAD, len(redeemed.owner))
    price = catalogue.price[redeemed.item] / TYPICAL_PRICE
    return pd.DataFrame(
        {
            "owner": redeemed.owner,
            "second": redeemed.second,
            "item": redeemed.item,
            "amount": people.purse[redeemed.owner] * trip * price,
            "paid": 1.0 - redeemed.off,
        }
    )


def _words(column: pd.Series[str], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes, words = pd.factorize(column)
    return codes[rows], np.asarray(words)
