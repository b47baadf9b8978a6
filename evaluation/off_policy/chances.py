"""What a policy would have done at every logged position: the chances of its lists of one moment.

A model ranks the offers once per customer, and an impression is held against the list of the offers
that were valid when it was shown. A list is deterministic, so that a policy shows the logged offer
or does not; exploring draws some lists evenly, with chances that are known as exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.dataset import Dataset, valid_at
from data.idmap import IdMap
from data.schema import CUSTOMER_ID, OFFER_ID
from evaluation.off_policy.logged import Log
from recommender.base import RANDOM
from recommender.batch import query_customers
from recommender.bundle import Bundle
from recommender.service import Service
from recommender.serving.lists import Ranked, Wish

CELLS = 2_000_000  # impressions times offers that are looked at together


@dataclass(frozen=True)
class Chances:
    """What a policy would have done; arrays have one row per logged position.

    Attributes
    ----------
    target : ndarray of float, shape (n,)
        Chance that it shows the logged offer there.
    mass : ndarray of float, shape (n,)
        Chance that it shows anything there: 0 where its list is shorter.
    means : dict of str to ndarray of float, shape (n,)
        Mean of each table over what it shows there.
    """

    target: np.ndarray
    mass: np.ndarray
    means: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Block:
    """Some impressions beside their customers' offers; row by row.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Which impressions.
    order : ndarray of int, shape (n, offers)
        Offers, best first.
    valid : ndarray of bool, shape (n, offers)
        Which of them may be listed then.
    column : ndarray of int, shape (n,)
        The place, from 0.
    """

    rows: np.ndarray
    order: np.ndarray
    valid: np.ndarray
    column: np.ndarray

    def listed(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the offer at the place of each row, and whether the list goes that far."""
        running = self.valid.cumsum(axis=1)
        entry = (running > self.column[:, None]).argmax(axis=1)
        return self.order[np.arange(len(self.rows)), entry], running[:, -1] > self.column

    def drawn(self, table: np.ndarray) -> np.ndarray:
        """Average a table over the offers that may be listed."""
        cells = np.where(self.valid, table[self.order, self.column[:, None]], 0.0)
        return np.asarray(cells.sum(axis=1) / np.maximum(self.valid.sum(axis=1), 1))


class Decider:
    """A model that lists offers for the customers of a log, as of one moment.

    Parameters
    ----------
    bundle : Bundle
        Ranks.
    dataset : Dataset
        Tells of customers that the bundle does not know, by rows before the moment.
    log : Log
        The impressions.
    at : Timestamp
        The moment.

    Attributes
    ----------
    offers : IdMap
        The rows of tables.
    offer : ndarray of int, shape (n,)
        Row of each logged offer; -1 where the model does not know it.
    """

    def __init__(self, bundle: Bundle, dataset: Dataset, log: Log, at: pd.Timestamp) -> None:
        table = bundle.offers
        self.offers = IdMap(table[OFFER_ID])
        logged = pd.Series(log.offer, dtype="str")
        self.offer = np.full(len(log), -1)
        known = self.offers.known(logged)
        self.offer[known] = self.offers.rows(logged[known])
        # One ranking serves every moment if no offer begins or ends in it.
        ever = {
            name: table[name].mask(table[name].notna()) for name in ("valid_from", "valid_until")
        }
        self._service = Service(replace(bundle, offers=table.assign(**ever)))
        people = pd.DataFrame({CUSTOMER_ID: pd.Series(log.customers, dtype="str")})
        given = replace(dataset, customers=people.merge(dataset.customers, how="left"))
        _, self._query = query_customers(bundle, given, at)
        self._at, self._log = at, log
        self._valid, self._moment = _validity(table, log.time)

    def decide(self, policy: str, explore: float, tables: Mapping[str, np.ndarray]) -> Chances:
        """Say what a policy would have done at every logged position.

        Parameters
        ----------
        policy : str
            One of `recommender.base.POLICIES`; ``random`` draws every list evenly.
        explore : float
            Share of the lists that are drawn evenly from the offers valid then.
        tables : mapping of str to ndarray of float, shape (offers, places)
            Figures of an offer at a place, to be averaged over what the policy shows.
        """
        n, evenly = len(self._log), 1.0 if policy == RANDOM else explore
        wish = Wish(self._at, n=len(self.offers), policy=policy, explain=False)
        target, mass = np.zeros(n), np.zeros(n)
        means = {name: np.zeros(n) for name in tables}
        for block in self._blocks(self._service.rank(self._query, wish)):
            offer = self.offer[block.rows]
            chosen, there = block.listed()
            among = (block.valid & (block.order == offer[:, None])).any(axis=1)
            even = evenly / np.maximum(block.valid.sum(axis=1), 1)
            mass[block.rows] = there
            target[block.rows] = there * ((1 - evenly) * (chosen == offer) + even * among)
            for name, table in tables.items():
                best = (1 - evenly) * table[chosen, block.column]
                mixed = best + evenly * block.drawn(table) if evenly else best
                means[name][block.rows] = there * mixed
        return Chances(target, mass, means)

    def _blocks(self, ranked: Iterator[Ranked]) -> Iterator[_Block]:
        log = self._log
        by_customer = np.argsort(log.customer, kind="stable")
        owner = log.customer[by_customer]
        start = 0
        for part in ranked:
            first, last = np.searchsorted(owner, [start, start + len(part.rows)]).tolist()
            size = max(1, CELLS // max(1, part.rows.shape[1]))
            for begin in range(first, last, size):
                rows = by_customer[begin : min(begin + size, last)]
                person = log.customer[rows] - start
                order = part.rows[person]
                # What is not listed to this customer, redeemed offers say, stands behind.
                listed = np.arange(order.shape[1]) < part.length[person][:, None]
                valid = self._valid[self._moment[rows][:, None], order] & listed
                yield _Block(rows, order, valid, log.position[rows] - 1)
            start += len(part.rows)


def _validity(offers: pd.DataFrame, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the offers valid at moments.

    Returns
    -------
    valid : ndarray of bool, shape (groups, offers)
    group : ndarray of int, shape (n,)
        Moments between the same beginnings and ends share a row.
    """
    edges = pd.concat([offers["valid_from"], offers["valid_until"]]).dropna()
    edge = np.unique(edges.dt.tz_localize(None).to_numpy())
    _, first, group = np.unique(
        np.searchsorted(edge, time, side="right"), return_index=True, return_inverse=True
    )
    moments = [pd.Timestamp(moment, tz="UTC") for moment in time[first]]
    return np.stack([valid_at(offers, moment) for moment in moments]), group
