"""The single verb of serving: recommend. Arrays only; no file, no database, no training library."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import expit

from data.dataset import valid_at
from data.errors import BundleError, UsageError
from data.schema import OFFER_ID
from recommender.base import HYBRID, POLICIES, RANDOM, Query, Source
from recommender.bundle import Bundle
from recommender.explanation import Explainer
from recommender.facts import Facts, features_of
from recommender.hybrid import Blend
from recommender.model import Recommender
from recommender.survey import information

MOST_CUSTOMERS, MOST_CELLS = 512, 500_000  # scored at once, so that memory is bounded


@dataclass(frozen=True)
class Wish:
    """What a list should be like.

    Attributes
    ----------
    at : Timestamp
        The moment it is for; offers not valid then are no candidates.
    n : int
        Length.
    policy : str
        One of `recommender.base.POLICIES`.
    category : str, optional
        Only offers of this category.
    offers : collection of str, optional
        Only these offers.
    exclude : collection of str
        None of these offers.
    include_seen : bool
        List redeemed offers again.
    seed : int
        Seed of the random policy.
    explain : bool
        With the contributions of every listed offer.
    """

    at: pd.Timestamp
    n: int = 10
    policy: str = HYBRID
    category: str | None = None
    offers: Collection[str] | None = None
    exclude: Collection[str] = field(default_factory=tuple)
    include_seen: bool = False
    seed: int = 0
    explain: bool = True


@dataclass(frozen=True)
class Listed:
    """One offer of a list.

    Attributes
    ----------
    row : int
        Row of the offer.
    score : float
        Probability of a redemption if shown where calibrated, else relative.
    source : str
        The source that speaks most for it.
    contributions : dict of str to float
        Per source, and ``intercept``: they add up to logit(score), or to the score where not
        calibrated. Empty for policies other than hybrid, and where not wished for.
    """

    row: int
    score: float
    source: str
    contributions: dict[str, float]


@dataclass(frozen=True)
class Listing:
    """A list for one customer, and in one word what it is made from."""

    strategy: str
    offers: list[Listed]


class Service:
    """Lists from one bundle.

    Parameters
    ----------
    bundle : Bundle
        With a recommender.

    Raises
    ------
    BundleError
        The bundle recommends nothing.
    """

    def __init__(self, bundle: Bundle) -> None:
        if bundle.recommender is None:
            raise BundleError(
                "This model recommends nothing: it was trained without offers, or without "
                "interactions and transactions.",
                "Add these tables to the dataset and train again.",
            )
        self.bundle = bundle
        self.recommender: Recommender = bundle.recommender
        self.explainer = Explainer(bundle.offers, bundle.recommender)
        base = self.recommender.popularity.base
        # Ties: score, then popularity, then id. Columns in this order make a stable sort do it.
        self._order = np.argsort(-base, kind="stable")

    @property
    def calibrated(self) -> bool:
        """Whether scores of the hybrid are probabilities."""
        return self.recommender.hybrid.calibrated

    @cached_property
    def _once(self) -> np.ndarray:
        """Offers that can be redeemed once only."""
        return ~self.bundle.offers["repeatable"].fillna(False).to_numpy(dtype=bool)

    @cached_property
    def _shown(self) -> list[tuple[str, str | None, str | None]]:
        table = self.bundle.offers[[OFFER_ID, "title", "category"]].astype("object")
        table = table.where(table.notna(), None)
        return [(str(row[0]), row[1], row[2]) for row in table.itertuples(index=False)]

    @cached_property
    def _category(self) -> np.ndarray:
        return self.bundle.offers["category"].str.lower().to_numpy(dtype=object)

    def shown(self, row: int) -> tuple[str, str | None, str | None]:
        """Return the id, title and category of an offer."""
        return self._shown[row]

    def count_candidates(self, at: pd.Timestamp) -> int:
        """Count the offers that are valid at a moment."""
        return int(valid_at(self.bundle.offers, at).sum())

    def next_questions(self, answers: Mapping[str, str], n: int = 3) -> list[tuple[str, str]]:
        """Choose the most informative questions not answered yet, as (question, text)."""
        survey = self.recommender.encoders.survey
        scorer = self.recommender.survey
        order = np.argsort(-information(scorer.lift, scorer.base), kind="stable")
        asked = [int(row) for row in order if survey.questions[row] not in answers]
        return [(survey.questions[row], survey.texts[row]) for row in asked[:n]]

    def candidates(self, wish: Wish) -> np.ndarray:
        """Mask of the offers that a list may hold, for everybody."""
        mask = valid_at(self.bundle.offers, wish.at)
        ids = self.recommender.encoders.offer_ids
        if wish.category is not None:
            mask &= self._category == wish.category.lower()
        if wish.offers is not None:
            mask &= np.isin(ids, list(wish.offers))
        if wish.exclude:
            mask &= ~np.isin(ids, list(wish.exclude))
        return mask

    def query(
        self, customer_id: str, facts: Facts, at: pd.Timestamp, *, whole: bool = False
    ) -> Query:
        """Build the query of one person: the bundle's row, if any, and the facts that came after.

        Parameters
        ----------
        customer_id : str
            External id.
        facts : Facts
            Profile and answers as they are now; interactions and purchases that the bundle does not
            hold.
        at : Timestamp
            The moment the list is for.
        whole : bool
            The facts are all there are: the bundle's row is not added to them.
        """
        bundle, encoders = self.bundle, self.recommender.encoders
        row = None if whole else bundle.customer_ids.row(customer_id)
        if row is None or bundle.customers.query is None:
            return encoders.query_facts(facts, features_of(facts, at), None)
        base = bundle.customers.query.take(np.array([row]))
        features = features_of(facts, at, bundle.customers.features[row], bundle.moment)
        return encoders.query_facts(facts, features, base)

    def recommend(self, query: Query, wish: Wish) -> list[Listing]:
        """Make one list per customer of a query.

        Raises
        ------
        UsageError
            The policy is not known.
        """
        if wish.policy not in POLICIES:
            raise UsageError(
                f"There is no policy {wish.policy!r}.", f"Known: {', '.join(POLICIES)}."
            )
        mask = self.candidates(wish)
        random = np.random.default_rng(wish.seed)
        lists: list[Listing] = []
        size = max(1, min(MOST_CUSTOMERS, MOST_CELLS // max(1, self.recommender.n_offers)))
        for start in range(0, len(query), size):
            part = query.take(np.arange(start, min(start + size, len(query))))
            lists += self._lists(part, wish, mask, random)
        return lists

    def _lists(
        self, query: Query, wish: Wish, mask: np.ndarray, random: np.random.Generator
    ) -> list[Listing]:
        allowed = np.tile(mask, (len(query), 1))
        if not wish.include_seen:
            redeemed = np.asarray(query.redeemed.todense()) > 0
            allowed &= ~(redeemed & self._once)
        names = self.recommender.hybrid.sources
        blend: Blend | None = None
        if wish.policy == HYBRID:
            blend = self.recommender.blend(query)
            score, leading = blend.score, blend.leading
        else:
            score, leading = self._single(query, wish.policy, random)
        rows, length = self._top(score, allowed, wish.n)
        shown = expit(score) if blend is not None and self.calibrated else score
        lists = []
        for person in range(len(query)):
            listed = []
            for row in rows[person, : length[person]].tolist():
                contributions = {}
                if blend is not None and wish.explain:
                    added = blend.contributions[person, row].tolist()
                    contributions = dict(zip(names, added, strict=True))
                    contributions["intercept"] = blend.intercept
                source = names[int(leading[person, row])]
                listed.append(Listed(row, float(shown[person, row]), source, contributions))
            speaking = None if blend is None else blend.speaking[person]
            lists.append(Listing(self._strategy(wish.policy, speaking), listed))
        return lists

    def _strategy(self, policy: str, speaking: np.ndarray | None) -> str:
        """Say in one word what a list is made from."""
        if speaking is None:
            return str(Source.POPULARITY) if policy == RANDOM else policy
        names = [
            name
            for name, speaks in zip(self.recommender.hybrid.sources, speaking, strict=True)
            if speaks and name != Source.POPULARITY
        ]
        return HYBRID if len(names) > 1 else names[0] if names else str(Source.POPULARITY)

    def _top(self, score: np.ndarray, allowed: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Best offers per row, shape (customers, ≤ n), and how many of them there are."""
        ordered = np.where(allowed, score, -np.inf)[:, self._order]
        place = np.argsort(-ordered, axis=1, kind="stable")[:, :n]
        return self._order[place], np.minimum(allowed.sum(axis=1), n)

    def _single(
        self, query: Query, policy: str, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Score by one source; where it cannot say, popularity follows below all it can say.

        Returns
        -------
        score : ndarray of float, shape (n, offers)
        leading : ndarray of int, shape (n, offers)
            Place of the source that spoke.
        """
        names = self.recommender.hybrid.sources
        popularity = names.index(Source.POPULARITY)
        if policy == RANDOM:
            score = random.random((len(query), self.recommender.n_offers))
            return score, np.full(score.shape, popularity)
        place = names.index(policy)
        score = self.recommender.scorers[place].score(query)
        base = self.recommender.popularity.base
        silent = np.isnan(score)
        lowest = np.where(silent, np.inf, score).min(axis=1, keepdims=True, initial=0.0)
        filled = np.where(silent, lowest - 1.0 + base - base.max(), score)
        return filled, np.where(silent, popularity, place)
