"""Collaborative filtering as serving sees it: what the history of offers taken says of others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.base import Query, Source
from recommender.features.history import count_once
from recommender.features.order import lately_first
from recommender.scoring.attribute_map import AttributeMap
from recommender.scoring.dependencies import Dependencies
from recommender.scoring.linear import Autoencoder, Factors, Space
from recommender.scoring.mixing import Mix, Says
from recommender.scoring.parts import Cells, Part, Table, cells_of, features_at, look_up, rough_sums

# What makes it: the names of its features, with what each counts before anything is learnt.
PRIOR = {
    "factors": 0.3,
    "autoencoder": 0.6,
    "space": 0.3,
    "next": 0.1,
    "again": 0.5,
    "lately": 0.5,
    "habit": 0.5,
    "rate": 0.5,
    "others": 0.3,
}
MAPS = ("factors", "autoencoder", "space", "next")  # linear, from a history to every offer
SCALED = (*MAPS, "others")  # counted in standard deviations within a customer
SLIGHT = 1e-6  # of what is believed before: settles what nothing learnt does


@dataclass(frozen=True)
class CollaborativeScorer:
    """Weighted sum of what a history says, bent where it is large.

    Among tens of thousands of offers the few that a history speaks for are a hundred standard
    deviations ahead, and no log-odds goes with that: the logarithm does.

    - factors: the ALS;
    - autoencoder: the linear map; of a large catalogue from offers to near ones only;
    - space: what all offers of a large catalogue together say of each other;
    - next: what is taken soon after what the customer took last;
    - again: log(1 + times taken before) of the offer itself;
    - lately: the same, the older the less;
    - habit: how often those who take the offer take it, where the customer has;
    - rate: the log of how much more often it was taken than its showings let expect, of what can be
      taken again (gamma-Poisson shrinkage, as of habits: Clayton & Kaldor 1987);
    - others: how likely it is given all others and the profile together, where offers are few.

    An offer that can be taken once only counts once, and not for itself once it is taken. Of offers
    that nobody took the first four are told from their attributes, where these tell anything.

    Attributes
    ----------
    factors : Factors
    autoencoder : Autoencoder
    space : Space
    following : Autoencoder
        From an offer to what is taken soon after it.
    attributes : AttributeMap
        What the maps say of offers that nobody took.
    others : Dependencies
    habit : ndarray of float, shape (offers,)
        Log of times taken per customer who took it; zero where it can be taken once only.
    usual : ndarray of float, shape (offers,)
        Times taken per showing; zero where showing is not logged, or it can be taken once only.
    repeatable : ndarray of bool, shape (offers,)
        Offers that can be taken again.
    trained : ndarray of bool, shape (offers,)
        Offers with interactions.
    scale : ndarray of float, shape (features,)
        Features are divided by it.
    weight : ndarray of float, shape (features,)
        What each counts, in the order of `PRIOR`.
    """

    factors: Factors
    autoencoder: Autoencoder
    space: Space
    following: Autoencoder
    attributes: AttributeMap
    others: Dependencies
    habit: np.ndarray
    usual: np.ndarray
    repeatable: np.ndarray
    trained: np.ndarray
    scale: np.ndarray
    weight: np.ndarray

    @property
    def source(self) -> Source:
        """Where the score comes from."""
        return Source.COLLABORATIVE

    def score(self, query: Query) -> np.ndarray:
        """Score every offer; NaN for a customer without history and where nothing tells."""
        return self.read(query).table()

    def read(self, query: Query) -> Mix:
        """Prepare scores of offers."""
        says = self.says(query)
        weights = zip(PRIOR, self.weight / self.scale, strict=True) if says.rows.any() else ()
        parts = tuple(
            (weight, self.part(name, query))
            for name, weight in weights
            if weight and name not in self._silent
        )
        return Mix(parts, says, bent=True)

    @cached_property
    def _silent(self) -> frozenset[str]:
        """The features that these offers do without: to add up nothing takes as long."""
        absent = {
            "space": not self.space.rank,
            "others": not self.others.tells,
            "rate": not self.usual.any(),
        }
        return frozenset(name for name, gone in absent.items() if gone)

    def can_teach(self, query: Query, columns: np.ndarray | None = None) -> np.ndarray:
        """Tell where lists teach what the features count: not of what attributes stand for."""
        return self._says(query, self.trained).of(columns)

    def says(self, query: Query) -> Says:
        """Tell where it can score, and nothing more."""
        return self._says(query, self.told)

    def _says(self, query: Query, offers: np.ndarray) -> Says:
        return Says(((np.diff(query.history.indptr) > 0, offers),))

    @cached_property
    def told(self) -> np.ndarray:
        """Tell of which offers it can say something: shape (offers,)."""
        return np.asarray(self.trained | self.attributes.told)

    def features(self, query: Query, columns: np.ndarray | None = None) -> np.ndarray:
        """Return the features apart: shape (features, n, offers), or of `columns`, (n, c)."""
        if columns is None:
            parts = np.stack([self.feature(name, query) for name in PRIOR])
        else:
            parts = features_at([self.part(name, query) for name in PRIOR], columns)
        return np.asarray(parts / self.scale[:, None, None])

    def rough(self, query: Query, weights: np.ndarray) -> np.ndarray:
        """Sum up features in single precision by weights, (w, features, n): (w, n, offers)."""
        parts = [self.part(name, query) for name in PRIOR]
        return rough_sums(parts, weights / self.scale[:, None], len(self.trained))

    def feature(self, name: str, query: Query) -> np.ndarray:
        """Return one feature, not scaled: shape (n, offers)."""
        return self.part(name, query).table()

    def part(self, name: str, query: Query) -> Part:
        """Prepare one feature, not scaled."""
        if name == "others":
            return self.others.read(query.taken(), query.demographic)
        if name in MAPS:
            return self.attributes.extend(name, *self._map(name, query))
        if name == "lately":
            return Cells(_log1p(self._open(query)))
        if name == "rate":
            return Cells(self._rates(query))
        before = query.redeemed.copy()
        if name == "again":
            before.data = np.log1p(before.data * self.repeatable[before.indices])
        else:
            before.data = self.habit[before.indices]
        return Cells(before)

    def _map(self, name: str, query: Query) -> tuple[Part, np.ndarray | sp.csr_matrix]:
        """Map histories to the offers that were taken; return what the map starts from, too."""
        if name == "next":
            fresh = self.fresh(query)
            return Table(self.following.score(fresh)), fresh
        if name == "factors":
            found = self.factors.read(query.taken())
            return found, found.left
        times = _log1p(count_once(query.times(), self.repeatable))
        if name == "space":
            found = self.space.read(times)
            return found, found.left
        return Table(self.autoencoder.score(times)), times

    def speak_for(self, taken: np.ndarray, fresh: np.ndarray, offers: np.ndarray) -> np.ndarray:
        """Say how much each taken offer speaks for some others: shape (taken, offers).

        Parameters
        ----------
        taken, offers : ndarray of int
            Rows of offers.
        fresh : ndarray of float, shape (taken,)
            How lately each was taken (see `recommender.features.order.lately_first`).
        """
        # Where none of the maps counts in scores, what is believed of them tells what is alike.
        told = self.weight + SLIGHT * np.array(list(PRIOR.values()))
        weight = dict(zip(PRIOR, told / self.scale, strict=True))
        near = weight["autoencoder"] * self.autoencoder.speak_for(taken, offers)
        if self.others.tells:
            near = near + weight["others"] * self.others.speak_for(taken, offers)
        far = weight["space"] * self.space.speak_for(taken, offers)
        after = weight["next"] * self.following.speak_for(taken, offers)
        alike = self.attributes
        lifts = weight["autoencoder"] * alike.autoencoder[taken]
        lifts += weight["space"] * (self.space.left[taken] @ alike.space)
        lifts += weight["next"] * fresh[:, None] * alike.next[taken]
        return np.asarray(near + far + fresh[:, None] * after + alike.speak_for(lifts, offers))

    def fresh(self, query: Query) -> sp.csr_matrix:
        """Say how lately each offer was taken, of each customer: shape (n, offers)."""
        return lately_first(count_once(query.history, self.repeatable))

    def _rates(self, query: Query) -> sp.csr_matrix:
        """Compare how often it was taken with how often everybody else would have taken it."""
        taken, expected = query.redeemed.copy(), query.shown.copy()
        taken.data = np.log1p(taken.data * (self.usual[taken.indices] > 0))
        expected.data = np.log1p(expected.data * self.usual[expected.indices])
        return sp.csr_matrix(taken - expected)

    def _open(self, query: Query) -> sp.csr_matrix:
        """Leave out of the history what was redeemed and cannot be again."""
        history = query.history.copy()
        once = ~self.repeatable[history.indices]
        if once.any():
            gone = np.sort(cells_of(query.redeemed)[query.redeemed.data > 0])
            history.data[once & look_up(cells_of(history), gone)[1]] = 0.0
        return history


def _log1p(counts: sp.csr_matrix) -> sp.csr_matrix:
    found = counts.copy()
    found.data = np.log1p(found.data)
    return found
