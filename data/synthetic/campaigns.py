"""Offers of the synthetic world, how they were shown, and what people did with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.synthetic.parameters import CATEGORIES, KINDS, WorldParameters
from data.synthetic.people import People

FLOOR = 0.15  # share of each slate's probability that is spread evenly: no valid offer is excluded
VISITS_PER_TRANSACTION = 0.9
EXAMINED_DECAY = 0.30
CLICK_BASE, REDEEM_BASE = -3.6, -0.9


@dataclass(frozen=True)
class Liking:
    """True answers of people to offers; arrays of shape (customers, offers).

    Attributes
    ----------
    click : ndarray
        Probability of a click when the offer is shown on top.
    redemption : ndarray
        Probability of a redemption when the offer is shown on top.
    """

    click: np.ndarray
    redemption: np.ndarray


def make_offers(
    world: WorldParameters, items: pd.DataFrame, random: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw offers and the items they apply to; two in five stand from the start, others arrive."""
    n = world.offers
    category = random.integers(0, len(CATEGORIES), n)
    kind = random.integers(0, len(KINDS), n)
    begin = np.where(random.random(n) < 0.4, 0.0, random.uniform(0, world.days, n))
    length = random.uniform(45, 180, n)
    # What still runs when the history ends often has no end set, as evergreen offers do.
    evergreen = (begin + length >= world.days) & (random.random(n) < 0.6)
    pairs, merchants = [], []
    per = world.items_per_category
    for row in range(n):
        size = int(random.integers(2, 9))
        first = int(random.integers(0, max(1, per - size)))
        rows = category[row] * per + np.arange(first, min(first + size, per))
        merchants.append(items["merchant"].iloc[rows[0]])
        pairs += [(f"o{row:04d}", items["item_id"].iloc[item]) for item in rows]
    discount = np.where(np.isin(kind, (0, 1)), random.choice([0.05, 0.1, 0.15, 0.2, 0.3], n), 0)
    reward = random.uniform(2, 25, n).round(0)
    names = np.array(CATEGORIES, dtype=object)[category]
    offers = pd.DataFrame(
        {
            "offer_id": [f"o{row:04d}" for row in range(n)],
            "title": [
                f"{_percent(discount[row])}{KINDS[kind[row]]} on {names[row]}" for row in range(n)
            ],
            "category": names,
            "tags": [f"{KINDS[kind[row]]}|{names[row]}" for row in range(n)],
            "merchant": merchants,
            "kind": np.array(KINDS, dtype=object)[kind],
            "discount": discount,
            "reward": reward,
            "cost": (reward * 0.6).round(2),
            "margin": random.uniform(3, 30, n).round(2),
            "valid_from": world.start + pd.to_timedelta((begin * 86400).round(), unit="s"),
            "valid_until": (
                world.start + pd.to_timedelta(((begin + length) * 86400).round(), unit="s")
            ).where(~evergreen),
            "repeatable": random.random(n) < 0.15,
        }
    )
    return offers, pd.DataFrame(pairs, columns=["offer_id", "item_id"])


def true_liking(
    people: People,
    offers: pd.DataFrame,
    bought: np.ndarray,
    random: np.random.Generator,
) -> Liking:
    """Compute what each customer would do with each offer.

    Parameters
    ----------
    bought : ndarray of shape (customers, offers)
        How many lines each customer bought of the items behind each offer.
    """
    category = np.array([CATEGORIES.index(name) for name in offers["category"]])
    kind = np.array([KINDS.index(name) for name in offers["kind"]])
    taste = np.log(people.taste * len(CATEGORIES) + 0.05)
    quality = random.normal(0, 0.6, len(offers)) + 0.02 * offers["reward"].to_numpy()
    want = (
        0.9 * taste[:, category]
        + people.kind_liking[:, kind]
        + 0.5 * np.log1p(bought)
        + quality[None, :]
    )
    click = _sigmoid(CLICK_BASE + want)
    return Liking(click=click, redemption=click * _sigmoid(REDEEM_BASE + 0.6 * want))


