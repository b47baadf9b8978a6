"""A synthetic world as a population that customers are drawn from, with its exact expectations.

Intervals promise that they cover the truth for customers like these. So customers are drawn with
replacement from a world whose every chance is known, and the truth is that of the whole world.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from data.schema import CUSTOMER_ID
from data.synthetic import WorldParameters
from data.synthetic.campaigns import AUDIENCES, FLOOR, Log, Visits, make_log
from data.synthetic.liking import Liking, examined
from data.synthetic.people import People
from data.synthetic.slates import SlatePolicy
from data.synthetic.truth import TrueWorld
from data.synthetic.world import Stage


@dataclass(frozen=True)
class Sample:
    """Customers drawn from a world, and the log of their visits.

    Attributes
    ----------
    people : People
        As if they were different ones, though some are drawn twice.
    person : ndarray of int, shape (customers,)
        Which of the world's each is.
    visits : Visits
        Theirs, in the order of time.
    visit : ndarray of int
        Which of the world's visits each is.
    log : Log
        What the logging policy showed, and the answers.
    context : ndarray of int
        Of each visit, for policies of this world.
    """

    people: People
    person: np.ndarray
    visits: Visits
    visit: np.ndarray
    log: Log
    context: np.ndarray


@dataclass(frozen=True)
class Expected:
    """What a policy yields at each visit, exactly; arrays of shape (visits,).

    Attributes
    ----------
    shown, clicks : ndarray of float
        Places filled, and clicks to be expected.
    variance : ndarray of float
        Of the weighted clicks, as the position model weighs them. Places of a slate are taken as
        independent; drawing without replacement makes them differ a little, to the estimate's
        advantage.
    """

    shown: np.ndarray
    clicks: np.ndarray
    variance: np.ndarray


class Population:
    """A world with the visits that its customers make.

    Parameters
    ----------
    seed : int
        Of the world and of all that is drawn from it.
    customers : int
    """

    def __init__(self, seed: int, customers: int) -> None:
        self.world = TrueWorld.of(WorldParameters(customers=customers, seed=seed))
        self.random = np.random.default_rng([seed, customers])
        self.visits = self.world.stage.visits(self.world.liking.people, self.random)

    def sample(self) -> Sample:
        """Draw as many customers as there are, with replacement, and log their visits."""
        people, random = self.world.liking.people, self.random
        n = len(people.pace)
        person = random.integers(0, n, n)
        by_owner = np.argsort(self.visits.owner, kind="stable")
        many = np.bincount(self.visits.owner, minlength=n)
        begin = np.concatenate([[0], many.cumsum()[:-1]])
        owner = np.repeat(np.arange(n), many[person])
        within = np.arange(len(owner)) - np.repeat(
            np.concatenate([[0], many[person].cumsum()[:-1]]), many[person]
        )
        visit = by_owner[begin[person[owner]] + within]
        order = np.argsort(self.visits.second[visit], kind="stable")
        owner, visit = owner[order], visit[order]
        drawn = _take(people, person)
        visits = Visits(owner, self.visits.second[visit])
        return Sample(
            drawn, person, visits, visit, self.log(drawn, visits), self._context(drawn, visits)
        )

    def log(self, people: People, visits: Visits) -> Log:
        """Log visits once more: the same customers, other slates and other answers."""
        stage = self.world.stage
        liking = Liking(people, stage.offers)
        return make_log(stage.world, liking, visits, stage.policy, self.random)

    def expect(self, policies: list[SlatePolicy]) -> list[Expected]:
        """Compute what policies yield at every visit of the world.

        Parameters
        ----------
        policies : list of SlatePolicy
            Of the same contexts as the logging policy.
        """
        stage, liking = self.world.stage, self.world.liking
        people, offers = len(liking.people.pace), len(stage.offers.category)
        pairs = np.repeat(np.arange(people), offers), np.tile(np.arange(offers), people)
        like = liking.click(*pairs).reshape(people, offers)
        seen = examined(np.arange(1, stage.world.slate + 1))
        who, context = self.visits.owner, self._context(liking.people, self.visits)

        def over_offers(table: np.ndarray) -> np.ndarray:
            """Sum figures of a context over offers, each times its chance of a click."""
            return np.asarray(np.einsum("vo,vo->v", like[who], table[context]))

        contexts = np.arange(len(stage.policy.start) - 1)
        logged = stage.policy.dense(contexts, offers)
        found = []
        for policy in policies:
            wanted = policy.dense(contexts, offers)
            weight = np.divide(wanted, logged, out=np.zeros_like(wanted), where=logged > 0)
            at_place = [over_offers(wanted[:, :, k] * seen[k]) for k in range(len(seen))]
            squares = over_offers((wanted * weight) @ seen)
            found.append(
                Expected(
                    shown=wanted.sum(axis=(1, 2))[context],
                    clicks=np.sum(at_place, axis=0),
                    variance=squares - np.sum(np.square(at_place), axis=0),
                )
            )
        return found

    def _context(self, people: People, visits: Visits) -> np.ndarray:
        context = self.world.stage.policy.context
        return np.asarray(context[people.audience[visits.owner], visits.day])


def quality_policy(stage: Stage) -> SlatePolicy:
    """Return a policy that shows first, by chance, what is liked by everybody."""
    offers = stage.offers
    weights = np.tile(np.exp(1.5 * offers.quality), (AUDIENCES, 1))
    return SlatePolicy.of(
        weights, offers.begin, offers.end, stage.world.days, stage.world.slate, FLOOR
    )


def best_policy(stage: Stage, policy: SlatePolicy) -> SlatePolicy:
    """Return the policy that always shows the best liked offers, best first, without any chance."""
    number = np.repeat(np.arange(len(policy.start) - 1), np.diff(policy.start))
    order = np.lexsort((-stage.offers.quality[policy.offer], number))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - policy.start[number[order]]
    chance = (rank[:, None] == np.arange(policy.chance.shape[1])).astype(np.float64)
    return replace(policy, chance=chance)


def _take(people: People, rows: np.ndarray) -> People:
    columns = {
        field.name: getattr(people, field.name)[rows]
        for field in fields(People)
        if field.name != "table"
    }
    table = people.table.iloc[rows].reset_index(drop=True)
    ids = pd.Series(np.arange(len(rows)), dtype="str")
    return People(table=table.assign(**{CUSTOMER_ID: ids}), **columns)
