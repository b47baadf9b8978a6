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

CHUNK = 512  # customers scored at once, so that memory is bounded


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
    """

    at: pd.Timestamp
    n: int = 10
    policy: str = HYBRID
    category: str | None = None
    offers: Collection[str] | None = None
    exclude: Collection[str] = field(default_factory=tuple)
    include_seen: bool = False
    seed: int = 0


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
        calibrated. Empty for policies other than hybrid.
    """

    row: int
    score: float
    source: str
    contributions: dict[str, float]


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

    def query(self, customer_id: str, facts: Facts) -> Query:
        """Build the query of one person: the bundle's row, if any, and the facts that came after.

        Parameters
        ----------
        customer_id : str
            External id.
        facts : Facts
            Profile and answers as they are now; interactions and purchases that the bundle does not
            hold.
        """
        customers = self.bundle.customers
        row = self.bundle.customer_ids.row(customer_id)
        if row is None or customers.query is None:
            return self.recommender.encoders.query_facts(facts, features_of(facts), None)
        base = customers.query.take(np.array([row]))
        features = features_of(facts, customers.features[row])
        return self.recommender.encoders.query_facts(facts, features, base)

    def recommend(self, query: Query, wish: Wish) -> list[list[Listed]]:
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
        lists = []
        for start in range(0, len(query), CHUNK):
            part = query.take(np.arange(start, min(start + CHUNK, len(query))))
            lists += self._lists(part, wish, mask, random)
        return lists

    def strategy(self, query: Query, policy: str = HYBRID) -> str:
        """Say in one word what a single customer's list is made from."""
        if policy != HYBRID:
            return policy
        speaking = [
            str(scorer.source)
            for scorer in self.recommender.scorers
            if scorer.source is not Source.POPULARITY and np.isfinite(scorer.score(query)).any()
        ]
        if not speaking:
            return str(Source.POPULARITY)
        return speaking[0] if len(speaking) == 1 else HYBRID

    def _lists(
        self, query: Query, wish: Wish, mask: np.ndarray, random: np.random.Generator
    ) -> list[list[Listed]]:
        allowed = np.tile(mask, (len(query), 1))
        if not wish.include_seen:
            redeemed = np.asarray(query.redeemed.todense()) > 0
            allowed &= ~(redeemed & self._once)
        blend: Blend | None = None
        if wish.policy == HYBRID:
            blend = self.recommender.blend(query)
            score = blend.score
        else:
            score = self._single(query, wish.policy, random)
        rows, length = self._top(score, allowed, wish.n)
        shown = expit(score) if wish.policy == HYBRID and self.calibrated else score
        lists = []
        for person in range(len(query)):
            listed = []
            for row in rows[person, : length[person]]:
                source, contributions = self._source(wish.policy), {}
                if blend is not None:
                    names = self.recommender.hybrid.sources
                    source = names[int(blend.leading[person, row])]
                    added = blend.contributions[person, row].tolist()
                    contributions = dict(zip(names, added, strict=True))
                    contributions["intercept"] = blend.intercept
                listed.append(Listed(int(row), float(shown[person, row]), source, contributions))
            lists.append(listed)
        return lists

    def _top(self, score: np.ndarray, allowed: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Best offers per row, shape (customers, ≤ n), and how many of them there are."""
        ordered = np.where(allowed, score, -np.inf)[:, self._order]
        place = np.argsort(-ordered, axis=1, kind="stable")[:, :n]
        return self._order[place], np.minimum(allowed.sum(axis=1), n)

    def _single(self, query: Query, policy: str, random: np.random.Generator) -> np.ndarray:
        """Score by one source; where it cannot say, popularity follows below all it can say."""
        if policy == RANDOM:
            return random.random((len(query), self.recommender.n_offers))
        scorer = next(part for part in self.recommender.scorers if part.source == policy)
        score = scorer.score(query)
        base = self.recommender.popularity.base
        lowest = np.nanmin(np.where(np.isfinite(score), score, np.nan), initial=0.0)
        return np.where(np.isfinite(score), score, lowest - 1.0 + base - base.max())

    @staticmethod
    def _source(policy: str) -> str:
        return str(Source.POPULARITY) if policy == RANDOM else policy
