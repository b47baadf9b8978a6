"""Beyond accuracy: what lists do to the catalogue, and how they fit the customers' own mix.

Everything is measured on the first ten offers of the evaluated customers' lists. What the whole of
the lists has (coverage, Gini) is a number; what each customer's list has is a mean with interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from data.idmap import IdMap
from data.schema import CUSTOMER_ID, EVENT_TYPE, OFFER_ID
from evaluation.depth.assortment import calibration, gini, row_sums, spread_within
from evaluation.significance import Estimate
from evaluation.splitting import Split
from recommender.features.history import EVENT_WEIGHT
from recommender.features.statements import categories_of
from recommender.learning.yardstick import percentiles, resamples

K = 10
NOBODY = Estimate(float("nan"), float("nan"), float("nan"), 0)


@dataclass(frozen=True)
class Beyond:
    """What the lists of one policy are like.

    Attributes
    ----------
    coverage : float
        Share of the candidates that stand in any list (Ge, Delgado-Battenfeld & Jannach 2010).
    gini : float
        Gini index of how often candidates are listed: 0 where all alike, near 1 where a few fill
        all lists (Adomavicius & Kwon 2012; Shani & Gunawardana 2011).
    novelty : Estimate
        Mean self-information of listed offers, -log2 of the share of customers who took the offer
        before (Zhou et al. 2010), shrunk to (n + 1) / (N + 1) so that new offers have one.
    diversity : Estimate or str
        Mean over pairs of a list of 1 - cosine of their attributes: category, kind, merchant, tags
        (Smyth & McClave 2001; Ziegler et al. 2005); lists of one offer have none.
    lift : Estimate
        Popularity lift, GAP of the lists over GAP of the histories, less one (Abdollahpouri et al.
        2020): mean popularity of what is listed against what the same customers took before. Only
        customers with a history.
    lift_candidates : Estimate
        The same against the candidates.
    calibration : Estimate or str
        KL(p || q) of a customer's mix of categories taken before, p, and of the list, q, which is
        smoothed by .01 p (Steck 2018); in nats, 0 where they agree. Only customers with a history.
    """

    coverage: float
    gini: float
    novelty: Estimate
    diversity: Estimate | str
    lift: Estimate
    lift_candidates: Estimate
    calibration: Estimate | str


@dataclass(frozen=True)
class Shelf:
    """What of the past and of the offers the measures need.

    Attributes
    ----------
    people, offers : IdMap
        The evaluated customers, and all offers.
    candidates : ndarray of bool, shape (offers,)
    takers : ndarray of float, shape (offers,)
        Share of all customers who took the offer (clicked or redeemed).
    known : int
        How many customers there are.
    history : csr_matrix, shape (n, offers)
        One where an evaluated customer took the offer.
    attributes : csr_matrix, shape (offers, attributes)
        Rows of unit length.
    category : csr_matrix, shape (offers, categories)
        One in the offer's category.
    """

    people: IdMap
    offers: IdMap
    candidates: np.ndarray
    takers: np.ndarray
    known: int
    history: sp.csr_matrix
    attributes: sp.csr_matrix
    category: sp.csr_matrix


@dataclass(frozen=True)
class Tally:
    """One policy's lists, customer by customer.

    Attributes
    ----------
    often : ndarray of float, shape (candidates,)
        How often each candidate is listed.
    parts : tuple of pairs of ndarray of float, shape (n,)
        Numerator and denominator of novelty, diversity, both lifts and calibration; zero where a
        customer does not count.
    """

    often: np.ndarray
    parts: tuple[tuple[np.ndarray, np.ndarray], ...]


def measure_catalogue(
    split: Split, lists: Mapping[str, pd.DataFrame], seed: int = 0
) -> dict[str, Beyond]:
    """Measure the lists of every policy.

    Parameters
    ----------
    lists : mapping of str to DataFrame
        customer_id, rank, offer_id by policy: those of a `Trial`, of `Baselines`, or both.
    """
    shelf = stock(split)
    tallies = {name: tally(made, shelf) for name, made in lists.items()}
    parts = [part for one in tallies.values() for part in one.parts]
    # All means are taken over the same resampled customers, which are drawn once.
    found = iter(_ratios(parts, seed))
    untold = "not measured: offers have no {}"
    described: dict[str, Beyond] = {}
    for name, one in tallies.items():
        novelty, diversity, lift, beside, fit = (next(found) for _ in one.parts)
        described[name] = Beyond(
            coverage=float((one.often > 0).mean()) if len(one.often) else float("nan"),
            gini=gini(one.often),
            novelty=novelty,
            diversity=diversity if shelf.attributes.nnz else untold.format("attributes"),
            lift=_less_one(lift),
            lift_candidates=_less_one(beside),
            calibration=fit if shelf.category.nnz else untold.format("categories"),
        )
    return described


def stock(split: Split) -> Shelf:
    """Gather what the measures need of a split."""
    people, offers = IdMap(split.customers), split.train.offer_ids
    log = split.train.interactions
    took = log[
        (log[EVENT_TYPE].map(EVENT_WEIGHT).astype("float64") > 0) & offers.known(log[OFFER_ID])
    ]
    pairs = took[[CUSTOMER_ID, OFFER_ID]].drop_duplicates()
    known = len(split.train.customer_ids)
    counts = np.bincount(offers.rows(pairs[OFFER_ID]), minlength=len(offers))
    own = pairs[people.known(pairs[CUSTOMER_ID])]
    table = split.train.offers.set_index(OFFER_ID).reindex(offers.ids).reset_index()
    code, names = pd.factorize(table["category"])
    there = np.flatnonzero(code >= 0)
    return Shelf(
        people=people,
        offers=offers,
        candidates=np.isin(offers.ids, list(split.candidates)),
        takers=counts / max(1, known),
        known=known,
        history=_marks(own, people, offers),
        attributes=categories_of(table),
        category=sp.csr_matrix(
            (np.ones(len(there)), (there, code[there])), shape=(len(table), len(names))
        ),
    )


def tally(lists: pd.DataFrame, shelf: Shelf) -> Tally:
    """Measure the lists of one policy, customer by customer."""
    known = shelf.people.known(lists[CUSTOMER_ID]) & shelf.offers.known(lists[OFFER_ID])
    first = lists[known & (lists["rank"] <= K).to_numpy()]
    listed = _marks(first[[CUSTOMER_ID, OFFER_ID]].drop_duplicates(), shelf.people, shelf.offers)
    length = row_sums(listed)
    surprise = -np.log2((shelf.takers * shelf.known + 1) / (shelf.known + 1))
    there, past = length > 0, row_sums(shelf.history)
    both = there & (past > 0)
    popular = listed @ shelf.takers / np.maximum(length, 1)
    before = shelf.history @ shelf.takers / np.maximum(past, 1)
    usual = shelf.takers[shelf.candidates].mean() if shelf.candidates.any() else 0.0
    alike, pairs = spread_within(listed, shelf.attributes)
    apart, told = calibration(listed, shelf.history, shelf.category)
    return Tally(
        often=np.asarray(listed.sum(axis=0)).ravel()[shelf.candidates],
        parts=(
            (listed @ surprise / np.maximum(length, 1), there.astype(np.float64)),
            (np.where(pairs, alike, 0.0), pairs.astype(np.float64)),
            (np.where(both, popular, 0.0), np.where(both, before, 0.0)),
            (np.where(there, popular, 0.0), usual * there),
            (np.where(told, apart, 0.0), told.astype(np.float64)),
        ),
    )


def _ratios(parts: list[tuple[np.ndarray, np.ndarray]], seed: int) -> list[Estimate]:
    """Bootstrap ratios of sums over customers; n is how many have a denominator."""
    if not parts or not len(parts[0][0]):
        return [NOBODY] * len(parts)
    over, under = (np.column_stack(side) for side in zip(*parts, strict=True))
    blocks = []
    for weight in resamples(len(over), seed):
        blocks.append((weight @ over) / np.maximum(weight @ under, 1e-300))
    low, high = percentiles(np.vstack(blocks))
    counts, sums = (under > 0).sum(axis=0), under.sum(axis=0)
    values = over.sum(axis=0) / np.maximum(sums, 1e-300)
    return [
        Estimate(value, min(a, value), max(b, value), n) if n else NOBODY
        for value, a, b, n in zip(
            values.tolist(), low.tolist(), high.tolist(), counts.tolist(), strict=True
        )
    ]


def _less_one(ratio: Estimate) -> Estimate:
    return Estimate(ratio.value - 1, ratio.low - 1, ratio.high - 1, ratio.n)


def _marks(pairs: pd.DataFrame, people: IdMap, offers: IdMap) -> sp.csr_matrix:
    where = people.rows(pairs[CUSTOMER_ID]), offers.rows(pairs[OFFER_ID])
    return sp.csr_matrix((np.ones(len(pairs)), where), shape=(len(people), len(offers)))
