"""Offers of the synthetic world: campaigns and evergreens, and the items they apply to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.synthetic.catalogue import Catalogue
from data.synthetic.parameters import CATEGORIES, KINDS, WorldParameters

EVERGREEN = 0.2  # share of offers that belong to no campaign
# A campaign begins every so many days, the types in this turn; the first ones began before the
# history does.
CAMPAIGN_EVERY = 15
TURN = ("A", "B", "A", "B", "A", "C")
BEGUN_BEFORE = 3
OFFERS_BY_TYPE = {"A": 3.0, "B": 1.0, "C": 0.8}
DAYS_BY_TYPE = {"A": (28, 40), "B": (28, 40), "C": (28, 48)}
APPEAL_BY_TYPE = {"A": 0.45, "B": -0.1, "C": 0.05}
EVERGREEN_DAYS = (90, 400)
WEEK = 7
MOST_ITEMS = 0.3  # of its category, that an offer applies to
# Share of offers whose merchants do not honour them at the till: clicked, never redeemed.
UNWILLING = 0.5
QUALITY_SPREAD = 0.45
REPEATABLE = 0.15
PERCENTS = (0.05, 0.1, 0.15, 0.2, 0.3)


@dataclass(frozen=True)
class Offers:
    """Offers with everything that drives their success; arrays have one row per offer.

    Attributes
    ----------
    table, items : DataFrame
        The tables `offers` and `offer_items`.
    category, kind : ndarray of int
        Places in `CATEGORIES` and `KINDS`.
    first, size : ndarray of int
        An offer applies to the items ``first … first + size - 1``, all of its category.
    begin, end : ndarray of int
        Days since the start between which an offer is valid; the end is a large number if open.
    quality : ndarray of float
        What makes it liked by everybody, on the log-odds scale.
    share : ndarray of float
        Share of its items in the purchases of its category.
    reward, cost, margin, off : ndarray of float
        Worth to the customer, cost of a redemption, what a sale earns (money); share off the price.
    repeatable : ndarray of bool
    honoured : ndarray of bool
        Whether it can be redeemed at all; that depends on its merchant and is written nowhere.
    """

    table: pd.DataFrame
    items: pd.DataFrame
    category: np.ndarray
    kind: np.ndarray
    first: np.ndarray
    size: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    quality: np.ndarray
    share: np.ndarray
    reward: np.ndarray
    cost: np.ndarray
    margin: np.ndarray
    off: np.ndarray
    repeatable: np.ndarray
    honoured: np.ndarray


def make_offers(
    world: WorldParameters, catalogue: Catalogue, random: np.random.Generator
) -> Offers:
    """Draw the offers; new ones arrive with every campaign."""
    n, per = world.offers, catalogue.per
    campaign, kinds_of_campaign, begin, end = _calendar(world, random)
    category = random.integers(0, len(CATEGORIES), n)
    kind = random.integers(0, len(KINDS), n)
    size = np.ceil(random.uniform(0, MOST_ITEMS, n) * per).astype(int)
    first = category * per + (random.random(n) * (per - size + 1)).astype(int)
    running = np.concatenate([[0.0], catalogue.share.cumsum()])
    off = np.where(np.isin(kind, (0, 1)), random.choice(PERCENTS, n), 0.0)
    reward = random.uniform(2, 25, n).round(0)
    cost, margin = (reward * 0.6).round(2), random.uniform(3, 30, n).round(2)
    repeatable = random.random(n) < REPEATABLE
    quality = random.normal(0, QUALITY_SPREAD, n) + 0.02 * reward
    quality += np.array([APPEAL_BY_TYPE.get(name, 0.0) for name in kinds_of_campaign])
    merchant = catalogue.table["merchant"].to_numpy()[first]
    honoured = _honoured(merchant, random)
    names = np.array(CATEGORIES, dtype=object)[category]
    words = np.array(KINDS, dtype=object)[kind]
    ids = np.array([f"o{row:04d}" for row in range(n)], dtype=object)
    shown_off = [f"{value:.0%} " if value else "" for value in off]
    midnight = world.start + pd.to_timedelta(begin, unit="D")
    # What still runs when the history ends often has no end set, as evergreen offers do.
    open_end = (campaign < 0) & (end >= world.days)
    end = np.where(open_end, np.iinfo(np.int32).max, end)
    close = world.start + pd.to_timedelta(np.where(open_end, 0, end), unit="D")
    table = pd.DataFrame(
        {
            "offer_id": ids,
            "title": [f"{o}{k} on {c}" for o, k, c in zip(shown_off, words, names, strict=True)],
            "category": names,
            "tags": words + "|" + names,
            "merchant": merchant,
            "kind": words,
            "discount": off,
            "reward": reward,
            "cost": cost,
            "margin": margin,
            "valid_from": midnight,
            "valid_until": pd.Series(close).mask(open_end).to_numpy(dtype="datetime64[us]"),
            "repeatable": repeatable,
            "campaign": pd.Series([f"campaign {one}" for one in campaign]).mask(campaign < 0),
            "campaign_type": pd.Series(kinds_of_campaign).mask(campaign < 0),
        }
    )
    table["valid_until"] = table["valid_until"].dt.tz_localize("UTC")
    behind = np.repeat(np.arange(n), size)
    within = np.arange(len(behind)) - np.repeat(size.cumsum() - size, size)
    pairs = pd.DataFrame(
        {
            "offer_id": ids[behind],
            "item_id": catalogue.table["item_id"].to_numpy()[first[behind] + within],
        }
    )
    return Offers(
        table=table, items=pairs, category=category, kind=kind, first=first, size=size,
        begin=begin, end=end, quality=quality, share=running[first + size] - running[first],
        reward=reward, cost=cost, margin=margin, off=off, repeatable=repeatable,
        honoured=honoured,
    )  # fmt: skip


def _honoured(merchant: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Let merchants in a drawn order refuse, until theirs are about `UNWILLING` of all offers."""
    code, names = pd.factorize(merchant)
    order = random.permutation(len(names))
    before = np.empty(len(names))
    counts = np.bincount(code)[order]
    before[order] = counts.cumsum() - counts / 2
    return np.asarray(before[code] > UNWILLING * len(merchant))


def _calendar(
    world: WorldParameters, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give each offer a campaign (-1 for none) with its type, first day and day after the last."""
    n = world.offers
    slots = np.arange(-BEGUN_BEFORE, max(1, -(-world.days // CAMPAIGN_EVERY)))
    types = np.array([TURN[slot % len(TURN)] for slot in slots])
    first_day = slots * CAMPAIGN_EVERY
    length = np.array([random.integers(*DAYS_BY_TYPE[name]) for name in types])
    weight = np.array([OFFERS_BY_TYPE[name] for name in types])
    slot = random.choice(len(slots), size=n, p=weight / weight.sum())
    alone = random.random(n) < EVERGREEN
    # So that there is always something to show, the first offers stand from the beginning.
    alone[: max(1, min(world.slate, n // 10))] = True
    begin = np.where(random.random(n) < 0.6, 0, random.integers(0, world.days, n))
    begin[: world.slate] = 0
    end = begin + random.integers(*EVERGREEN_DAYS, n)
    begin, end = begin // WEEK * WEEK, end // WEEK * WEEK  # things change on one day of the week
    end[: world.slate] = world.days
    return (
        np.where(alone, -1, slot),
        np.where(alone, "", types[slot]),
        np.where(alone, begin, first_day[slot]),
        np.where(alone, end, first_day[slot] + length[slot]),
    )