def make_interactions(
    world: WorldParameters,
    people: People,
    offers: pd.DataFrame,
    liking: Liking,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Show slates at visits and log what happened.

    The logging policy draws a slate position by position (Plackett-Luce) from a mixture of a
    softmax over offer quality and an even floor. `propensity` is the exact probability of the offer
    at its position given those above it.
    """
    active = np.clip(people.last_day - people.signup_day, 0, None)
    visits = random.poisson(people.rate * active * VISITS_PER_TRANSACTION)
    newcomers = people.signup_day >= world.days * 5 / 6
    visits[newcomers] += random.poisson(6.0, int(newcomers.sum()))  # the first days are curious
    owner = np.repeat(np.arange(world.customers), visits)
    second = people.signup_day[owner] + random.random(len(owner)) * active[owner]
    second = np.minimum((second * 86400).round(), world.days * 86400 - 1)
    order = np.lexsort((owner, second))
    owner, second = owner[order], second[order]
    begin = (offers["valid_from"] - world.start).dt.total_seconds().to_numpy()
    end = (offers["valid_until"] - world.start).dt.total_seconds().fillna(np.inf).to_numpy()
    appeal = np.exp(offers["reward"].to_numpy() / 12.0)
    events = []
    for part in np.array_split(np.arange(len(owner)), max(1, len(owner) // 20_000)):
        valid = (begin <= second[part][:, None]) & (second[part][:, None] < end)
        rows, shown, position, propensity = _slates(valid, appeal, world.slate, random)
        visit = part[rows]
        events.append(
            pd.DataFrame(
                {
                    "visit": visit,
                    "owner": owner[visit],
                    "offer": shown,
                    "position": position,
                    "propensity": propensity,
                    "second": second[visit],
                }
            )
        )
    shown_frame = pd.concat(events, ignore_index=True)
    return _answers(shown_frame, world, people, offers, liking, random)


def _slates(
    valid: np.ndarray, appeal: np.ndarray, slate: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw one slate per row of `valid`; flat arrays of row, offer, position, propensity."""
    some: np.ndarray = np.asarray(valid.any(axis=1))
    chance = np.where(valid, appeal, 0.0)
    total = np.maximum(chance.sum(axis=1, keepdims=True), 1e-12)
    even = valid / np.maximum(valid.sum(axis=1, keepdims=True), 1)
    chance = (1 - FLOOR) * chance / total + FLOOR * even
    with np.errstate(divide="ignore"):
        keys = np.log(chance) + random.gumbel(size=chance.shape)
    depth = min(slate, valid.shape[1])
    top = np.argsort(-keys, axis=1, kind="stable")[:, :depth]
    picked = np.take_along_axis(chance, top, axis=1)
    above = np.cumsum(picked, axis=1) - picked
    propensity = picked / np.maximum(1 - above, 1e-12)
    there: np.ndarray = (picked > 0) & some[:, None]
    rows, column = np.nonzero(there)
    return rows, top[there], column + 1, np.minimum(propensity[there], 1.0)


def _answers(
    shown: pd.DataFrame,
    world: WorldParameters,
    people: People,
    offers: pd.DataFrame,
    liking: Liking,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Turn impressions into the log: examined by position, clicked, redeemed after a delay."""
    who, offer = shown["owner"].to_numpy(), shown["offer"].to_numpy()
    examined = 1.0 / (1.0 + EXAMINED_DECAY * (shown["position"].to_numpy() - 1))
    click_chance = liking.click[who, offer]
    clicked = random.random(len(shown)) < examined * click_chance
    redeemed = clicked & (random.random(len(shown)) < liking.redemption[who, offer] / click_chance)
    impression = shown.assign(event_type="impression")
    click = shown[clicked].assign(event_type="click")
    click["second"] += random.integers(2, 120, len(click))
    redemption = shown[redeemed].assign(event_type="redemption")
    redemption["second"] += (random.exponential(2.0, len(redemption)) * 86400).round() + 120
    # Nothing is redeemed after its end, and a non-repeatable offer is redeemed once.
    end = (offers["valid_until"] - world.start).dt.total_seconds().fillna(np.inf).to_numpy()
    redemption = redemption[redemption["second"].to_numpy() < end[redemption["offer"]]]
    redemption = redemption.sort_values(["second", "visit"], kind="stable")
    once = ~offers["repeatable"].to_numpy()[redemption["offer"]]
    again = redemption.duplicated(["owner", "offer"]).to_numpy()
    redemption = redemption[~(once & again)]
    log = pd.concat([impression, click, redemption], ignore_index=True)
    log = log[log["second"] < world.days * 86400]
    log = log.sort_values(["second", "visit", "position", "event_type"], kind="stable")
    is_shown = (log["event_type"] == "impression").to_numpy()
    return pd.DataFrame(
        {
            "customer_id": people.table["customer_id"].to_numpy()[log["owner"]],
            "offer_id": offers["offer_id"].to_numpy()[log["offer"]],
            "event_type": log["event_type"].to_numpy(),
            "occurred_at": world.start + pd.to_timedelta(log["second"].to_numpy(), unit="s"),
            "event_id": [f"world{world.seed}-e{row}" for row in range(len(log))],
            "position": log["position"].astype("float64").where(is_shown).to_numpy(),
            "propensity": log["propensity"].where(is_shown).to_numpy(),
            "decision_id": (f"world{world.seed}-d" + log["visit"].astype(str)).to_numpy(),
            "policy": "logging",
        }
    )


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _percent(discount: float) -> str:
    return f"{discount:.0%} " if discount > 0 else ""
