"""How offers were shown in the synthetic world, and what people did with them: the log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from data.synthetic.catalogue import Catalogue
from data.synthetic.columns import coded, numbered, times
from data.synthetic.liking import Liking, examined
from data.synthetic.offers import Offers
from data.synthetic.parameters import CATEGORIES, WorldParameters
from data.synthetic.people import NEWCOMER_FROM, People
from data.synthetic.seasons import draw_moments
from data.synthetic.shopping import Purchases
from data.synthetic.slates import SlatePolicy

FLOOR = 0.15  # share of each draw that is spread evenly: no valid offer is excluded
AUDIENCES = 3
VISITS_PER_DAY, VISITS_PER_TRANSACTION = 0.11, 0.22
FIRST_VISITS = 5.0  # more of them for newcomers: the first days are curious
HOURS = (17.0, 4.0)
PERIOD = 30  # days: who redeemed in one redeems more in the next
DELAY_DAYS = 2.0
TYPES = ("click", "impression", "redemption")
CLICK, IMPRESSION, REDEMPTION = range(3)


def logging_policy(
    world: WorldParameters, offers: Offers, random: np.random.Generator
) -> SlatePolicy:
    """Return what marketing did: rewarding offers first, with a belief per audience."""
    belief = random.normal(0.0, 0.4, (AUDIENCES, len(CATEGORIES)))[:, offers.category]
    weights = np.exp(offers.reward / 14.0 + belief)
    return SlatePolicy.of(weights, offers.begin, offers.end, world.days, world.slate, FLOOR)


@dataclass(frozen=True)
class Visits:
    """Visits of some customers in the order of time; arrays of the same length.

    Attributes
    ----------
    owner : ndarray of int
        Row of the customer.
    second : ndarray of int
        When, in seconds since the start.
    """

    owner: np.ndarray
    second: np.ndarray

    @property
    def day(self) -> np.ndarray:
        """Days since the start."""
        return np.asarray(self.second // 86400)


def draw_visits(
    world: WorldParameters, people: People, level: np.ndarray, random: np.random.Generator
) -> Visits:
    """Draw when customers look at what is on offer."""
    per_day = VISITS_PER_DAY + VISITS_PER_TRANSACTION * people.pace
    newcomer = people.signup_day >= world.days * NEWCOMER_FROM
    left = np.maximum(people.last_day - people.signup_day, 1.0)
    per_day = np.where(newcomer, per_day + FIRST_VISITS / left, per_day)
    owner, second = draw_moments(per_day, people, level, random, HOURS)
    order = np.lexsort((owner, second))
    return Visits(owner[order], second[order])


@dataclass(frozen=True)
class Log:
    """What was shown and what came of it; arrays have one row per shown position.

    Attributes
    ----------
    visit, who, offer, position : ndarray of int
        Row of the visit, of the customer and of the offer; place in the slate, 1 is the top.
    second : ndarray of int
        When it was shown, in seconds since the start.
    propensity : ndarray of float
        Exact chance of this offer at this place.
    clicked, redeemed, incremental : ndarray of bool
        What happened; incremental is a redemption by somebody who would not have bought anyway.
    delay : ndarray of int
        Seconds from being shown to the redemption.
    lately : ndarray of bool
        Whether the customer had redeemed in the period before.
    """

    visit: np.ndarray
    who: np.ndarray
    offer: np.ndarray
    position: np.ndarray
    second: np.ndarray
    propensity: np.ndarray
    clicked: np.ndarray
    redeemed: np.ndarray
    incremental: np.ndarray
    delay: np.ndarray
    lately: np.ndarray


def make_log(
    world: WorldParameters,
    liking: Liking,
    visits: Visits,
    policy: SlatePolicy,
    random: np.random.Generator,
) -> Log:
    """Show a slate at each visit and draw the answers."""
    people, offers = liking.people, liking.offers
    context = policy.context[people.audience[visits.owner], visits.day]
    slates, chances = policy.draw(context, random)
    visit, place = np.nonzero(slates >= 0)
    offer, who, second = slates[visit, place], visits.owner[visit], visits.second[visit]
    n = len(visit)
    clicked = random.random(n) < examined(place + 1) * liking.click(who, offer)
    delay = (random.exponential(DELAY_DAYS, n) * 86400).astype(np.int64) + 120
    draw, kind = random.random(n), random.random(n)
    # Nothing is redeemed after the offer's end or the end of the history.
    end = np.minimum(offers.end[offer].astype(np.int64), world.days) * 86400
    possible = clicked & (second + delay < end)
    redeemed, incremental, lately = (np.zeros(n, dtype=bool) for _ in range(3))
    redeemers = np.zeros(len(people.pace), dtype=bool)
    done = np.zeros(0, dtype=np.int64)
    pair = who.astype(np.int64) * len(offers.category) + offer
    period = second // (PERIOD * 86400)
    for now in range(int(period.max(initial=-1)) + 1):
        rows = np.flatnonzero(period == now)
        lately[rows] = redeemers[who[rows]]
        tried = rows[possible[rows]]
        chance = liking.redemption(who[tried], offer[tried], lately[tried])
        taken = tried[draw[tried] < chance]
        taken = taken[np.argsort(second[taken] + delay[taken], kind="stable")]
        # An offer that is not repeatable is redeemed once.
        once = ~offers.repeatable[offer[taken]]
        taken = taken[~(once & (pd.Series(pair[taken]).duplicated() | np.isin(pair[taken], done)))]
        redeemed[taken] = True
        persuaded = 1 - liking.anyway(who[taken], offer[taken])
        persuaded *= liking.persuaded(who[taken], offer[taken], lately[taken])
        incremental[taken] = kind[taken] < persuaded / chance[np.searchsorted(tried, taken)]
        done = np.concatenate([done, pair[taken]])
        redeemers = np.bincount(who[taken], minlength=len(redeemers)) > 0
    return Log(
        visit, who, offer, place + 1, second, chances[visit, place], clicked, redeemed,
        incremental, delay, lately,
    )  # fmt: skip


def make_interactions(
    world: WorldParameters, people: People, offers: Offers, log: Log, part: int,
    random: np.random.Generator,
) -> tuple[pa.Table, pa.Table]:  # fmt: skip
    """Write the log as rows of events, in the order of time.

    Returns
    -------
    interactions : pyarrow.Table
        The interactions table.
    redemptions : pyarrow.Table
        Truth: event_id and whether the redemption is incremental.
    """
    clicked, redeemed = np.flatnonzero(log.clicked), np.flatnonzero(log.redeemed)
    kinds = np.repeat([IMPRESSION, CLICK, REDEMPTION], [len(log.who), len(clicked), len(redeemed)])
    row = np.concatenate([np.arange(len(log.who)), clicked, redeemed])
    after = np.zeros(len(row), dtype=np.int64)
    after[kinds == CLICK] = random.integers(2, 120, len(clicked))
    after[kinds == REDEMPTION] = log.delay[redeemed]
    second = log.second[row] + after
    order = np.lexsort((kinds, log.position[row], log.visit[row], second))
    order = order[second[order] < world.days * 86400]
    kinds, row, second = kinds[order], row[order], second[order]
    shown = kinds != IMPRESSION
    ids = numbered(f"world{world.seed}-e{part}-", np.arange(len(row)))
    table = pa.table(
        {
            "customer_id": coded(log.who[row], people.table["customer_id"]),
            "offer_id": coded(log.offer[row], offers.table["offer_id"]),
            "event_type": coded(kinds, TYPES),
            "occurred_at": times(world.start, second),
            "event_id": ids,
            "position": pa.array(log.position[row].astype(np.float64), mask=shown),
            "propensity": pa.array(log.propensity[row], mask=shown),
            "decision_id": numbered(f"world{world.seed}-d{part}-", log.visit[row]),
            "policy": coded(np.zeros(len(row), dtype=np.int64), ("logging",)),
        }
    )
    last = np.flatnonzero(kinds == REDEMPTION)
    truth = {"event_id": ids.take(pa.array(last)), "incremental": log.incremental[row[last]]}
    return table, pa.table(truth)


def redeemed_purchases(
    offers: Offers, catalogue: Catalogue, log: Log, random: np.random.Generator
) -> Purchases:
    """Return the purchase that each redemption is: an item of the offer, at its discount."""
    rows = np.flatnonzero(log.redeemed)
    offer = log.offer[rows]
    running = np.concatenate([[0.0], catalogue.share.cumsum()])
    spot = running[offers.first[offer]] + random.random(len(rows)) * offers.share[offer]
    item = np.searchsorted(running, spot, side="right") - 1
    item = np.clip(item, offers.first[offer], offers.first[offer] + offers.size[offer] - 1)
    return Purchases(log.who[rows], item, log.second[rows] + log.delay[rows], offers.off[offer])
