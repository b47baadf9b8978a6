"""What is known of a synthetic world: everybody's true probabilities, the exact value of a policy.

For measuring estimators. Training never comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import DataError
from data.schema import CUSTOMER_ID, EVENT_TYPE, IMPRESSION, OCCURRED_AT, OFFER_ID, REDEMPTION
from data.synthetic.campaigns import PERIOD
from data.synthetic.liking import Liking, examined
from data.synthetic.parameters import WorldParameters
from data.synthetic.people import People
from data.synthetic.slates import SlatePolicy
from data.synthetic.world import GENERATOR, Stage

# A policy, as the chance of each offer at each place, shape (visits, offers, places), for the rows
# of the customers who visit and the days on which they do.
Policy = Callable[[np.ndarray, np.ndarray], np.ndarray]
CHUNK = 2_000_000  # chances held at a time


@dataclass(frozen=True)
class Contexts:
    """The visits a policy is valued on; arrays of the same length.

    Attributes
    ----------
    who, day : ndarray of int
        Row of the customer and days since the start.
    lately : ndarray of bool
        Whether the customer had redeemed anything in the period of 30 days before.
    """

    who: np.ndarray
    day: np.ndarray
    lately: np.ndarray

    def where(self, kept: np.ndarray) -> Contexts:
        """Return some of the visits, by a mask."""
        return Contexts(self.who[kept], self.day[kept], self.lately[kept])


@dataclass(frozen=True)
class PolicyValue:
    """What a policy truly yields, per shown position, on customers who have yet to redeem.

    Attributes
    ----------
    ctr : float
        Expected clicks.
    conversion : float
        Expected redemptions.
    incremental : float
        Expected redemptions by those who would not have bought anyway.
    margin : float
        Expected money: the margin of incremental sales, less the cost of all redemptions.
    """

    ctr: float
    conversion: float
    incremental: float
    margin: float


@dataclass(frozen=True)
class TrueWorld:
    """A world as it really is, made anew from its parameters.

    Attributes
    ----------
    stage : Stage
        Items, offers and the logging policy.
    liking : Liking
        True probabilities for pairs of rows; rows are those of the customers and offers tables.
    """

    stage: Stage
    liking: Liking

    @classmethod
    def of(cls, world: WorldParameters) -> TrueWorld:
        """Make the truth of a world."""
        stage = Stage.of(world)
        people = _together([stage.people(part) for part in range(stage.parts)])
        return cls(stage, Liking(people, stage.offers))

    @classmethod
    def read(cls, folder: Path) -> TrueWorld:
        """Make the truth of a generated dataset folder.

        Raises
        ------
        DataError
            The folder has no truth, or another version of the generator made it.
        """
        path = folder / "truth" / "parameters.parquet"
        remedy = "Make the world anew with `python -m data generate DIR`."
        if not path.is_file():
            raise DataError(f"{folder} holds no truth/parameters.parquet.", remedy)
        table = pd.read_parquet(path)
        texts = dict(zip(table["name"], table["value"], strict=True))
        if texts.pop("generator") != str(GENERATOR):
            raise DataError(f"{folder} was made by another version of the generator.", remedy)
        return cls.of(WorldParameters.from_texts(texts))

    def contexts(self, interactions: pd.DataFrame) -> Contexts:
        """Return the visits of a log, with what each customer had redeemed before."""
        start = self.stage.world.start
        shown = interactions[interactions[EVENT_TYPE] == IMPRESSION]
        visits = shown.drop_duplicates("decision_id").set_index("decision_id")
        who = self.rows(visits[CUSTOMER_ID])
        day = ((visits[OCCURRED_AT] - start) // pd.Timedelta(days=1)).to_numpy(dtype=np.int64)
        redeemed = interactions.loc[interactions[EVENT_TYPE] == REDEMPTION, "decision_id"]
        place = visits.index.get_indexer(pd.Index(redeemed))
        periods = self.stage.world.days // PERIOD + 2
        done = np.unique(who[place] * periods + day[place] // PERIOD)
        lately = np.isin(who * periods + day // PERIOD - 1, done) & (day >= PERIOD)
        return Contexts(who, day, lately)

    def chances(self, interactions: pd.DataFrame, showings: pd.DataFrame) -> np.ndarray:
        """Return how likely each showing truly was to be redeemed, by who had yet to.

        Parameters
        ----------
        interactions : DataFrame
            The log, from its beginning.
        showings : DataFrame
            Impressions of it.
        """
        visits = interactions.loc[interactions[EVENT_TYPE] == IMPRESSION, "decision_id"].unique()
        visit = pd.Index(visits).get_indexer(pd.Index(showings["decision_id"]))
        lately, who = self.contexts(interactions).lately[visit], self.rows(showings[CUSTOMER_ID])
        offer = pd.Index(self.stage.offers.table[OFFER_ID]).get_indexer(showings[OFFER_ID])
        chance = examined(showings["position"].to_numpy(dtype=np.float64))
        chance = chance * self.liking.click(who, offer)
        return np.asarray(chance * self.liking.redemption(who, offer, lately))

    def rows(self, customers: pd.Series[str]) -> np.ndarray:
        """Return the rows of customers by their ids."""
        ids = pd.Index(self.liking.people.table[CUSTOMER_ID])
        return np.asarray(ids.get_indexer(pd.Index(customers)))

    def drawing(self, policy: SlatePolicy) -> Policy:
        """Return a random slate policy as a policy to be valued."""
        offers = len(self.stage.offers.category)

        def chances(who: np.ndarray, day: np.ndarray) -> np.ndarray:
            context = policy.context[self.liking.people.audience[who], day]
            different, which = np.unique(context, return_inverse=True)
            return policy.dense(different, offers)[which]

        return chances

    def value(self, policy: Policy, contexts: Contexts) -> PolicyValue:
        """Compute what a policy yields on visits: an exact sum, nothing is drawn.

        Parameters
        ----------
        policy : callable
            Given rows of customers and days, the chance of each offer at each place; an array of
            shape (visits, offers, places).
        contexts : Contexts
            The visits; every one counts the same.
        """
        offers = self.stage.offers
        step = max(1, CHUNK // (len(offers.category) * self.stage.world.slate))
        total = np.zeros(5)
        for first in range(0, len(contexts.who), step):
            rows = slice(first, first + step)
            who, lately = contexts.who[rows], contexts.lately[rows]
            chances = policy(who, contexts.day[rows])
            looked_at = chances @ examined(np.arange(1, chances.shape[2] + 1))
            visit, offer = np.nonzero(looked_at)
            clicks = looked_at[visit, offer] * self.liking.click(who[visit], offer)
            redeemed = clicks * self.liking.redemption(who[visit], offer, lately[visit])
            moved = clicks * (1 - self.liking.anyway(who[visit], offer))
            moved *= self.liking.persuaded(who[visit], offer, lately[visit])
            money = moved * offers.margin[offer] - redeemed * offers.cost[offer]
            total += [chances.sum(), clicks.sum(), redeemed.sum(), moved.sum(), money.sum()]
        return PolicyValue(*(total[1:] / max(total[0], np.finfo(float).tiny)))


def _together(parts: list[People]) -> People:
    columns = {}
    for field in fields(People):
        values = [getattr(part, field.name) for part in parts]
        if field.name == "table":
            columns[field.name] = pd.concat(values, ignore_index=True)
        else:
            columns[field.name] = np.concatenate(values)
    return People(**columns)
